"""Tuning: what of a row the model learns, how rows make a batch, and what is cut."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.dataset.content import ChatRow, TextRow
from pipeline.errors import SproutError
from pipeline.task import Instance, Task
from pipeline.training.settings import Training
from pipeline.training.sft import make_trainer
from tests.stages.tuning import CAPITALS, SEEDS, TASKS, text_rows, train


def labels(model: str, folder: Path, rows: Sequence[TextRow] | Sequence[ChatRow]) -> dict[str, list[str]]:
    """What each prompt is followed by, as far as it counts in the loss: the pieces by the whole text."""
    from transformers import AutoTokenizer

    trainer = make_trainer(Training(model=model, rows=rows), folder)
    tokenizer = AutoTokenizer.from_pretrained(model)
    return {
        tokenizer.decode(row["input_ids"]): [tokenizer.decode(label) for label in row["labels"] if label != -100]
        for row in trainer.train_dataset
    }


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

    with pytest.raises(SproutError, match="rows attend to each other"):
        train(tmp_path, folder, padding_free=True)


def test_parts_of_a_batch_add_up_to_the_batch(tmp_path, base_model):
    whole = train(tmp_path / "1", base_model, batch_size=6, learning_rate=0.01)
    parts = train(tmp_path / "2", base_model, batch_size=6, learning_rate=0.01, gradient_accumulation=3)

    assert parts["steps"] == whole["steps"]
    assert parts["loss"][-1][1] == pytest.approx(whole["loss"][-1][1], abs=1e-3)


def test_epochs_are_counted_in_rows(tmp_path, base_model):
    record = train(tmp_path, base_model, max_steps=None, num_epochs=2, batch_size=4)

    assert record["steps"] == 4  # 6 rows make two batches


def test_rows_that_are_too_long_are_cut_and_counted(tmp_path, base_model, caplog):
    long = [
        Task(id="long", instruction="Count.", instances=(Instance(output="1 2 3 " * 99),)),
        Task(id="longer", instruction="Count to 1 2 3 " * 99, instances=(Instance(output="3"),)),
    ]

    assert train(tmp_path, base_model, [*TASKS, *long])["steps"] == 3
    said = [message for message in caplog.messages if message.startswith("train:")]
    assert said == ["train: 1 rows are cut at 128 tokens, 1 have no room for a completion"]
