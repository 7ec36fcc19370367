"""The folder of a run: of another run, in the way, or damaged since."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bad_input.conftest import NANO_HERE, Sprout, change

ALL = "1_instructions.jsonl, 2_classify.jsonl, 3_instances.jsonl, 4_filter.jsonl"
CLASSIFY = "old/2_classify.jsonl"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--seeds", "good.jsonl"], f"old was begun with different settings: seeds in instructions. Choose another folder, or delete {ALL}"),
        (["--set", "instructions.max_rouge=0.5"], f"old was begun with different settings: max_rouge in instructions. Choose another folder, or delete {ALL}"),
        (["--set", "filter.random_seed=1"], "[filter] there is no setting 'random_seed'"),
        (["--set", "instances.max_instances=1"], "different settings: max_instances in instances. Choose another folder, or delete 3_instances.jsonl, 4_filter.jsonl"),
        (["--engine", "server", "--model", "other", "--set", "engine.chat=false"], "old was begun with different settings: model in instructions"),
        (["--engine", "server", "--set", "engine.chat=true"], "old was begun with different settings: chat in instructions"),
    ],
)  # fmt: skip
def test_another_run_is_not_mixed_in(sprout: Sprout, begun, args, said):
    before = {path: path.read_bytes() for path in Path("old").glob("*.jsonl")}
    if args[0] == "--seeds":  # in place of those it was begun with
        place = begun.index("--seeds")
        begun = [*begun[:place], *begun[place + 2 :]]
    code, error = sprout(*begun, *args)

    assert code == 1
    assert said in error
    assert {path: path.read_bytes() for path in Path("old").glob("*.jsonl")} == before


@pytest.mark.parametrize(
    ("number", "new", "said"),
    [
        (3, b"{oops\n", "old/2_classify.jsonl:3: not a task: invalid JSON: key must be a string"),
        (1, b"\xff\n", "old/2_classify.jsonl:1: not a task: byte 0xff at column 1 is not UTF-8"),
        (2, b"\0" * 4096 + b"\n", "old/2_classify.jsonl:2: not a task: it holds NUL bytes, so the file is UTF-16 or damaged"),
        (5, b'{"id": "x", "instruction": "y", "quality": 3}\n', "old/2_classify.jsonl:5: not a task: there is no field 'quality'; there are id"),
        (5, b'{"id": "x", "instruction": "y", "is_classification": true}\n', "stage classify: task x was not kept by the stage before"),
    ],
)  # fmt: skip
def test_a_damaged_line_is_named_and_no_other_is_lost(sprout: Sprout, begun, number, new, said):
    change(CLASSIFY, number, new)
    before = Path(CLASSIFY).read_bytes()
    code, error = sprout(*begun)

    assert code == 1
    assert said in error
    assert Path(CLASSIFY).read_bytes().startswith(before)


def test_a_line_that_is_there_twice_is_named(sprout: Sprout, begun):
    first = Path(CLASSIFY).read_bytes().splitlines(keepends=True)[0]
    change(CLASSIFY, 4, first)
    id = json.loads(first)["id"]
    said = f"{CLASSIFY}:4: the id '{id}' is already that of line 1; give each task its own, or delete the one that is"

    assert sprout(*begun)[1].startswith(said)


def test_a_damaged_line_is_deleted_and_decided_again(sprout: Sprout, begun):
    change(CLASSIFY, 2, b"")
    for later in ("3_instances.jsonl", "4_filter.jsonl"):
        Path("old", later).unlink()

    assert sprout(*begun) == (0, "")
    assert len(Path(CLASSIFY).read_bytes().splitlines()) == 5


@pytest.mark.parametrize("content", [b"", b"{", b"\xff"])
def test_a_damaged_settings_file_is_named(sprout: Sprout, begun, content):
    Path("old/settings.json").write_bytes(content)
    code, error = sprout(*begun)

    assert code == 1
    assert error.startswith("old/settings.json: not JSON (")
    assert error.endswith("; restore it, or choose another folder")


def test_a_damaged_journal_is_named(sprout: Sprout, begun):
    Path("old/completions.sqlite").write_bytes(b"no database " * 100)
    code, error = sprout(*begun)

    assert code == 1
    assert error.startswith("old/completions.sqlite: file is not a database; it is damaged")


def test_a_budget_that_is_reached_ends_with_a_code_of_its_own(sprout: Sprout, begun):
    more = ["instructions.num_tasks=9" if arg == "instructions.num_tasks=5" else arg for arg in begun]
    code, error = sprout(*more, "--max-tokens", "10")

    assert code == 3
    assert "that --max-tokens allows" in error


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["filter", "--out", "good.jsonl"], "good.jsonl: cannot be written (File exists); choose another folder"),
        (["filter", "--out", "good.jsonl/run"], "good.jsonl/run: cannot be written (Not a directory); choose another folder"),
        (["filter", "--out", ""], "out: string should have at least 1 character"),
        (["classify", "--out", "new"], "new/1_instructions.jsonl is not there; run `sprout instructions` first, or give tasks with --tasks FILE"),
        (["instances", "--out", "new"], "new/2_classify.jsonl is not there; run `sprout classify` first"),
    ],
)  # fmt: skip
def test_a_folder_that_will_not_do_gets_one_sentence(sprout: Sprout, args, said):
    tasks = ["--tasks", "good.jsonl"] if args[0] == "filter" else []
    code, error = sprout(*args, "--seeds", "good.jsonl", *NANO_HERE, *tasks)

    assert code == 1
    assert said in error


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(sprout: Sprout):
    Path("shut").mkdir(mode=0o500)
    code, error = sprout("filter", "--out", "shut/run", "--seeds", "good.jsonl", *NANO_HERE, "--tasks", "good.jsonl")

    assert code == 1
    assert "shut/run: cannot be written (Permission denied)" in error


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["stats", "nowhere"], "nowhere: there is no such folder; give the folder of a run"),
        (["stats", "."], ".: holds no run"),
        (["stats", "good.jsonl"], "good.jsonl: holds no run"),
        (["why", "task_1", "nowhere"], "nowhere: there is no such folder"),
        (["why", "task_1"], "task_1: no such task in outputs/"),
    ],
)
def test_a_folder_without_a_run_is_named(sprout: Sprout, args, said):
    code, error = sprout(*args)

    assert code == 1
    assert said in error


def test_a_process_of_its_own_ends_the_same_way(begun):
    change(CLASSIFY, 3, b"{oops\n")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "pipeline", "stats", "old"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("sprout: old/2_classify.jsonl:3: not a task: invalid JSON")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("args", [("stats", "old"), ("why", "task_0", "old"), ()])
def test_a_file_that_cannot_be_opened_gets_one_sentence_whatever_the_command(sprout: Sprout, begun, args):
    Path("old/4_filter.jsonl").unlink()
    Path("old/4_filter.jsonl").mkdir()
    code, error = sprout(*(args or begun))

    assert code == 1
    assert "old/4_filter.jsonl: cannot be read" in error
    assert "(Is a directory); " in error
