"""Rows that lack an answer, or part of one: left out and counted, wherever they stand, and never learned."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import SproutError
from pipeline.dataset.read import read_dataset

ALPACA = {"instruction": "Do.", "output": "y"}
PAIR = {"prompt": "Do.", "chosen": "a", "rejected": "b"}


def written(folder: Path, *rows: Any) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.mark.parametrize(
    ("whole", "without"),
    [
        (ALPACA, ALPACA | {"output": None}),
        (ALPACA, ALPACA | {"output": " "}),
        ({"question": "Do.", "answer": "y"}, {"question": "Do.", "answer": None}),
        ({"prompt": "Do.", "completion": "y"}, {"prompt": "Do.", "completion": None}),
        (PAIR, PAIR | {"rejected": None}),
        (PAIR, PAIR | {"chosen": None}),
        (PAIR, PAIR | {"chosen": None, "rejected": None}),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_row_whose_answer_is_null_is_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, whole: dict[str, Any], without: dict[str, Any], first: bool
) -> None:
    path = written(tmp_path, *([without, whole] if first else [whole, without]))
    rows = read_dataset(path, chat=True, preference="chosen" in whole)

    assert len(rows.train) == 1
    lack = "two answers that differ" if "chosen" in whole else "an answer"
    assert f"{path}: rows without {lack}, which are left out: 1" in caplog.messages


def test_a_null_beside_an_answer_of_another_name_is_no_lack(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "Do."}, {"role": "assistant", "content": "y"}]
    path = written(tmp_path, {"messages": said, "output": None}, {"messages": said, "output": None, "chosen": None})

    assert len(read_dataset(path, chat=True).train) == 2
    with pytest.raises(SproutError, match="a row in no known format"):
        read_dataset(written(tmp_path, {"prompt": "Do.", "accepted": "a", "rejected": "b"}), chat=True, preference=True)


def test_an_empty_answer_within_a_conversation_is_not_learned(tmp_path: Path) -> None:
    roles = ("user", "assistant", "user", "assistant", "user", "assistant")
    said = [{"role": role, "content": text} for role, text in zip(roles, ("a", " ", "b", "c", "d", ""), strict=True)]
    (row,) = read_dataset(written(tmp_path, {"messages": said}), chat=True).train

    assert row.answers == (3,)  # type: ignore[union-attr]
    assert len(row.as_chat().messages) == 4  # type: ignore[union-attr]
