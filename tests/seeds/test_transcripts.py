"""Conversations that are no list of messages: texts that name their speakers, Gemini's parts, an answer beside."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from pipeline import SproutError
from pipeline.dataset.read import read_dataset
from pipeline.seeds.draw import Draw
from pipeline.seeds.read import load_seeds

ASKED = {"role": "user", "content": "Hi?"}
SAID = [ASKED, {"role": "assistant", "content": "Ho."}]
TWO = "\n\nHuman: Hi?\n\nAssistant: Ho.\n\nHuman: And\n\nnow?\n\nAssistant: No: "


def written(folder: Path, *rows: Any, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def parts(*texts: str) -> list[dict[str, Any]]:
    return [{"text": text} for text in texts]


@pytest.mark.parametrize(
    ("row", "instruction"),
    [
        ({"text": "\n\nHuman: Hi?\n\nAssistant: Ho."}, "Hi?"),
        ({"text": "### Human: Hi?### Assistant: Ho.### Human: More?### Assistant: No."}, "Hi?"),
        ({"text": "### Human: Hi?\n\n### Assistant:\nHo.", "source": "x"}, "Hi?"),
        ({"prompt": "\n\nHuman: Hi?\n\nAssistant:", "completion": " Ho."}, "Hi?"),
        ({"instruction": "Human: Hi?\n\nAssistant: ", "output": "Ho."}, "Hi?"),
        ({"contents": [{"role": "user", "parts": parts("Hi", "?")}, {"role": "model", "parts": parts("Ho.")}]}, "Hi?"),
        ({"messages": [{"role": "user", "parts": ["Hi?"]}, {"role": "model", "parts": "Ho."}]}, "Hi?"),
        ({"systemInstruction": {"role": "system", "parts": parts("Be brief.")},
          "contents": [{"role": "user", "parts": parts("Hi?")}, {"role": "model", "parts": parts("Ho.")}]}, "Be brief.\n\nHi?"),
        ({"contents": [{"role": "user", "parts": parts("Hi?")}, {"role": "model", "parts": [{"text": "Hm", "thought": True}, *parts("Ho.")]}]}, "Hi?"),
        ({"uuid": "1", "chat_messages": [{"sender": "human", "text": "Hi?"}, {"sender": "assistant", "text": "Ho."}]}, "Hi?"),
        ({"prompt": [ASKED], "completion": "Ho."}, "Hi?"),
        ({"input": [ASKED], "output": "Ho.", "system_prompt": "Be brief."}, "Be brief.\n\nHi?"),
        ({"messages": [ASKED], "generation": "Ho."}, "Hi?"),
    ],
)  # fmt: skip
def test_each_form_of_a_conversation_is_a_task_and_a_row_to_train_on(
    tmp_path: Path, row: dict[str, Any], instruction: str
) -> None:
    path = written(tmp_path, row)
    (task,) = load_seeds(path).tasks
    (drawn,) = Draw(str(path), {}, 0).take(1)
    (chat,) = read_dataset(path, chat=True).train

    assert (task.instruction, drawn.instruction) == (instruction, instruction)
    assert [one.output for one in (*task.instances, *drawn.instances)] == ["Ho.", "Ho."]
    assert next(one["content"] for one in chat.messages if one["role"] == "user") == "Hi?"  # type: ignore[union-attr]
    assert chat.messages[-1]["content"] in ("Ho.", "No.")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    ["Human: is a word.", "Assistant: Ho.\n\nHuman: Hi?", "A human: a\n\nAssistant: b", "## Human: a\n## Assistant: b"],
)
def test_a_text_that_only_looks_like_a_conversation_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    (task,) = load_seeds(written(tmp_path, {"instruction": text, "output": text})).tasks

    assert (task.instruction, task.instances[0].output) == (text, text)
    with pytest.raises(SproutError, match=r":1: there are 'text'; name them"):
        load_seeds(written(tmp_path, {"text": text}))


@pytest.mark.parametrize(
    ("row", "before", "answers"),
    [
        ({"chosen": TWO + "a", "rejected": TWO + "b"}, ["Hi?", "Ho.", "And\n\nnow?"], ("No: a", "No: b")),
        ({"prompt": "\n\nHuman: Hi?\n\nAssistant:", "chosen": " a", "rejected": " b"}, ["Hi?"], ("a", "b")),
        ({"prompt": [ASKED], "chosen": "a", "rejected": "b"}, ["Hi?"], ("a", "b")),
        ({"prompt": "Hi?", "chosen": [{"role": "assistant", "content": "a"}], "rejected": "b"}, ["Hi?"], ("a", "b")),
    ],
)
def test_pairs_of_answers_are_read_whatever_form_their_conversation_has(
    tmp_path: Path, row: dict[str, Any], before: list[str], answers: tuple[str, str]
) -> None:
    (pair,) = read_dataset(written(tmp_path, row), chat=True, preference=True).train

    assert [one["content"] for one in pair.prompt] == before  # type: ignore[union-attr,index]
    assert (pair.chosen, pair.rejected) == answers  # type: ignore[union-attr]


def test_pairs_that_answer_different_messages_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"chosen": TWO + "a", "rejected": TWO.replace("Ho.", other) + "b"} for other in ("Ho.", "He.")]

    assert len(read_dataset(written(tmp_path, *rows), chat=True, preference=True).train) == 1
    assert "rows whose chosen and rejected answer different messages, which are left out: 1" in caplog.text


def test_a_base_model_keeps_the_prompt_as_it_is_written(tmp_path: Path) -> None:
    prompt = "\n\nHuman: Hi?\n\nAssistant:"
    (row,) = read_dataset(written(tmp_path, {"prompt": prompt, "completion": " Ho."}), chat=False).train

    assert (row.prompt, row.completion) == (prompt, " Ho.")  # type: ignore[union-attr]


def test_what_was_read_as_a_conversation_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    read_dataset(written(tmp_path, {"chosen": TWO + "a", "rejected": TWO + "b"}), chat=True, preference=True)
    read_dataset(written(tmp_path, {"input": [ASKED], "output": "Ho."}), chat=True)

    assert "rows in whose chosen and rejected Human: and Assistant: say who speaks, read as messages: 1" in caplog.text
    assert "rows whose output is read as the answer to the messages in input: 1" in caplog.text


@pytest.mark.parametrize(
    "call",
    [
        {"role": "assistant", "content": [{"type": "text", "text": "Wait."}, {"type": "tool_use", "id": "1", "input": {}}]},
        {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "42"}]},
    ],
)  # fmt: skip
def test_a_call_of_a_tool_among_the_parts_is_no_answer(tmp_path: Path, call: dict[str, Any]) -> None:
    path = written(tmp_path, {"messages": [ASKED, call, SAID[1]]})
    seeds = load_seeds(path)

    assert seeds.notes == ["messages of tools that are left out: 1"]
    assert [(task.instruction, task.instances[0].output) for task in seeds.tasks] == [("Hi?", "Ho.")]
    with pytest.raises(SproutError, match="a message with tool calls, which are not trained on"):
        read_dataset(path, chat=True)


@pytest.mark.parametrize(
    "cells",
    [f'messages\n"{SAID}"\n', 'text\n"### Human: Hi?\n### Assistant: Ho."\n', f'prompt,completion\n"{[ASKED]}",Ho.\n'],
)
def test_cells_may_hold_a_conversation_as_pandas_writes_it_or_as_one_text(tmp_path: Path, cells: str) -> None:
    path = tmp_path / "seeds.csv"
    path.write_text(cells)
    (task,) = load_seeds(path).tasks

    assert (task.instruction, task.instances[0].output) == ("Hi?", "Ho.")
