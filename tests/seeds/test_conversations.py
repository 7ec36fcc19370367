"""Conversations: who speaks, what was marked, and what stands beside them."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import SproutError
from pipeline.dataset.read import read_dataset
from pipeline.seeds.read import Seeds, load_seeds

ASKED = {"from": "human", "value": "Hi?"}
LEFT_OUT = "conversations whose first answer is marked not to be trained on, and that are left out"
OTHER = {"instruction": "Name a sea.", "output": "North Sea"}


def read(folder: Path, *rows: Any) -> Seeds:
    path = folder / "seeds.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return load_seeds(path)


def shown(seeds: Seeds) -> list[tuple[str, str, str]]:
    return [(task.instruction, one.input, one.output) for task in seeds.tasks for one in task.instances]


def turns(*given: tuple[str, Any], **marks: Any) -> dict[str, Any]:
    """A conversation whose first answer has these marks."""
    messages = [{"role": role, "content": content} for role, content in given]
    next(one for one in messages if one["role"] == "assistant").update(marks)
    return {"messages": messages}


@pytest.mark.parametrize("user", ["user", "User", "human", "Human ", "HUMAN", "customer", "client", "prompter"])
@pytest.mark.parametrize("assistant", ["assistant", "Assistant", "gpt", "GPT", "chatgpt", "bot", "Bot", "ai", "AI", "model", "Chatbot", "agent", "AI Assistant", "Assistant:", "gpt-4o-mini", "claude-3", "助手"])  # fmt: skip
def test_roles_are_known_by_many_names(tmp_path: Path, user: str, assistant: str) -> None:
    row = {"conversations": [{"from": user, "value": "Hi?"}, {"from": assistant, "value": "Ho."}]}

    assert shown(read(tmp_path, row)) == [("Hi?", "", "Ho.")]


@pytest.mark.parametrize("role", ["berater", "", "narrator", 3, None, ["user"]])
def test_a_role_that_is_not_known_is_named(tmp_path: Path, role: Any) -> None:
    with pytest.raises(
        SproutError, match=r":1: messages\.1: the role .* is not known; name it user, assistant, sys"
    ) as error:
        read(tmp_path, {"messages": [{"role": "user", "content": "Hi?"}, {"role": role, "content": "Ho."}]})
    assert repr(role) in str(error.value)


@pytest.mark.parametrize("container", ["messages", "conversations", "conversation", "dialogue", "dialog", "turns"])
@pytest.mark.parametrize(
    ("role", "content"), [("role", "content"), ("from", "value"), ("speaker", "text"), ("author", "message")]
)
def test_messages_are_known_by_many_names(tmp_path: Path, container: str, role: str, content: str) -> None:
    row = {container: [{role: "user", content: "Hi?"}, {role: "bot", content: "Ho."}]}

    assert shown(read(tmp_path, row)) == [("Hi?", "", "Ho.")]


@pytest.mark.parametrize(
    "messages",
    [
        [ASKED, {"from": "bot", "value": 7}],
        [ASKED, {"from": "bot", "value": ["7"]}],
        [ASKED, {"from": "bot", "value": [{"type": "text", "text": "7"}]}],
        [ASKED, {"from": "bot", "value": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "7"}]}],
        json.dumps([ASKED, {"from": "bot", "value": "7"}]),
        {"from": ["human", "bot"], "value": ["Hi?", "7"]},
    ],
)
def test_contents_are_texts_numbers_or_parts_and_messages_a_list_a_text_or_columns(
    tmp_path: Path, messages: Any
) -> None:
    assert shown(read(tmp_path, {"messages": messages})) == [("Hi?", "", "7")]


@pytest.mark.parametrize(
    "mark",
    [
        {"weight": 0}, {"weight": 0.0}, {"weight": "0"}, {"train": False}, {"train": "false"}, {"loss": False}, {"loss": 0},
        {"loss_mask": 0}, {"loss_weight": 0}, {"trainable": False}, {"training": False}, {"train_on_turn": False},
        {"masked": True}, {"mask": True}, {"masked": 1}, {"ignore": True}, {"weight": 1, "train": False},
        {"is_trained": False}, {"include_in_loss": False}, {"no_train": True}, {"train_on": "no"},
    ],
)  # fmt: skip
def test_an_answer_that_is_marked_never_becomes_an_output(tmp_path: Path, mark: dict[str, Any]) -> None:
    first, second = ("user", "Tell me of rain."), ("assistant", "Bad answer.")
    row = turns(first, second, ("user", "Properly, please."), ("assistant", "Rain falls."), **mark)
    seeds = read(tmp_path, row, turns(("user", "Hi?"), ("assistant", "Ho.")))

    assert shown(seeds) == [("Hi?", "", "Ho.")]
    assert f"{LEFT_OUT}: 1" in seeds.notes
    with pytest.raises(SproutError, match=rf"no seed tasks in it \({LEFT_OUT}: 1\); write"):
        read(tmp_path, row)


@pytest.mark.parametrize(
    "mark", [{"weight": 0}, {"train": False}, {"loss": False}, {"masked": True}, {"trainable": "false"}]
)
def test_a_row_that_is_marked_is_left_out(tmp_path: Path, mark: dict[str, Any]) -> None:
    seeds = read(tmp_path, OTHER | mark, OTHER | {"output": "Red Sea"})

    assert shown(seeds) == [("Name a sea.", "", "Red Sea")]
    assert "rows that are marked not to be trained on, and are left out: 1" in seeds.notes


@pytest.mark.parametrize(
    "mark",
    [
        {"weight": 1},
        {"weight": 0.5},
        {"train": True},
        {"loss": None},
        {"masked": False},
        {"mask": 0},
        {"loss_mask": 1},
        {"skip": False},
    ],
)
def test_an_answer_that_is_marked_to_be_trained_on_is_taken(tmp_path: Path, mark: dict[str, Any]) -> None:
    assert shown(read(tmp_path, turns(("user", "Hi?"), ("assistant", "Ho."), **mark))) == [("Hi?", "", "Ho.")]


HI = [ASKED, {"from": "gpt", "value": "Ho."}]
SYSTEM = {"from": "system", "value": "Be a pirate."}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"conversations": [SYSTEM, *HI]}, ("Be a pirate.\n\nHi?", "", "Ho.")),
        ({"conversations": HI, "system": "Be a pirate."}, ("Be a pirate.\n\nHi?", "", "Ho.")),
        ({"conversations": [SYSTEM, *HI], "system": "Be a pirate."}, ("Be a pirate.\n\nHi?", "", "Ho.")),
        ({"conversations": HI, "system_prompt": "Be a pirate."}, ("Be a pirate.\n\nHi?", "", "Ho.")),
        ({"conversations": HI, "system": "You are a helpful assistant."}, ("Hi?", "", "Ho.")),
        ({"conversations": HI, "system": ""}, ("Hi?", "", "Ho.")),
        ({"conversations": HI, "system": None}, ("Hi?", "", "Ho.")),
        ({"instruction": "Hi?", "input": "x", "output": "Ho.", "system": "Be a pirate."}, ("Be a pirate.\n\nHi?", "x", "Ho.")),
        ({"prompt": "Hi?", "completion": " Ho.", "system": "Be a pirate."}, ("Be a pirate.\n\nHi?", "", "Ho.")),
        ({"instruction": "Why?", "output": "So.", "history": [["Hi?", "Ho."]]}, ("Hi?", "", "Ho.")),
        ({"instruction": "Why?", "output": "So.", "history": [["Hi?", "Ho."]], "system": "Be a pirate."}, ("Be a pirate.\n\nHi?", "", "Ho.")),
        ({"instruction": "Why?", "output": "So.", "history": HI}, ("Hi?", "", "Ho.")),
        ({"instruction": "Why?", "output": "So.", "history": json.dumps([["Hi?", "Ho."]])}, ("Hi?", "", "Ho.")),
        ({"instruction": "Hi?", "output": "Ho.", "history": []}, ("Hi?", "", "Ho.")),
        ({"instruction": "Hi?", "output": "Ho.", "history": None}, ("Hi?", "", "Ho.")),
    ],
)  # fmt: skip
def test_what_stands_beside_is_treated_as_the_messages_before(
    tmp_path: Path, row: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    assert shown(read(tmp_path, row)) == [expected]


@pytest.mark.parametrize("name", ["messages", "conversations", "dialogue"])
def test_a_cell_of_a_table_may_hold_a_conversation(tmp_path: Path, name: str) -> None:
    path = tmp_path / "s.csv"
    cell = json.dumps(HI).replace('"', '""')
    path.write_text(f'{name},system,history\n"{cell}",Be a pirate.,\n')

    assert shown(load_seeds(path)) == [("Be a pirate.\n\nHi?", "", "Ho.")]


def test_a_history_is_said(tmp_path: Path) -> None:
    seeds = read(tmp_path, {"instruction": "Why?", "output": "So.", "history": [["Hi?", "Ho."]]})

    assert "rows with a history, of which the first question and answer are taken: 1" in seeds.notes


@pytest.mark.parametrize(
    "call",
    [
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "w"}}]},
        {"role": "assistant", "tool_calls": [{"function": {"name": "w"}}]},
        {"role": "assistant", "content": "Let me look.", "tool_calls": [{"function": {"name": "w"}}]},
        {"role": "assistant", "content": "", "function_call": {"name": "w"}},
        {"from": "function_call", "value": "{}"},
    ],
)
def test_a_call_of_a_tool_is_no_answer_whatever_its_form(tmp_path: Path, call: dict[str, Any]) -> None:
    talk = [
        {"role": "user", "content": "Hot?"},
        call,
        {"role": "tool", "content": "5"},
        {"role": "bot", "content": "No."},
    ]

    task = read(tmp_path, {"messages": talk}).tasks[0]
    assert (task.instruction, task.instances[0].output) == ("Hot?", "No.")
    with pytest.raises(SproutError, match=r"seeds.jsonl:1: a message with tool calls, which are not trained on"):
        read_dataset(tmp_path / "seeds.jsonl", chat=True)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"conversations": [{"from": "human", "value": "<image>Who?"}, {"from": "gpt", "value": "She."}], "images": ["a.png"]}, "<image> in it stands for what is in images; leave the row out"),
        ({"instruction": "Who?", "input": "<video>", "output": "She.", "video": "a.mp4"}, "<video> in it stands for what is in video"),
        ({"instruction": "Why?", "output": "So.", "history": "Hi?"}, "history.0: a question and its answer, or a message, is expected (found 'Hi?')"),
        ({"instruction": "Why?", "output": "So.", "history": [["Hi?"]]}, "history.0: a question and its answer"),
        ({"instruction": "Why?", "output": "So.", "system": ["x"]}, "system: input should be a valid string (found ['x'])"),
        ({"messages": ["Hi?", "Ho."]}, "messages.0: expected a message with a role and a content (found 'Hi?')"),
        ({"messages": [{"role": "user"}]}, "messages.0: content is missing; there are role"),
        ({"messages": [{"content": "Hi?"}, {"role": "bot", "content": "Ho."}]}, "messages.0: role is missing; there are content"),
        ({"messages": [{"role": "user", "content": {"a": 1}}]}, "messages.0.content: input should be a valid string (found {'a': 1})"),
        ({"messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": None, "tool_calls": [1]}]}, "no message of the assistant, so no output"),
        ({"messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "<think>Hm"}]}, "the output is empty once its thoughts are removed"),
        ({"messages": {"from": ["user", "bot"], "value": ["Hi?"]}}, "messages: the columns are not equally long"),
        ({"messages": []}, "no message of the assistant, so no output"),
        ({"messages": "[oops"}, "messages: input should be a valid list (found '[oops')"),
    ],
)  # fmt: skip
def test_what_is_no_conversation_gets_one_sentence(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    with pytest.raises(SproutError) as error:
        read(tmp_path, row)
    assert f"seeds.jsonl:1: {said}" in str(error.value)
