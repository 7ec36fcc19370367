"""What counts in the loss of a conversation: every answer and the end of its turn, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.dataset.content import ChatRow, PreferenceRow, TextRow
from pipeline.errors import SproutError
from pipeline.training.dpo import make_dpo_trainer
from pipeline.training.settings import Training, TrainingSettings
from pipeline.training.sft import make_trainer
from pipeline.training.tokens import chat_tokens
from tests.stages.conftest import CHAT_TEMPLATE, save_model

TALK = [("system", "Be kind."), ("user", "Peru?"), ("assistant", "Lima"), ("user", "Sure?"), ("assistant", "yes")]
FORGETS = (  # of earlier answers it leaves out what stands before a |, as Qwen's leaves out thoughts
    "{% for m in messages %}<|{{ m.role }}|>"
    "{{ m.content if loop.last else m.content.split('|')[-1] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHAT_TEMPLATE


def talk(*turns: tuple[str, str]) -> ChatRow:
    return ChatRow(messages=tuple({"role": role, "content": content} for role, content in turns))


def learned(row: ChatRow, model: str) -> list[str]:
    """The pieces that count in the loss, and what comes between as one dot."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    ids, mask = chat_tokens(row, tokenizer)
    assert tokenizer.decode(ids) == tokenizer.apply_chat_template(list(row.messages), tokenize=False)
    text = "".join(tokenizer.decode(id) if counts else "\0" for id, counts in zip(ids, mask, strict=True))
    return [piece for piece in text.split("\0") if piece]


@pytest.mark.parametrize(
    ("row", "pieces"),
    [
        (talk(*TALK[1:3]), ["Lima<|end|>"]),
        (talk(*TALK[:3]), ["Lima<|end|>"]),
        (talk(*TALK), ["Lima<|end|>", "yes<|end|>"]),
        (talk(("assistant", "no"), *TALK[1:3]), ["Lima<|end|>"]),
        (talk(*TALK).model_copy(update={"unlearned": (2,)}), ["yes<|end|>"]),
    ],
)
def test_every_answer_counts_in_the_loss_with_the_end_of_its_turn(chat_model, row, pieces):
    assert learned(row, chat_model) == pieces


def test_one_answer_has_the_tokens_and_labels_that_trl_gives_it(chat_model, tmp_path):
    import datasets
    from trl import SFTConfig, SFTTrainer

    row = talk(*TALK[:3])
    ours: Any = make_trainer(Training(model=chat_model, rows=[row]), tmp_path).train_dataset
    prompt, completion = list(row.messages[:2]), list(row.messages[2:])
    data = datasets.Dataset.from_list([{"prompt": prompt, "completion": completion}])
    config = SFTConfig(str(tmp_path), report_to="none", bf16=False)
    theirs: Any = SFTTrainer(chat_model, config, train_dataset=data).train_dataset

    assert [ours[0][name] for name in ("input_ids", "labels")] == [theirs[0][name] for name in ("input_ids", "labels")]


@pytest.mark.parametrize("prompt", ["Peru", "<|user|>Peru"])
def test_the_first_token_of_a_prompt_is_there_once_and_a_long_row_makes_no_noise(tmp_path, caplog, prompt):
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer
    from transformers.utils import logging

    model = save_model(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(model, bos_token="<|user|>", model_max_length=20)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|user|> $A", special_tokens=[("<|user|>", tokenizer.bos_token_id)]
    )
    tokenizer.save_pretrained(model)
    monitored = logging.get_logger("transformers")
    monitored.addHandler(caplog.handler)
    try:
        rows = [TextRow(prompt=prompt, completion="Lima"), TextRow(prompt=prompt, completion="yes no " * 30)]
        made: Any = make_trainer(Training(model=model, rows=rows), tmp_path / "run").train_dataset
    finally:
        monitored.removeHandler(caplog.handler)

    assert tokenizer.decode(made[0]["input_ids"]) == "<|user|>PeruLima<|end|>"
    assert "sequence length" not in caplog.text


def test_rows_of_one_and_of_several_answers_are_tuned_on_together(chat_model, tmp_path):
    rows = [talk(*TALK[1:3]), talk(*TALK)]
    settings = TrainingSettings(max_steps=1, batch_size=2, learning_rate=1e-3)
    trainer = make_trainer(Training(model=chat_model, rows=rows, settings=settings), tmp_path)

    assert trainer.train().global_step == 1


def test_a_template_that_changes_earlier_answers_is_refused_for_several_and_not_for_one(tmp_path):
    model = save_model(tmp_path, chat_template=FORGETS)
    thought = talk(("user", "Peru?"), ("assistant", "hm|Lima"))

    assert learned(thought, model) == ["hm|Lima<|end|>"]
    with pytest.raises(SproutError, match="writes earlier answers otherwise than a last one, and TRL knows no mask"):
        learned(talk(("user", "Peru?"), ("assistant", "hm|Lima"), *TALK[3:]), model)


def test_messages_that_the_template_refuses_are_told(tmp_path: Path):
    model = save_model(tmp_path, chat_template=NO_SYSTEM)

    assert learned(talk(*TALK[1:3]), model) == ["Lima<|end|>"]
    with pytest.raises(SproutError, match="refuses a row with messages of system, user, assistant: no system"):
        learned(talk(*TALK[:3]), model)


def test_rows_that_the_template_refuses_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    model = save_model(tmp_path, chat_template=NO_SYSTEM)
    pair = PreferenceRow(prompt=({"role": "user", "content": "Peru?"},), chosen="Lima", rejected="no")
    refused = pair.model_copy(update={"prompt": ({"role": "system", "content": "Be kind."}, *pair.prompt)})
    settings = TrainingSettings(objective="dpo")
    trainers: list[Any] = [
        make_trainer(Training(model=model, rows=[talk(*TALK[:3]), talk(*TALK[1:3])]), tmp_path),
        make_dpo_trainer(Training(model=model, rows=[refused, pair], settings=settings), tmp_path),
    ]

    assert [len(one.train_dataset) for one in trainers] == [1, 1]
    told = "the chat template refuses a row with messages of system, user, assistant: no system"
    assert caplog.messages == [f"train: 1 rows are left out; the first: {model}: {told}"] * 2


def test_messages_for_a_model_without_a_template_are_refused(base_model, tmp_path):
    with pytest.raises(SproutError, match="no chat template"):
        make_trainer(Training(model=base_model, rows=[talk(*TALK)]), tmp_path)


def test_without_shuffling_the_rows_come_in_their_order_in_every_epoch(chat_model, tmp_path):
    rows = [talk(("user", f"{n}?"), ("assistant", str(n))) for n in range(7)]
    orders = {}
    for shuffle in (False, True):
        settings = TrainingSettings(batch_size=2, num_epochs=2, shuffle=shuffle)
        trainer = make_trainer(Training(model=chat_model, rows=rows, settings=settings), tmp_path)
        some: Any = trainer.train_dataset
        sampler: Any = trainer._get_train_sampler()
        orders[shuffle] = list(sampler)
        assert len(some) == 7

    assert orders[False] == list(range(7)) != orders[True]
