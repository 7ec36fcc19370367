"""Files as scripts, editors and libraries leave them: what is read all the same, and what is said of the rest."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pyarrow
import pytest
from pyarrow import ipc, parquet

from pipeline.errors import SproutError
from pipeline.evaluation.heldout import read_heldout
from pipeline.passages.notes import Notes
from pipeline.passages.read import Texts
from pipeline.seeds.draw import Draw
from pipeline.seeds.read import load_seeds

GO = '{"instruction": "Go.", "output": "Gone."}'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"instruction": "Go.", "output": "a", "output": "b"}', ":2: the field 'output' is there twice, with different values; delete one of them"),
        ("{'instruction': 'Go.', 'output': 'Gone.'}", ':2: not JSON (expecting property name enclosed in double quotes); put texts in double quotes, "…"'),
        ("{“instruction”: “Go.”}", '; put texts in double quotes, "…"'),
        ('{"instruction": "Go.", "output": "Gone.",}', "; delete the comma before it"),
        ('{"instruction": }', ":2: not JSON (expecting value); each line is one JSON object"),
        ("// mine", "; JSON has no comments; delete them"),
        ("# mine", "; JSON has no comments; delete them"),
        ('{"instruction": "Go.", "input": None, "output": "Gone."}', "; write null, true or false, or put it in double quotes"),
        ('{"instruction": "Go\there.", "output": "Gone."}', r":2: not JSON (invalid control character at column 20); write a line break in a text as \n, and a tab as \t"),
        ('{"instruction": "Go.", "output": "Go', ":2: not JSON ("),
        ("{}", ":2: instruction is missing; there are no fields"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("streamed", [False, True])
def test_what_is_almost_json_is_refused_with_what_to_mend(
    tmp_path: Path, content: str, said: str, streamed: bool
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{GO}\n{content}\n")

    if streamed and content != "{}":
        with pytest.raises(SproutError) as error:
            Draw(str(path), {}, 0)
    else:
        with pytest.raises(SproutError) as error:
            load_seeds(path)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        f"{GO}\n\ufeff{GO.replace('Go', 'Come')}\n",  # files that were joined
        f"\ufeff\ufeff{GO}\n{GO.replace('Go', 'Come')}\n",
        "instruction,output\nGo.,Gone.\n\ufeffInstruction,Output\nCome.,Comene.\n",
        f"[{GO},\n{GO.replace('Go', 'Come')}]",
        "| instruction | input | output |\n|:---|---|---:|\n| Go. | | Gone. |\n| Come. |  | Comene. |\n",
        GO.replace("}", ', "output": "Gone."}') + GO.replace("Go", "Come"),  # a field twice that says the same
    ],
)
def test_what_can_only_mean_one_thing_is_read(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content)

    expected = [("Go.", "Gone."), ("Come.", "Comene.")]
    assert [(task.instruction, task.instances[0].output) for task in load_seeds(path).tasks] == expected
    assert [(one.instruction, one.outputs[0]) for one in read_heldout(path)] == expected
    assert [task.instruction for task in Draw(str(path), {}, 0).take(2)] == ["Go.", "Come."]


@pytest.mark.parametrize("label", [False, "False"])
def test_a_completion_that_is_labelled_bad_never_becomes_an_output(tmp_path: Path, label: object) -> None:
    rows = [{"prompt": f"Say {n}.", "completion": str(n), "label": n != 1 or label} for n in range(3)]
    path = tmp_path / "kto.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    seeds = load_seeds(path)

    assert [task.instruction for task in seeds.tasks] == ["Say 0.", "Say 2."]
    assert "completions that are labelled false, which are left out: 1" in seeds.notes
    assert [one.instruction for one in read_heldout(path)] == ["Say 0.", "Say 2."]


def test_a_column_may_be_named_as_the_table_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("My Question,Answer\nName a sea.,North Sea\n")
    fields = {"instruction": "My Question", "output": "Answer"}

    assert [task.instruction for task in Draw(str(path), fields, 0).take(1)] == ["Name a sea."]
    assert [one.text for one in Texts((str(path),), field="My Question").documents(Notes())] == ["Name a sea."]


def test_a_pipe_that_would_have_to_be_read_twice_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(SproutError, match=r"pipe: is a pipe or a device, which cannot be read twice; save it as a"):
        Draw(str(tmp_path / "pipe"), {}, 0)


def test_columns_that_are_no_text_are_in_nobodys_way(tmp_path: Path) -> None:
    columns = {"instruction": ["Go.", "Come."], "output": ["a", "b"], "image": [b"\x89PNG\xff", None]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "pictures")
    parquet.write_table(pyarrow.table(columns | {"output": [timedelta(1)] * 2}), tmp_path / "times")
    parquet.write_table(pyarrow.table(columns | {"output": [b"a", b"\xff"]}), tmp_path / "bytes")
    seeds = load_seeds(tmp_path / "pictures")

    assert [task.instances[0].output for task in seeds.tasks] == ["a", "b"]
    assert seeds.notes[0] == "rows whose field 'image' is left out: 1"
    assert load_seeds(tmp_path / "times").tasks[0].instances[0].output == "1 day, 0:00:00"
    with pytest.raises(SproutError, match=r"bytes: row 2: output: input should be a valid string"):
        load_seeds(tmp_path / "bytes")
    assert len(Draw(str(tmp_path / "bytes"), {}, 0)) == 1


@pytest.mark.parametrize("kind", ["Parquet", "Arrow"])
def test_two_columns_of_one_name_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "twice"
    arrays = [pyarrow.array(["Go."]), pyarrow.array(["a"]), pyarrow.array(["b"])]
    table = pyarrow.Table.from_arrays(arrays, names=["instruction", "output", "output"])
    if kind == "Parquet":
        parquet.write_table(table, path)
    else:
        with ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)

    for read in (load_seeds, read_heldout, lambda path: Draw(str(path), {}, 0)):
        with pytest.raises(SproutError, match=r"twice: two columns have the same name; there are instruction, output,"):
            read(path)


def test_a_time_that_no_calendar_has_and_a_data_set_without_rows_get_one_sentence(tmp_path: Path) -> None:
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    late = pyarrow.table(
        {"instruction": ["Go."], "output": ["a"], "at": pyarrow.array([2**62], pyarrow.timestamp("s"))}
    )
    with ipc.new_file(tmp_path / "late", late.schema) as writer:
        writer.write_table(late)
    Dataset(late).save_to_disk(tmp_path / "saved")
    Dataset(late.slice(0, 0)).save_to_disk(tmp_path / "empty")

    for name in ("late", "saved", "empty"):
        for read in (load_seeds, lambda path: Draw(str(path), {}, 0)):
            with pytest.raises(SproutError, match=rf"{name}: .*read"):
                read(tmp_path / name)
