"""Seed files and files of tasks, as people really have them."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import read_seeds
from tests.bad_input.conftest import GOOD, NANO_HERE, Sprout, line

FILTER = ("filter", "--seeds", "seeds.jsonl", "--tasks", "good.jsonl", *NANO_HERE, "--out", "run")
TASKS = ("filter", "--seeds", "good.jsonl", "--tasks", "tasks.jsonl", *NANO_HERE, "--out", "run")
FIRST, SECOND = line(**GOOD), line(**GOOD | {"id": "b"})
LATIN = (FIRST + line(**GOOD | {"id": "é"})).encode("latin-1")
PAPER = (
    '{"id": "seed_task_0", "name": "synonym", "instruction": "Give a synonym of the word.", "instances": '
    '[{"input": "happy", "output": "glad \\u2014 or \\"cheerful\\""}], "is_classification": false}\n'
    '{"id": "seed_task_1", "name": "spam", "instruction": "Is this spam? Answer true or false.", "instances": '
    '[{"input": "", "output": "true"}], "is_classification": true}\n'
)  # fields and their order are those of the 175 tasks of Self-Instruct


def without(field: str) -> str:
    return line(**{key: value for key, value in GOOD.items() if key != field})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "seeds.jsonl: no seed tasks in it; write one task on each line, see seed_tasks/README.md"),
        (b"\n \r\n\n", "seeds.jsonl: no seed tasks in it"),
        (FIRST + "{oops\n", "seeds.jsonl:2: not JSON (expecting property name enclosed in double quotes); each line is one JSON object"),
        (json.dumps([GOOD])[:-1], "seeds.jsonl:1: item 1: no comma and no single ] follows it; is the file complete?"),
        (json.dumps([GOOD], indent=1)[:-5], "seeds.jsonl:2: item 1: not JSON (expecting ',' delimiter at line"),
        (json.dumps(GOOD, indent=1)[:-2], "seeds.jsonl:1: not JSON (expecting ',' delimiter at line 10); is the file complete?"),
        ("3\n", "seeds.jsonl:1: an object with the fields of a task is expected (found 3)"),
        ("Say it twice.\n", "seeds.jsonl:1: not JSON (expecting value); each line is one JSON object"),
        ('{"meta":' + "[" * 100_000, "seeds.jsonl:1: not JSON (nested too deeply)"),
        (line(**GOOD, meta={"a": json.loads("[" * 200 + "]" * 200)}), "seeds.jsonl:1: cannot be read (nested too deeply)"),
        (without("instruction"), "seeds.jsonl:1: not a task: instruction is missing"),
        (line(**GOOD, instuction="x"), "seeds.jsonl:1: not a task: there is no field 'instuction'; did you mean instruction?"),
        (without("instruction").replace("instances", "instance"), "there is no field 'instance'; did you mean instances?"),
        (FIRST.replace("output", "ouput"), "seeds.jsonl:1: not a task: instances.0: there is no field 'ouput'; did you mean output?"),
        (line(**GOOD, answer="x"), "there is no field 'answer'; there are id, instruction, name, is_classification, instances,"),
        (line(**GOOD, **{"a\nb\x1b[31m": 1}), r"there is no field 'a\nb\x1b[31m'; there are id"),
        (line(**GOOD, scores={"a\nb": "x"}), r"scores.'a\nb': input should be a valid number"),
        (line(**GOOD | {"instruction": [3]}), "seeds.jsonl:1: not a task: instruction: input should be a valid string (found [3])"),
        (line(**GOOD | {"id": {}}), "seeds.jsonl:1: not a task: id: input should be a valid string (found {})"),
        (line(**GOOD | {"is_classification": "perhaps"}), "is_classification: input should be a valid boolean"),
        (line(**GOOD | {"instances": "x" * 1000}), "instances: input should be a valid array (found 'xxxxxxxxxxxx...xxxxxxxxxxxxx')"),
        (FIRST + "\n" + FIRST, "seeds.jsonl:3: the id 'a' is already that of line 1; give each task its own"),
        (line(**GOOD | {"instruction": " "}), "seeds.jsonl:1: the instruction is empty; say what is to be done"),
        ("\n\n" + without("is_classification"), "seeds.jsonl:3: is_classification is missing; write true if the answer is always one of"),
        (line(**GOOD | {"instances": [GOOD["instances"][0], {"input": "x", "output": " "}]}), "seeds.jsonl:1: instances.1.output is empty; write the right answer, or"),
        (without("instances"), "seeds.jsonl: no seed task with is_classification false has instances, so the stage instances has no demo"),
        (FIRST + line(id="b", instruction="Is it spam?", is_classification=True), "no seed task with is_classification true has instances"),
        (line(**GOOD | {"rejected": "not_new"}), "seeds.jsonl: no seed tasks in it"),
        (FIRST.encode("utf-16")[:-1], "seeds.jsonl: cannot be read (truncated data, as utf-16); save the file as UTF-8"),
        (LATIN, "seeds.jsonl:2: byte 0xe9 at column 9 is not UTF-8; save the file as UTF-8"),
        ((FIRST + SECOND).encode().replace(b"b", b"\0"), "seeds.jsonl:2: NUL bytes: the file is damaged or no text; save it as UTF-8"),
        (FIRST + "x" * 10_000_000, "seeds.jsonl:2: not JSON"),
        (line(**GOOD, zzz="x" * 10_000_000), "seeds.jsonl:1: not a task: there is no field 'zzz'; there are id"),
        (gzip.compress(FIRST.encode(), mtime=0)[:-9], "seeds.jsonl: cannot be read (Compressed file ended before the end-of-stream"),
        (gzip.compress(FIRST.encode(), mtime=0)[:-8] + b"12345678", "seeds.jsonl: cannot be read (CRC check failed"),
        (gzip.compress(FIRST.encode(), mtime=0)[:12] + b"12345678", "seeds.jsonl: cannot be read (Error -3 while decompressing data"),
    ],
)  # fmt: skip
def test_a_bad_seed_file_gets_one_sentence(sprout: Sprout, content, said):
    Path("seeds.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())
    code, error = sprout(*FILTER)

    assert code == 1
    assert said in error
    assert len(error) < 300


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (b"\xef\xbb\xbf" + FIRST.encode(), "a"),
        (FIRST.encode("utf-16"), "a"),
        ((FIRST + SECOND).encode("utf-16-le"), "ab"),
        (json.dumps([GOOD]), "a"),
        (json.dumps(GOOD, indent=1), "a"),
        (json.dumps(GOOD, indent=1) + "\n" + json.dumps(GOOD | {"id": "b"}, indent=1), "ab"),
        (json.dumps({"data": [GOOD, GOOD | {"id": "b"}], "version": 1}), "ab"),
        (line(**GOOD | {"id": 3}), "3"),
        (line(**GOOD | {"instruction": 3}), "a"),
        ((FIRST + SECOND).replace("\n", "\r\n"), "ab"),
        ((FIRST + SECOND).rstrip("\n"), "ab"),
        (f"\n{FIRST}\n \n{SECOND}\n\n", "ab"),
        (gzip.compress((FIRST + SECOND).encode(), mtime=0), "ab"),
        (FIRST + SECOND.replace("false", "true"), "ab"),
        (FIRST.replace("false", "true"), "a"),
        (FIRST + line(id="b", instruction="Is it so?", is_classification=False), "ab"),
        (FIRST + line(**GOOD | {"id": "b", "rejected": "not_new"}) + line(**GOOD | {"id": "c"}), "ac"),
        (FIRST + line(**GOOD | {"id": "b", "instances": [{"input": "x" * 10_000_000, "output": "y"}]}), "ab"),
        (line(**GOOD | {"id": "\u2028\u0000"}), ["\u2028\u0000"]),
    ],
)
def test_an_odd_seed_file_is_read(sprout: Sprout, content, ids):
    Path("seeds.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())

    assert sprout(*FILTER) == (0, "")
    assert [task.id for task in read_seeds("seeds.jsonl")] == list(ids)


def test_the_layout_of_the_paper_is_read_unchanged(sprout: Sprout):
    Path("seeds.jsonl").write_text(PAPER)

    assert sprout(*FILTER) == (0, "")
    first, second = read_seeds("seeds.jsonl")
    assert (first.name, first.instances[0].output) == ("synonym", 'glad — or "cheerful"')
    assert (second.is_classification, second.instances[0].input) == (True, "")


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        (".", ".: cannot be read (Is a directory); give the path of a JSONL file of tasks"),
        ("none.jsonl", "none.jsonl: cannot be read (No such file or directory)"),
        ("good.jsonl/x", "good.jsonl/x: cannot be read (Not a directory)"),
        ("", "seeds: string should have at least 1 character"),
    ],
)
def test_a_path_that_is_no_seed_file_is_named(sprout: Sprout, seeds, said):
    code, error = sprout(*FILTER[:2], seeds, *FILTER[3:])

    assert code == 1
    assert said in error


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_seed_file_that_may_not_be_read_is_named(sprout: Sprout):
    Path("seeds.jsonl").write_text(FIRST)
    Path("seeds.jsonl").chmod(0)

    assert sprout(*FILTER)[1].startswith("seeds.jsonl: cannot be read (Permission denied)")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "tasks.jsonl: cannot be read (No such file or directory)"),
        ("[]", "tasks.jsonl:1: not a task: a JSON array"),
        (FIRST + FIRST, "tasks.jsonl:2: the id 'a' is already that of line 1; give each task its own, or delete the one"),
    ],
)  # fmt: skip
def test_a_bad_file_of_tasks_is_refused_before_one_is_decided(sprout: Sprout, content, said):
    if content is not None:
        Path("tasks.jsonl").write_text(content)
    code, error = sprout(*TASKS)

    assert code == 1
    assert said in error
    assert not Path("run").exists()


def test_a_process_of_its_own_ends_the_same_way(tmp_path: Path):
    (tmp_path / "seeds.jsonl").write_text(FIRST.replace("instruction", "instuction"))
    command = [sys.executable, "-m", "pipeline", "run", "quickstart", "--seeds", "seeds.jsonl"]
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == "sprout: seeds.jsonl:1: not a task: there is no field 'instuction'; did you mean instruction?\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["seeds.jsonl"]
