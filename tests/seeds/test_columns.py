"""Rows of public datasets, by the names that their fields have there."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import Instance, SproutError
from pipeline.dataset.read import read_dataset
from pipeline.evaluation.heldout import read_heldout
from pipeline.seeds.read import load_seeds
from pipeline.stages import Mix

ASKED = ("Name a river.", "in Peru", "Amazon")


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("names", "more"),
    [
        (("instruction", "context", "response"), {"category": "open_qa"}),  # Dolly
        (("instruction", "", "generation"), {"model_name": "m"}),  # distilabel
        (("inputs", "", "targets"), {"language": "en"}),  # xP3, FLAN
        (("question", "", "answer"), {}),  # GSM8K
        (("question", "", "response"), {"id": "flan.1", "system_prompt": "You are an AI assistant."}),  # OpenOrca
        (("query", "", "response"), {"type": "MATH_Rephrased", "original_question": "?"}),  # MetaMathQA
        (("problem", "", "solution"), {"level": "Level 5"}),  # MATH
        (("prompt", "", "response"), {"helpfulness": 3}),  # HelpSteer
        (("INSTRUCTION", "", "RESPONSE"), {"SOURCE": "x"}),  # OIG
        (("Question", "context", "Answer"), {"answer": None, "solution": ""}),
        (("question", "input", "output"), {}),
        (("user", "", "assistant"), {}),
    ],
)
def test_well_known_names_are_read_wherever_rows_are(
    tmp_path: Path, names: tuple[str, str, str], more: dict[str, Any]
) -> None:
    row = {name: text for name, text in zip(names, ASKED, strict=True) if name}
    path = written(tmp_path / "rows.jsonl", row | more)
    given = ASKED[1] if names[1] else ""

    (task,) = load_seeds(path).tasks
    assert (task.instruction, task.instances) == (ASKED[0], (Instance(input=given, output=ASKED[2]),))
    (mixed,) = next(iter(Mix(datasets={"rows": str(path)}).draws.values())).take(1)
    assert (mixed.instruction, mixed.instances) == (task.instruction, task.instances)
    (heldout,) = read_heldout(path)
    assert (heldout.instruction, heldout.input, heldout.outputs) == (ASKED[0], given, (ASKED[2],))
    (trained,) = read_dataset(path, chat=True).train
    asked = "\n\n".join(filter(None, (ASKED[0], given)))
    assert [message["content"] for message in trained.messages[-2:]] == [asked, ASKED[2]]


def test_the_log_says_what_is_read_as_what(tmp_path: Path) -> None:
    row = dict(zip(("instruction", "context", "response"), ASKED, strict=True), category="open_qa")
    table = tmp_path / "rows.csv"
    table.write_text("question,answer\nName a river.,Amazon\nName a lake.,Como\n")

    assert load_seeds(written(tmp_path / "rows.jsonl", row)).notes == [
        "rows whose context and response are read as input and output: 1",
        "rows whose field 'category' is left out: 1",
    ]
    assert load_seeds(table).notes == ["rows whose question and answer are read as instruction and output: 2"]


def test_a_list_of_texts_is_a_conversation(tmp_path: Path) -> None:
    path = written(tmp_path / "lima.jsonl", {"conversations": ["Name a river.", "Amazon"], "source": "x"})

    (task,) = load_seeds(path).tasks
    assert (task.instruction, task.instances[0].output) == ("Name a river.", "Amazon")
    assert len(read_dataset(path, chat=True).train[0].messages) == 2
    with pytest.raises(SproutError, match=r"messages.0: expected a message with a role and a content"):
        load_seeds(written(tmp_path / "mt_bench.jsonl", {"turns": ["Name a river.", "And another one."]}))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"problem": "a", "solution": "b", "answer": "c"}, "answer and solution can each be the output; rename the one that is, and drop the others"),
        ({"instruction": "a", "question": "b", "answer": "c"}, "instruction and question can each be the instruction; rename"),
        ({"question": "a", "context": "b", "input": "c", "answer": "d"}, "input and context can each be the input; rename"),
        ({"question": "a", "choices": ["b", "c"], "answer": 1}, "choices is a part of the question that a task has no field for; write it into the"),
        ({"question": "a", "passage": "b", "answer": True}, "passage is a part of the question"),
        ({"question": "a", "answer": {"text": ["b"]}}, "answer would be the output, and holds no text (found {'text': ['b']})"),
        ({"id": "x", "inputs": [3, 5], "targets": [7]}, "inputs would be the instruction, and holds no text (found [3, 5])"),
        ({"input": "a", "response": "b"}, "instruction is missing; there are input, response"),
        ({"source": "a", "translation": "b"}, "there are 'source', 'translation'; name them instruction, input and output"),
        ({"prompt": "a", "chosen": "b", "rejected": "c", "response": "d"}, "chosen and rejected are two answers, and a task has one"),
    ],
)  # fmt: skip
def test_names_that_may_mean_something_else_are_refused_in_one_sentence(
    tmp_path: Path, row: dict[str, Any], said: str
) -> None:
    path = written(tmp_path / "rows.jsonl", row)

    with pytest.raises(SproutError) as error:
        load_seeds(path)
    assert str(error.value).startswith(f"{path}:1: {said}")


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"system": "Be brief.", "question": "Where?"}, "Be brief.\n\nWhere?"),  # Intel's orca_dpo_pairs
        ({"system": "", "question": "Where?"}, "Where?"),
        ({"instruction": "Name it.", "input": "Peru"}, "Name it.\n\nPeru"),  # LLaMA-Factory
        ({"prompt": "Where?", "system": "Be brief."}, "Be brief.\n\nWhere?"),
    ],
)
def test_two_answers_have_a_prompt_by_whatever_name(tmp_path: Path, row: dict[str, Any], prompt: str) -> None:
    path = written(tmp_path / "pairs.jsonl", row | {"chosen": "a", "rejected": "b"})

    assert [dict(one) for one in read_dataset(path, chat=False, preference=True).train] == [
        {"prompt": prompt, "chosen": "a", "rejected": "b"}
    ]


def test_two_answers_that_are_the_same_are_counted_as_such(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "pairs.jsonl", {"prompt": "Where?", "chosen": "a", "rejected": "a"})

    assert not read_dataset(path, chat=False, preference=True).train
    assert "rows without two answers that differ, which are left out: 1" in caplog.text
