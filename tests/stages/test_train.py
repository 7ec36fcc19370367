"""Tuning: a model folder like any other, never half done, and the same however often it was interrupted."""

import logging
import subprocess
import sys

import pytest
from pydantic import ValidationError

from pipeline.dataset.encodings import zero_shot
from pipeline.errors import SproutError
from pipeline.runs.run import run
from pipeline.stages.export import Export
from pipeline.stages.train import Train
from pipeline.training.settings import Training, TrainingSettings
from pipeline.training.tune import tune
from tests.stages.tuning import CAPITALS, SEEDS, TASKS, Given, context, record, text_rows, train


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
    logger = logging.getLogger("pipeline.training.arguments")
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


def test_an_interrupted_training_with_other_settings_starts_afresh(tmp_path, base_model):
    (tmp_path / "model.partial" / "checkpoints" / "checkpoint-2").mkdir(parents=True)
    (tmp_path / "model.partial" / "started.json").write_text('{"fingerprint": "another"}')

    assert train(tmp_path, base_model)["steps"] == 3


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


def test_what_cannot_be_trained_is_said_before_it_is_tried(tmp_path, base_model, make_model):
    with pytest.raises(SproutError, match="nothing to train on"):
        tune(Training(model=base_model, rows=[]), tmp_path / "model")
    with pytest.raises(SproutError, match="/dataset: there is no such dataset; run `sprout export`"):
        Train().make(TASKS, context(tmp_path, base_model))
    with pytest.raises(SproutError, match="no model is named"):
        train(tmp_path, "")
    with pytest.raises(SproutError, match="is not a folder here"):
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

    assert tune(training, tmp_path / "mine").rows == 5
    assert (tmp_path / "mine" / "config.json").is_file()


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, pipeline.stages.evaluate; print({'torch', 'transformers', 'trl', 'datasets'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "set()"
