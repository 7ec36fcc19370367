"""A dataset is read for a base model and for a chat model, whichever format it is in."""

import gzip
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from pipeline.dataset.content import ChatRow, TextRow
from pipeline.dataset.files import Parquet
from pipeline.dataset.formats.find import shipped_formats
from pipeline.dataset.read import read_dataset
from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.runs.context import Context
from pipeline.seeds.draw import Draw
from pipeline.stages.export import Export
from pipeline.task import Instance, Task

SEEDS = [Task(id="seed_1", instruction="Add.", is_classification=False, instances=(Instance(input="1 1", output="2"),))]
TASKS = [
    Task(
        id=f"task_{n}",
        instruction=f"Do {n}.",
        is_classification=False,
        instances=(Instance(input=f"x {n}", output=f"y {n}"), Instance(output=f"z {n}")),
    )
    for n in range(20)
]
PLAIN = ["Do 1.\n\nx\n\n", "y"]
CHAT = [["user", "Do 1.\n\nx"], ["assistant", "y"]]


def export(folder: Path, *formats: str, **settings: Any) -> Path:
    stage = Export.model_validate({"formats": formats, "encoding": "plain", "validation_share": 0.3} | settings)
    stage.make(TASKS, Context(seeds=SEEDS, engine=Scripted(lambda request: ""), folder=folder))
    return folder / "dataset"


def texts(rows: Any) -> list[list[str]]:
    assert all(isinstance(row, TextRow) for row in rows)
    return [[row.prompt, row.completion] for row in rows]


def said(rows: Any) -> list[list[list[str]]]:
    assert all(isinstance(row, ChatRow) for row in rows)
    return [[[message["role"], message["content"]] for message in row.messages] for row in rows]


def turns(row: list[str]) -> list[list[str]]:
    return [["user", row[0].strip()], ["assistant", row[1]]]


@pytest.mark.parametrize("name", [name for name, one in shipped_formats().items() if not one.of_answers])
def test_every_format_of_a_run_gives_both_kinds_of_model_the_same_rows_and_splits(tmp_path, name):
    right = read_dataset(export(tmp_path / "plain", "prompt_completion"), chat=False)
    rows, chat = (read_dataset(export(tmp_path, name), chat=chat) for chat in (False, True))
    ordered: Any = sorted if name == "seeds" else list  # whose lines are whole tasks

    assert len(right.train) + len(right.validation) == 41
    assert ordered(texts(rows.train)) == ordered(texts(right.train))
    assert ordered(texts(rows.validation)) == ordered(texts(right.validation))
    assert ordered(said(chat.train)) == ordered(map(turns, texts(right.train)))
    assert ordered(said(chat.validation)) == ordered(map(turns, texts(right.validation)))


@pytest.mark.parametrize(
    ("formats", "chat", "told"),
    [
        (("alpaca", "prompt_completion"), False, ""),
        (("prompt_completion", "messages"), True, ""),
        (("prompt_completion", "alpaca"), True, ""),
        (("messages", "alpaca"), False, "rows of the format alpaca are put in the plain encoding for a base model"),
        (("messages",), False, "rows of the format messages are put in the plain encoding for a base model"),
        (("prompt_completion",), True, "are put as the messages of a user and an assistant"),
    ],
)
def test_of_several_formats_the_one_that_suits_the_model_is_read_and_what_is_changed_is_said_once(
    tmp_path, caplog, formats, chat, told
):
    folder = export(tmp_path, *formats)
    caplog.clear()
    caplog.set_level(logging.INFO, "pipeline.dataset.read")
    read_dataset(folder, chat)

    assert len(caplog.messages) == bool(told)
    assert told in "".join(caplog.messages)


def test_the_prompts_of_a_base_model_are_those_that_were_exported(tmp_path):
    folder = export(tmp_path, "alpaca", "prompt_completion", encoding="random")
    lines = [json.loads(line) for line in (folder / "prompt_completion.jsonl").read_text("utf-8").splitlines()]

    assert texts(read_dataset(folder, False).train) == [[line["prompt"], line["completion"]] for line in lines]
    assert any(line["prompt"].endswith("Output:") for line in lines)


FOREIGN = {
    "alpaca": {"instruction": "Do 1.", "input": "x", "output": "y"},
    "prompt_completion": {"prompt": "Do 1.\n\nx\n\n", "completion": "y"},
    "chat_prompt_completion": {
        "prompt": [{"role": "user", "content": "Do 1.\n\nx"}],
        "completion": [{"role": "assistant", "content": "y"}],
    },
    "messages": {"messages": [{"role": "user", "content": "Do 1.\n\nx"}, {"role": "assistant", "content": "y"}]},
    "openai": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Do 1.\n\nx"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "y"}], "weight": 1},
        ]
    },
    "sharegpt": {"conversations": [{"from": "human", "value": "Do 1.\n\nx"}, {"from": "gpt", "value": "y"}]},
    "seeds": {"id": "1", "instruction": "Do 1.", "instances": [{"input": "x", "output": "y"}]},
}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    text = json.dumps(rows, indent=1) if path.suffix == ".json" else "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".parquet":
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("row", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("file", ["rows.json", "rows.jsonl", "rows.parquet", "rows.jsonl.gz"])
def test_a_file_from_anywhere_is_read_by_the_fields_of_its_rows(tmp_path, file, row):
    path = write(tmp_path / file, [row, row])

    assert texts(read_dataset(path, False).train) == [PLAIN, PLAIN]
    assert said(read_dataset(path, True).train) == [CHAT, CHAT]
    assert not read_dataset(path, True).validation


def test_a_folder_of_files_is_read_with_its_validation_split(tmp_path):
    write(tmp_path / "train.jsonl", [FOREIGN["alpaca"]] * 2)
    write(tmp_path / "validation.jsonl", [FOREIGN["alpaca"]])
    rows = read_dataset(tmp_path, False)

    assert (texts(rows.train), texts(rows.validation)) == ([PLAIN, PLAIN], [PLAIN])


def test_the_folder_of_a_run_stands_for_its_dataset(tmp_path):
    export(tmp_path, "alpaca")

    assert read_dataset(tmp_path, False) == read_dataset(tmp_path / "dataset", False)


def test_a_downloaded_dataset_is_read_from_its_parquet_files_alone(tmp_path):
    folder = export(tmp_path, "alpaca")
    right = read_dataset(folder, True)
    for path in [*folder.glob("*.jsonl"), folder / "dataset.json"]:
        path.unlink()

    assert read_dataset(folder, True) == right


def test_all_turns_are_kept_for_a_chat_model_and_for_a_base_model_they_are_the_prompt_of_the_last_answer(
    tmp_path, caplog
):
    caplog.set_level(logging.INFO, "pipeline.dataset.read")
    conversation = [("system", "Be brief."), ("human", "Hi."), ("gpt", "Ho."), ("human", "So?"), ("gpt", "Yes."), ("human", "Oh")]  # fmt: skip
    path = write(tmp_path / "a.json", [{"conversations": [{"from": who, "value": text} for who, text in conversation]}])

    assert said(read_dataset(path, True).train) == [
        [["system", "Be brief."], ["user", "Hi."], ["assistant", "Ho."], ["user", "So?"], ["assistant", "Yes."]]
    ]
    assert texts(read_dataset(path, False).train) == [["Be brief.\n\nHi.\n\nHo.\n\nSo?\n\n", "Yes."]]
    assert "with all that is said before the last answer as the prompt" in caplog.text


def test_a_system_message_beside_the_row_comes_first(tmp_path):
    alpaca = write(tmp_path / "a.json", [FOREIGN["alpaca"] | {"system": "Be brief."}])
    sharegpt = write(tmp_path / "b.json", [FOREIGN["sharegpt"] | {"system": "Be brief."}])

    for path in (alpaca, sharegpt):
        assert said(read_dataset(path, True).train) == [[["system", "Be brief."], *CHAT]]
        assert texts(read_dataset(path, False).train) == [["Be brief.\n\nDo 1.\n\nx\n\n", "y"]]


def test_what_is_marked_not_to_be_trained_on_is_not_learned(tmp_path, caplog):
    turns = [("user", "Hi."), ("assistant", "Ho."), ("user", "So?"), ("assistant", "Yes.")]
    messages = [{"role": role, "content": content, "weight": int(content != "Ho.")} for role, content in turns]
    path = write(tmp_path / "a.jsonl", [{"messages": messages}, {"messages": messages, "train": False}])
    (row,) = read_dataset(path, True).train

    assert isinstance(row, ChatRow)
    assert row.answers == (3,)
    assert "rows that are marked not to be trained on, and are left out: 1" in caplog.text


def test_a_history_is_said_before_the_question(tmp_path):
    path = write(tmp_path / "a.json", [FOREIGN["alpaca"] | {"system": "Be brief.", "history": [["Hi.", "Ho."]]}])

    assert said(read_dataset(path, True).train) == [
        [["system", "Be brief."], ["user", "Hi."], ["assistant", "Ho."], *CHAT]
    ]
    assert texts(read_dataset(path, False).train) == [["Be brief.\n\nHi.\n\nHo.\n\nDo 1.\n\nx\n\n", "y"]]


def test_a_part_of_a_file_or_folder_can_be_named(tmp_path):
    write(tmp_path / "test.jsonl", [FOREIGN["alpaca"]])
    lists = tmp_path / "lists.txt"
    lists.write_text(json.dumps({"mine": [FOREIGN["alpaca"]], "theirs": [FOREIGN["alpaca"]] * 2}))

    assert texts(read_dataset(f"{tmp_path}@test", False).train) == [PLAIN]
    assert texts(read_dataset(f"{lists}@theirs", False).train) == [PLAIN, PLAIN]


def test_rows_without_an_answer_are_left_out_and_fields_that_say_nothing_are_named_once(tmp_path, caplog):
    rows = [
        FOREIGN["alpaca"],
        FOREIGN["alpaca"] | {"output": " "},
        {"instruction": "Do.", "output": "", "source": "web"},
    ]

    assert texts(read_dataset(write(tmp_path / "a.jsonl", rows), False).train) == [PLAIN]
    assert [message.partition("a.jsonl: ")[2] for message in caplog.messages] == [
        "rows without an answer, which are left out: 2",
        "fields that are not trained on: source",
    ]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (["{"], r"a.jsonl:1: not JSON"),
        (['{"instruction": "a", "output": "b"}', "", "[1]"], r"a.jsonl:3: an object with the fields"),
        (['{"question": "a"}'], r"a.jsonl:1: a row in no known format \(its fields: 'question'\); there are alpaca, "),
        (['{"instruction": "a", "output": "b"}', '{"instruction": "a"}'], r"a.jsonl:2: .* alpaca: output is missing"),
        (['{"instruction": [3], "output": "b"}'], r"a.jsonl:1: .* alpaca: instruction: .*valid string \(found \[3\]\)"),
        (['{"messages": [{"role": "oracle", "content": "a"}]}'], r"a.jsonl:1: messages.0: the role 'oracle' is not"),
        (['{"messages": [{"role": "user"}]}'], r"a.jsonl:1: messages.0: content is missing"),
        (['{"messages": 7}'], r"a.jsonl:1: messages: input should be a valid list"),
        (
            ['{"messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": 1}]}]}'],
            r"a.jsonl:1: a message with tool calls, which are not trained on",
        ),
        ([""], r"a.jsonl.*"),
    ],
)
def test_a_row_that_cannot_be_read_is_told_with_its_line(tmp_path, rows, problem):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(rows) + "\n")

    if rows == [""]:
        assert not read_dataset(path, False).train  # the training says that there is nothing
        return
    with pytest.raises(SproutError, match=problem) as error:
        read_dataset(path, False)
    assert "\n" not in str(error.value)


def test_what_is_no_dataset_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SproutError, match=r"nowhere: there is no such dataset; run `sprout export`"):
        read_dataset(tmp_path / "nowhere", False)
    with pytest.raises(SproutError, match=r"empty: cannot be read \(Is a directory\); give a file or folder of rows"):
        read_dataset(tmp_path / "empty", False)
    (tmp_path / "a.jsonl").write_bytes(b'{"instruction": "\xff"}\n')
    with pytest.raises(SproutError, match=r"a.jsonl:1: byte 0xff at column 18 is not UTF-8"):
        read_dataset(tmp_path / "a.jsonl", False)


def test_what_is_said_of_how_rows_are_read_is_said_of_a_training_too(tmp_path, caplog):
    rows = [{"prompt": "Do.", "completion": "x", "label": True}, {"prompt": "Do.", "completion": "y", "label": False}]
    (tmp_path / "all").mkdir()
    write(tmp_path / "all" / "test.jsonl", [FOREIGN["alpaca"]])

    assert len(read_dataset(write(tmp_path / "a.jsonl", rows), False).train) == 1
    assert len(read_dataset(tmp_path / "all", False).train) == 1
    assert [message.partition(": ")[2] for message in caplog.messages if "alpaca" not in message] == [
        "completions that are labelled false, which are left out: 1",
        "fields that are not trained on: label",
        "rows of the split test, the only one: 1",
    ]


def test_a_folder_may_have_a_colon_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("10:30/x.parquet")
    path.parent.mkdir()
    writer = Parquet(path)
    writer.write([FOREIGN["alpaca"]])
    writer.close()

    assert texts(read_dataset(str(path), False).train) == [PLAIN]
    assert len(Draw(str(path), {}, 0)) == 1
