"""Held-out tasks are read as they are published, and what is wrong with a file is said."""

import json
from pathlib import Path

import pytest

from pipeline.errors import SproutError
from pipeline.evaluation.heldout import HeldOut, read_heldout, read_sets
from pipeline.resources import HELDOUT

TASK = {
    "Contributors": ["A"],
    "Categories": ["Textual Entailment", "Other"],
    "Reasoning": [],
    "Definition": ["Does the second sentence follow? ", "Another wording."],
    "Positive Examples": [{"input": "x", "output": "yes", "explanation": ""}],
    "Negative Examples": [],
    "Instances": [{"id": f"task190-{n}", "input": f"S{n}", "output": ["yes", "Yes."]} for n in range(120)],
}


def natural(folder: Path, names: str = "task190_snli\n", **tasks: object) -> Path:
    (folder / "splits" / "default").mkdir(parents=True)
    (folder / "splits" / "default" / "test_tasks.txt").write_text(names)
    (folder / "tasks").mkdir()
    for name, task in ({"task190_snli": TASK} | tasks).items():
        (folder / "tasks" / f"{name}.json").write_text(task if isinstance(task, str) else json.dumps(task))
    return folder


def lines(folder: Path, *rows: object) -> Path:
    path = folder / "mine.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), "utf-8")
    return path


def test_a_folder_of_super_natural_instructions_gives_the_first_instances_of_its_test_tasks(tmp_path):
    found = read_heldout(natural(tmp_path, extra={"not": "a test task"}))

    assert len(found) == 100
    assert found[3] == HeldOut(
        id="task190-3",
        task="task190_snli",
        category="Textual Entailment",
        instruction="Does the second sentence follow?",
        input="S3",
        outputs=("yes", "Yes."),
    )
    assert len(read_heldout(tmp_path, max_instances=7)) == 7


def test_older_task_files_have_plain_strings_and_no_ids(tmp_path):
    old = {"Definition": "Add.", "Categories": "Math", "Instances": [{"input": "1 1", "output": "2"}]}
    found = read_heldout(natural(tmp_path, "old\n\n", old=old))

    assert found == (HeldOut(id="old-0", task="old", category="Math", instruction="Add.", input="1 1", outputs=("2",)),)


def test_another_split_is_another_track(tmp_path):
    folder = natural(tmp_path)
    (folder / "splits" / "default").rename(folder / "splits" / "xlingual")

    assert read_heldout(folder / "splits" / "xlingual")[0].track == "xlingual"
    with pytest.raises(SproutError, match=r"splits/default/test_tasks.txt: cannot be read"):
        read_heldout(folder)


def test_a_jsonl_file_needs_an_instruction_and_an_output(tmp_path):
    path = lines(
        tmp_path,
        {"instruction": "Add.", "input": "1 1", "output": "2"},
        "",
        {"instruction": "Say é.", "outputs": ["é", "e"], "id": "x", "task": "t", "category": "c", "track": "xlingual"},
    )

    assert read_heldout(path) == (
        HeldOut(id="mine-1", task="mine-1", instruction="Add.", input="1 1", outputs=("2",)),
        HeldOut(id="x", task="t", category="c", track="xlingual", instruction="Say é.", outputs=("é", "e")),
    )


def test_a_json_array_holds_the_same(tmp_path):
    rows = [{"instruction": "Add.", "input": "1 1", "output": "2"}, {"instruction": "Add.", "output": []}]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(rows[:1], indent=1))

    assert read_heldout(path) == (HeldOut(id="mine-1", task="mine-1", instruction="Add.", input="1 1", outputs=("2",)),)
    path.write_text(json.dumps(rows))
    with pytest.raises(SproutError, match=r"mine.json:1: item 2: no output"):
        read_heldout(path)


def test_a_seed_task_can_be_held_out_as_it_is(tmp_path):
    instances = [{"input": "1 1", "output": "2"}, {"input": "", "output": "0"}]
    path = lines(tmp_path, {"id": "seed_1", "name": "add", "instruction": "Add.", "instances": instances})

    assert [(one.id, one.task, one.input, one.outputs) for one in read_heldout(path)] == [
        ("seed_1-0", "seed_1", "1 1", ("2",)),
        ("seed_1-1", "seed_1", "", ("0",)),
    ]


def test_several_sets_keep_apart_by_name(tmp_path):
    folder = natural(tmp_path / "natural-instructions")
    mine = lines(tmp_path, {"id": "task190-0", "instruction": "Add.", "output": "2"})
    found = read_sets([str(folder), str(mine), "nano"], max_instances=1)

    assert [(one.source, one.id) for one in found[:2]] == [
        ("natural-instructions", "natural-instructions/task190-0"), ("mine", "mine/task190-0"),
    ]  # fmt: skip
    assert {one.source for one in found[2:]} == {"nano"}
    assert read_sets(str(mine)) == read_sets([str(mine)]) == read_heldout(mine)
    assert read_sets("nano") == read_heldout(HELDOUT)
    (tmp_path / "2").mkdir()
    other = lines(tmp_path / "2", {"instruction": "Add.", "output": "2"})
    with pytest.raises(SproutError, match=r"2/mine.jsonl: another held-out set is called mine too; rename one"):
        read_sets([str(mine), str(other)])


def test_the_limit_is_for_each_task(tmp_path):
    rows = [{"instruction": "Add.", "output": str(n), "task": f"t{n % 2}"} for n in range(10)]

    assert [one.outputs[0] for one in read_heldout(lines(tmp_path, *rows), max_instances=2)] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", r"mine.jsonl:2: not JSON"),
        ("[]", r"mine.jsonl:2: an object with the fields of a held-out task is expected \(found \[\]\)"),
        ({"output": "2"}, r"mine.jsonl:2: instruction is missing; there are output"),
        ({"instruction": "Add."}, r"mine.jsonl:2: no output; give `output`"),
        ({"instruction": "Add.", "output": []}, r"mine.jsonl:2: no output"),
        ({"instruction": " ", "output": "2"}, r"mine.jsonl:2: the instruction is empty; say what is to be done"),
        ({"instruction": "Add.", "output": [[1]]}, r"mine.jsonl:2: output.0: input should be a valid string"),
        (
            {"instruction": "Add.", "output": "2", "id": "mine-1"},
            r"mine.jsonl:2: the id mine-1 is already that of .*mine.jsonl:1; give each its own",
        ),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, row, message):
    path = lines(tmp_path, {"instruction": "Add.", "input": "1 1", "output": "2"}, row)

    with pytest.raises(SproutError, match=message):
        read_heldout(path)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("{", r"bad.json:1: not JSON"),
        ({"Instances": []}, r"bad.json: task bad: Definition is missing; there are Instances"),
        ({"Definition": [], "Instances": []}, r"task bad: Definition: input should be a valid string"),
        ({"Definition": "x", "Instances": [{"input": "a"}]}, r"task bad: Instances.0.output is missing"),
        ({"Definition": "x", "Instances": [{"output": []}]}, r"task bad: Instances.0.output: "),
        ({"Definition": "x", "Instances": []}, r"no held-out instances"),
    ],
)
def test_a_task_file_that_cannot_be_used_is_named(tmp_path, task, message):
    with pytest.raises(SproutError, match=message):
        read_heldout(natural(tmp_path, "bad\n", bad=task))


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(SproutError, match=r"gone.jsonl: cannot be read \(No such file"):
        read_heldout(tmp_path / "gone.jsonl")
    with pytest.raises(SproutError, match=r"cannot be read \(Is a directory\); .*splits/default/test_tasks.txt"):
        read_heldout(tmp_path)
    with pytest.raises(SproutError, match=r"gone.json: cannot be read"):
        read_heldout(natural(tmp_path, "gone"))
    (tmp_path / "latin.jsonl").write_bytes(b'{"instruction": "\xe9", "output": "x"}')
    with pytest.raises(SproutError, match=r"latin.jsonl:1: byte 0xe9 at column 18 is not UTF-8"):
        read_heldout(tmp_path / "latin.jsonl")


def test_a_field_that_stands_beside_another_is_said_to_be_left_out(tmp_path, caplog):
    path = lines(tmp_path, {"instruction": "Add.", "output": "2", "outputs": ["two", "II"]})

    assert read_heldout(path)[0].outputs == ("two", "II")
    assert caplog.messages == [f"{path}: rows whose field 'output' is left out, since they have 'outputs': 1"]
