"""Tuning: a model folder like any other, never half done, and the same however often it was interrupted."""

import json
import logging
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.dataset.content import ChatRow, TextRow
from pipeline.dataset.encodings import encode, zero_shot
from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.runs.context import Context
from pipeline.runs.run import run
from pipeline.stage import Stage
from pipeline.stages.export import Export
from pipeline.stages.train import Train
from pipeline.task import Instance, Task
from pipeline.training.settings import Training, TrainingSettings
from pipeline.training.sft import make_trainer
from pipeline.training.tune import tune

CAPITALS = {"Peru": "Lima", "France": "Paris", "Japan": "Tokyo", "Kenya": "Nairobi", "Norway": "Oslo"}
TASKS = [
    Task(id=f"task_{land}", instruction="Name the capital.", instances=(Instance(input=land, output=capital),))
    for land, capital in CAPITALS.items()
]
SEEDS = [Task(id="seed_1", instruction="Say yes.", instances=(Instance(output="yes"),))]


class Given(Stage):
    """Makes the tasks of these tests."""

    adds = True

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        yield from TASKS[len(done) :]


def context(folder: Path, model: str) -> Context:
    return Context(seeds=SEEDS, engine=Scripted(lambda request: "", model=model), folder=folder)


def train(folder: Path, model: str, tasks: list[Task] = TASKS, **settings: Any) -> dict:
    """Tune on the dataset of a run with these tasks."""
    run = context(folder, model)
    Export(encoding="plain", validation_share=0).make(tasks, run)
    Train.model_validate({"max_steps": 3} | settings).make(tasks, run)
    return record(folder / "model")


def record(folder: Path) -> dict:
    return json.loads((folder / "train.json").read_text("utf-8"))


def text_rows(tasks: list[Task] = TASKS, rng: random.Random | None = None) -> list[TextRow]:
    pairs = ((task.instruction, instance) for task in tasks for instance in task.instances)
    texts = (encode(instruction, instance.input, instance.output, rng) for instruction, instance in pairs)
    return [TextRow(prompt=prompt, completion=completion) for prompt, completion in texts]


def labels(model: str, folder: Path, rows: Sequence[TextRow] | Sequence[ChatRow]) -> dict[str, list[str]]:
    """What each prompt is followed by, as far as it counts in the loss: the pieces by the whole text."""
    from transformers import AutoTokenizer

    trainer = make_trainer(Training(model=model, rows=rows), folder)
    tokenizer = AutoTokenizer.from_pretrained(model)
    return {
        tokenizer.decode(row["input_ids"]): [tokenizer.decode(label) for label in row["labels"] if label != -100]
        for row in trainer.train_dataset
    }


def test_a_tuned_model_loads_like_any_other_and_has_learned_to_answer_and_to_stop(tmp_path, base_model):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    record = train(tmp_path, base_model, max_steps=80, batch_size=6, learning_rate=0.01)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    prompts = [zero_shot("Name the capital.", land) for land in CAPITALS]
    made = [
        model.generate(**tokenizer(one, return_tensors="pt"), max_new_tokens=20, do_sample=False) for one in prompts
    ]

    assert [tokenizer.decode(ids[0]) for ids in made] == [
        f"{prompt}{capital}<|end|>" for prompt, capital in zip(prompts, CAPITALS.values(), strict=True)
    ]
    assert model.config.use_cache
    assert record["steps"] == len(record["loss"]) == 80
    assert record["rows"] == 6
    assert record["loss"][0][1] > 4
    assert record["loss"][-1][1] < 0.1


def test_the_loss_counts_the_completion_and_one_end_of_text_not_the_prompt(tmp_path, base_model):
    found = labels(base_model, tmp_path, text_rows())

    assert {"".join(pieces) for pieces in found.values()} == {f"{capital}<|end|>" for capital in CAPITALS.values()}
    assert all(pieces[-1] == "<|end|>" for pieces in found.values())
    assert "Name the capital.\n\nPeru\n\nLima<|end|>" in found


def test_the_tokens_of_a_prompt_are_those_it_has_when_the_model_is_asked(tmp_path, base_model):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base_model)
    rows = [row for seed in range(30) for row in text_rows(TASKS + SEEDS, random.Random(seed))]
    trainer = make_trainer(Training(model=base_model, rows=rows), tmp_path)
    made = [row["input_ids"] for row in trainer.train_dataset]

    assert [tokenizer.decode(ids) for ids in made] == [f"{row.prompt}{row.completion}<|end|>" for row in rows]
    for row, ids in zip(rows, made, strict=True):
        prompt = tokenizer(row.prompt).input_ids
        assert ids[: len(prompt)] == prompt
    assert tokenizer("a\n\nb").input_ids[:2] != tokenizer("a\n\n").input_ids  # line ends depend on what follows


def test_a_chat_model_is_tuned_on_messages(tmp_path, chat_model):
    found = labels(chat_model, tmp_path, [row.as_chat() for row in text_rows()])

    assert {"".join(pieces) for pieces in found.values()} == {f"{capital}<|end|>" for capital in CAPITALS.values()}
    assert "<|user|>Name the capital.\n\nPeru<|end|><|assistant|>Lima<|end|>" in found


def test_a_chat_model_that_the_run_asks_without_its_template_is_tuned_without_it(tmp_path, chat_model):
    assert train(tmp_path / "1", chat_model)["chat"] is False
    assert train(tmp_path / "2", chat_model, chat=True)["chat"] is True


def test_lora_gives_merged_weights_and_the_adapter(tmp_path, base_model):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    train(tmp_path, base_model, method="lora", learning_rate=0.01, lora_rank=4)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    base = AutoModelForCausalLM.from_pretrained(base_model)
    ids = torch.arange(20)[None]
    plain = base(ids).logits
    adapted = PeftModel.from_pretrained(base, tmp_path / "model" / "adapter")(ids).logits

    torch.testing.assert_close(merged(ids).logits, adapted)
    assert (adapted - plain).abs().max() > 0.01


def test_a_model_is_saved_in_the_precision_it_had(tmp_path, make_model):
    from transformers import AutoConfig

    train(tmp_path, make_model(dtype="bfloat16"), max_steps=1)

    assert str(AutoConfig.from_pretrained(tmp_path / "model").dtype) == "torch.bfloat16"


def test_a_finished_training_is_not_done_again_unless_its_rows_or_settings_change(tmp_path, base_model):
    first = train(tmp_path, base_model)
    (tmp_path / "model" / "mine.txt").write_text("a note")

    assert train(tmp_path, base_model, checkpoint_steps=7) == first
    assert (tmp_path / "model" / "mine.txt").exists()
    assert train(tmp_path, base_model, TASKS[:4])["rows"] == 5
    assert not (tmp_path / "model" / "mine.txt").exists()
    assert train(tmp_path, base_model, TASKS[:4], max_steps=2)["steps"] == 2
    assert {path.name for path in tmp_path.iterdir()} == {"dataset", "model"}


class Interrupt(logging.Handler):
    """Presses Ctrl-C when a step is logged."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def emit(self, record: logging.LogRecord) -> None:
        if f"step {self.step} of" in record.getMessage():
            raise KeyboardInterrupt


def test_an_interrupted_training_goes_on_from_its_checkpoint_to_the_same_model(tmp_path, base_model, caplog):
    settings = {"max_steps": 8, "batch_size": 2, "learning_rate": 0.01, "checkpoint_steps": 3}
    whole = train(tmp_path / "whole", base_model, **settings)
    logger = logging.getLogger("pipeline.training.sft")
    caplog.set_level("INFO", logger.name)
    logger.addHandler(handler := Interrupt(5))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, base_model, **settings)
    logger.removeHandler(handler)
    assert not (tmp_path / "model").exists()
    (tmp_path / "model.partial" / "checkpoints" / "checkpoint-5").mkdir()  # cut off while it was written
    caplog.clear()
    resumed = train(tmp_path, base_model, **settings)

    assert "step 4 of 8" in caplog.messages[0]
    assert [resumed[key] for key in ("steps", "loss", "tokens")] == [whole[key] for key in ("steps", "loss", "tokens")]
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == (
        tmp_path / "whole" / "model" / "model.safetensors"
    ).read_bytes()
    assert not (tmp_path / "model.partial").exists()


def test_without_padding_the_losses_are_those_of_padded_batches(tmp_path, base_model):
    settings = {"batch_size": 6, "learning_rate": 0.01}
    padded = train(tmp_path / "1", base_model, **settings)
    flat = train(tmp_path / "2", base_model, **settings, padding_free=True)

    assert [loss for _, loss in flat["loss"]] == pytest.approx([loss for _, loss in padded["loss"]], abs=1e-3)


def test_a_model_in_which_rows_without_padding_read_each_other_is_refused(tmp_path, make_model):
    from transformers import AutoTokenizer, MambaConfig, MambaForCausalLM

    folder = make_model()
    vocab_size = len(AutoTokenizer.from_pretrained(folder))
    wide = {"hidden_size": 16, "num_hidden_layers": 1, "initializer_range": 1.0}  # so that what it remembers counts
    MambaForCausalLM(MambaConfig(vocab_size=vocab_size, **wide)).save_pretrained(folder)

    with pytest.raises(SproutError, match="its rows read each other"):
        train(tmp_path, folder, padding_free=True)


def test_an_interrupted_training_with_other_settings_starts_afresh(tmp_path, base_model):
    (tmp_path / "model.partial" / "checkpoints" / "checkpoint-2").mkdir(parents=True)
    (tmp_path / "model.partial" / "started.json").write_text('{"fingerprint": "another"}')

    assert train(tmp_path, base_model)["steps"] == 3


def test_parts_of_a_batch_add_up_to_the_batch(tmp_path, base_model):
    whole = train(tmp_path / "1", base_model, batch_size=6, learning_rate=0.01)
    parts = train(tmp_path / "2", base_model, batch_size=6, learning_rate=0.01, gradient_accumulation=3)

    assert parts["steps"] == whole["steps"]
    assert parts["loss"][-1][1] == pytest.approx(whole["loss"][-1][1], abs=1e-3)


def test_epochs_are_counted_in_rows(tmp_path, base_model):
    record = train(tmp_path, base_model, max_steps=None, num_epochs=2, batch_size=4)

    assert record["steps"] == 4  # 6 rows make two batches


def test_a_second_training_is_of_the_seeds_alone_for_as_many_steps_and_measured_on_the_same_tasks(tmp_path, base_model):
    settings = {"max_steps": 2, "batch_size": 2}
    stages = [
        Given(),
        Export(validation_share=0.4),
        Train(**settings),
        Export(label="seeds", validation_share=0.4, only="seeds"),
        Train(label="seeds", **settings, dataset="dataset-seeds"),
    ]
    run(stages, SEEDS, context(tmp_path, base_model).engine, tmp_path)
    whole, seeds = record(tmp_path / "model"), record(tmp_path / "model-seeds")

    assert (whole["rows"], seeds["rows"]) == (5, 1)
    assert whole["steps"] == seeds["steps"] == 2
    assert whole["validation_rows"] == seeds["validation_rows"] == 1
    assert whole["validation_loss"][0][0] == seeds["validation_loss"][0][0]


def test_rows_that_are_too_long_are_cut_and_counted(tmp_path, base_model, caplog):
    long = [
        Task(id="long", instruction="Count.", instances=(Instance(output="1 2 3 " * 99),)),
        Task(id="longer", instruction="Count to 1 2 3 " * 99, instances=(Instance(output="3"),)),
    ]

    assert train(tmp_path, base_model, [*TASKS, *long])["steps"] == 3
    said = [message for message in caplog.messages if message.startswith("train:")]
    assert said == ["train: 1 rows are cut at 128 tokens, 1 have no room for a completion"]


def test_what_cannot_be_trained_is_said_before_it_is_tried(tmp_path, base_model, make_model):
    with pytest.raises(SproutError, match="nothing to train on"):
        tune(Training(model=base_model, rows=[]), tmp_path / "model")
    with pytest.raises(SproutError, match="/dataset: there is no such dataset; run `sprout export`"):
        Train().make(TASKS, context(tmp_path, base_model))
    with pytest.raises(SproutError, match="no model is named"):
        train(tmp_path, "")
    with pytest.raises(SproutError, match="is no folder here"):
        train(tmp_path, "/no/such/model")
    with pytest.raises(SproutError, match="no chat template"):
        train(tmp_path, base_model, chat=True)
    with pytest.raises(SproutError, match="no end-of-text token"):
        train(tmp_path, make_model(eos=None))
    with pytest.raises(SproutError, match="raise max_length"):
        train(tmp_path, base_model, max_length=2)
    with pytest.raises(ValidationError, match="cannot be cut into 3 parts"):
        Train(gradient_accumulation=3)
    assert not (tmp_path / "model").exists()


def test_a_script_tunes_rows_of_its_own(tmp_path, base_model):
    training = Training(model=base_model, rows=text_rows(), settings=TrainingSettings(max_steps=1))

    assert tune(training, tmp_path / "mine")["rows"] == 5
    assert (tmp_path / "mine" / "config.json").is_file()


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, pipeline.stages.evaluate; print({'torch', 'transformers', 'trl', 'datasets'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "set()"
