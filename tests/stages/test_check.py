"""Answers are checked, many at a time, in their order; what fails is left out or marked, as the settings say."""

import re
import subprocess
import sys
import time

import pytest
from pydantic import ValidationError

from pipeline import Instance, SproutError, Task, read_tasks, run
from pipeline.engines.scripted import Scripted
from pipeline.report.why import why
from pipeline.sandbox.find import find_way
from pipeline.stages.check import Check
from pipeline.task import Answer
from tests.runs.toys import files
from tests.sandbox.test_sandbox import WITHOUT


@pytest.fixture
def sandbox():
    try:
        find_way()
    except SproutError as error:
        pytest.skip(str(error))


def doubles(number, *answers, **meta):
    """A task that wants a function, and some answers to it."""
    output = "def double(x):\n    return 2 * x\n"
    made = tuple(Answer(text=text) for text in answers)
    tests = [f"assert double({number}) == {2 * number}", "assert double(0) == 0"]
    return Task(
        id=f"t{number}", instruction=f"Write double, number {number}", is_classification=False, meta={"tests": tests} | meta,
        instances=(Instance(output=output, answers=made),),
    )  # fmt: skip


def checked(tasks, folder, **settings):
    run([Check(limits={"seconds": 60}, **settings)], tasks, Scripted(str), folder)
    return list(read_tasks(folder / "1_check.jsonl"))


RIGHT, WRONG = "def double(x):\n    return x + x", "def double(x):\n    return x * x"


def test_outputs_that_fail_their_tests_are_rejected(sandbox, tmp_path):
    wrong = doubles(3).update(id="wrong", instances=(Instance(output=WRONG),))
    good, bad = checked([doubles(2), wrong], tmp_path)

    assert (good.rejected, good.scores, good.meta["check"]) == (None, {"check": 1}, ["passed"])
    assert (bad.rejected, bad.scores) == ("fails_check", {"check": 0})
    assert (
        bad.meta["check"][0].endswith(
            "line 2, in <module>\n    assert double(3) == 6\n           ^^^^^^^^^^^^^^\nAssertionError"
        )
        or "AssertionError" in bad.meta["check"][0]
    )


def test_each_answer_is_marked_and_one_that_passes_keeps_the_task(sandbox, tmp_path):
    some, none = checked([doubles(3, WRONG, f"Sure:\n```python\n{RIGHT}\n```"), doubles(5, WRONG, "?")], tmp_path)

    assert [answer.scores for answer in some.instances[0].answers] == [{"check": 0}, {"check": 1}]
    assert some.scores == {"check": 0.5}
    assert some.meta["check"][0][1] == "passed"
    assert none.rejected == "fails_check"
    assert "instance 1, answer 1: AssertionError" in why("t3", [tmp_path])


def test_without_reject_what_fails_is_only_marked(sandbox, tmp_path):
    tasks = [doubles(5, WRONG), doubles(3, RIGHT), doubles(2).update(meta={})]
    found = checked(tasks, tmp_path, reject=False)

    assert [task.rejected for task in found] == [None] * 3
    assert [task.scores for task in found] == [{"check": 0}, {"check": 1}, {}]


def test_a_task_without_tests_is_rejected_and_counted(sandbox, tmp_path, caplog):
    _, bare = checked([doubles(3), doubles(2).update(meta={})], tmp_path)

    assert bare.rejected == "nothing_to_check"
    assert "check: 1 of 2 tasks have nothing to check against; the first is t2" in caplog.text


def test_instances_that_fail_are_left_out_and_counted(tmp_path):
    instances = tuple(Instance(input=str(n), output=f"about {n}") for n in (1, 2, 3))
    [task] = checked(
        [Task(id="t", instruction="?", instances=instances, meta={"expected": [1, 3]})], tmp_path, by="number"
    )

    assert [instance.input for instance in task.instances] == ["1", "3"]
    assert task.meta["left_out"] == {"fails_check": 1}
    assert task.meta["check"] == ["passed", "passed"]
    assert task.scores == {"check": pytest.approx(2 / 3)}


HUMAN_EVAL = {
    "prompt": 'def double(x: int) -> int:\n    """ Twice a number.\n    >>> double(2)\n    4\n    """\n',
    "test": "METADATA = {}\n\ndef check(candidate):\n    assert candidate(2) == 4\n    assert candidate(-1) == -2\n",
    "entry_point": "double",
}
LAYOUT = "{prompt}{answer}\n{test}\ncheck({entry_point})\n"


def test_programs_laid_out_as_in_humaneval_are_run(sandbox, tmp_path):
    answers = [
        "    return 2 * x\n",
        "    return x * x\n",
        f"```python\n{RIGHT}\n```",
        "    return 2 *",
        "    return '\n",
    ]
    [task] = checked([doubles(2, *answers, **HUMAN_EVAL)], tmp_path, program=LAYOUT)

    assert [answer.scores["check"] for answer in task.instances[0].answers] == [1, 0, 1, 0, 0]


def test_as_many_programs_as_humaneval_has_would_take_less_than_two_minutes(sandbox, tmp_path):
    tasks = [doubles(n, "    return 2 * x\n" if n % 3 else "    return 3 * x\n", **HUMAN_EVAL) for n in range(41)]
    start = time.monotonic()
    found = checked(tasks, tmp_path, program=LAYOUT)

    assert time.monotonic() - start < 120 * 41 / 164
    assert [task.kept for task in found] == [bool(n % 3) for n in range(41)]


def test_how_many_run_at_a_time_does_not_change_a_byte(sandbox, tmp_path):
    tasks = [doubles(n, RIGHT, WRONG) for n in range(8)]
    for workers in (1, 2, 5):
        checked(tasks, tmp_path / str(workers), workers=workers)

    assert files(tmp_path / "1") == files(tmp_path / "2") == files(tmp_path / "5")


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(sandbox, tmp_path):
    tasks = [doubles(n, RIGHT, WRONG) for n in range(6)]
    checked(tasks, tmp_path)
    whole = files(tmp_path)
    path = tmp_path / "1_check.jsonl"
    path.write_bytes(path.read_bytes()[:-20])  # the last line is torn
    checked(tasks, tmp_path, workers=1)

    assert files(tmp_path) == whole


@pytest.mark.parametrize(
    ("settings", "meta", "scores"),
    [
        ({"by": "contains"}, {}, [0, 1]),
        ({"by": "contains"}, {"expected": "?"}, [1, 0]),
        ({"by": "contains", "key": "gold"}, {"gold": ["42", "forty-two"]}, [0, 1]),
        ({"by": "number"}, {}, [0, 1]),
        ({"by": "number", "tolerance": 0.1}, {"expected": 40}, [0, 1]),
        ({"by": "schema"}, {"schema": {"type": "number"}}, [0, 0]),
        ({"by": "tool"}, {"call": {"name": "a"}, "tools": [{"name": "a"}]}, [0, 0]),
    ],
)
def test_the_other_checks_take_what_is_expected_from_the_task(settings, meta, scores, tmp_path):
    instance = Instance(output="42", answers=(Answer(text="why?"), Answer(text="It is 42.")))
    [task] = checked(
        [Task(id="t", instruction="?", instances=(instance,), meta=meta)], tmp_path, reject=False, **settings
    )

    assert [answer.scores["check"] for answer in task.instances[0].answers] == scores


def test_a_call_of_a_tool_has_its_reward_as_a_score(tmp_path):
    answers = (
        Answer(text="?"),
        Answer(text='{"name": "a", "arguments": {"x": 1}}'),
        Answer(text='{"name": "a", "arguments": {"x": 2}}'),
    )
    meta = {
        "call": {"name": "a", "arguments": {"x": 1}},
        "tools": [{"name": "a", "parameters": {"properties": {"x": {}}}}],
    }
    [task] = checked(
        [Task(id="t", instruction="?", instances=(Instance(output="", answers=answers),), meta=meta)],
        tmp_path,
        by="tool",
    )

    assert [answer.scores["check_grade"] for answer in task.instances[0].answers] == [-2, 1, -0.25]


def test_two_checks_in_a_run_keep_their_scores_apart(tmp_path):
    instance = Instance(output="42", answers=(Answer(text="It is 42."),))
    stages = [Check(by="number"), Check(by="contains", label="words", key="words")]
    [task] = run(
        stages, [Task(id="t", instruction="?", instances=(instance,), meta={"words": "it"})], Scripted(str), tmp_path
    )

    assert task.instances[0].answers[0].scores == {"check": 1, "check-words": 1}


def test_a_task_without_instances_has_nothing_to_check(tmp_path):
    with pytest.raises(SproutError, match="nothing_to_check 1"):
        checked([Task(id="t", instruction="?")], tmp_path, by="number")


def test_a_program_needs_a_place_for_the_answer():
    with pytest.raises(ValidationError, match=re.escape("{answer} is not in it")):
        Check(program="{tests}")


SETTINGS = """
seeds = "seeds.jsonl"
out = "out"
stages = ["check"]
[engine]
name = "server"
model = "none"
url = "http://127.0.0.1:9/v1"
[check]
run_untrusted_code_without_a_sandbox = {allowed}
"""


@pytest.mark.parametrize("allowed", [False, True])
def test_without_a_sandbox_a_run_is_refused_unless_its_settings_allow_that(allowed, tmp_path):
    (tmp_path / "seeds.jsonl").write_text(doubles(2).model_dump_json(exclude_defaults=True) + "\n")
    (tmp_path / "mine.toml").write_text(SETTINGS.format(allowed=str(allowed).lower()))
    code = f"{WITHOUT}import sys\nfrom pipeline.cli.main import main\nsys.exit(main(['run', 'mine.toml']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)

    if allowed:
        assert done.returncode == 0, done.stderr
        assert [task.scores for task in read_tasks(tmp_path / "out" / "1_check.jsonl")] == [{"check": 1}]
    else:
        assert done.returncode == 1
        assert "check: this machine has no sandbox for code" in done.stderr
        assert "run_untrusted_code_without_a_sandbox = true in [check]" in " ".join(done.stderr.split())
        assert not (tmp_path / "out" / "1_check.jsonl").exists()
