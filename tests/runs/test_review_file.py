"""review.jsonl: half a line is no line, several may write at once, and no line hits another text."""

import json
import logging
import subprocess
import sys

import pytest

from pipeline import SproutError, Task
from pipeline.runs.reviews import FILE, Reviews, reviewed
from pipeline.runs.said import Said, Texts, Verdict, digest


def test_a_drop_does_not_hit_another_text_under_the_same_id(tmp_path, caplog):
    old = Task(id="t1", instruction="Say what a chain costs")
    review = Reviews(tmp_path)
    review.say(Said(reviewer="anna", task="t1", did="drop", seen=digest(old.instruction)))

    new = [old.update(instruction="Name three kinds of tyres"), Task(id="t2", instruction="Count to ten")]
    with caplog.at_level(logging.WARNING):
        assert len(reviewed(new, tmp_path)) == 2
    assert "drops and edits made for other texts than the run has now are left out: 1" in caplog.text
    assert [task.id for task in reviewed([old, new[1]], tmp_path)] == ["t2"]


def test_an_edit_of_texts_that_have_changed_since_is_passed_over(tmp_path):
    task = Task(id="t1", instruction="Say what a chain costs")
    after = Texts(instruction="Say what a saddle costs")
    Reviews(tmp_path).say(Said(reviewer="anna", task="t1", did="edit", before=Texts.of(task), after=after))

    assert reviewed([task], tmp_path)[0].instruction == after.instruction
    assert reviewed([task.update(instruction="Other")], tmp_path)[0].instruction == "Other"


def test_half_a_last_line_is_passed_over_and_gone_with_the_next_one(tmp_path):
    review = Reviews(tmp_path)
    review.say(Said(reviewer="anna", task="t1", did="drop"))
    whole = review.path.read_bytes()
    review.path.write_bytes(whole + whole[: len(whole) // 2])

    assert len(Reviews(tmp_path).lines) == 1
    Reviews(tmp_path).say(Said(reviewer="bo", task="t2", did="drop"))
    assert [one.reviewer for one in Reviews(tmp_path).lines.values()] == ["anna", "bo"]
    assert review.path.read_bytes().startswith(whole)
    review.refresh()  # another process has written it
    assert len(review.lines) == 2


def test_a_file_that_an_editor_has_saved_without_its_last_line_end_loses_nothing(tmp_path):
    review = Reviews(tmp_path)
    review.say(*(Said(reviewer="anna", task=f"t{number}", did="drop") for number in range(2)))
    review.path.write_bytes(b"\xef\xbb\xbf" + review.path.read_bytes().rstrip(b"\n").replace(b"\n", b"\r\n"))

    read = Reviews(tmp_path)
    assert [one.task for one in read.lines.values()] == ["t0", "t1"]
    read.say(Said(reviewer="bo", task="t2", did="drop"))
    assert [one.task for one in read.lines.values()] == ["t0", "t1", "t2"]
    assert len(Reviews(tmp_path).lines) == 3


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("no json\n", "1: not a line of a review: invalid JSON"),
        ('{"reviewer": "anna", "did": "dropp"}\n', "1: not a line of a review: did"),
        ('{"reviewer": "anna", "did": "drop", "taks": "t"}\n', "did you mean task?"),
    ],
)
def test_a_line_that_is_none_is_named(line, problem, tmp_path):
    (tmp_path / FILE).write_text(line, encoding="utf-8")
    with pytest.raises(SproutError) as caught:
        Reviews(tmp_path)
    assert problem in str(caught.value)


def test_every_line_says_who_and_when(tmp_path):
    review = Reviews(tmp_path)
    review.say(Said(reviewer="anna", task="t\ud800", did="judge", verdict=Verdict(output=False)))
    line = json.loads(review.path.read_text("utf-8"))

    assert line["time"].startswith("20")
    assert line["id"]
    assert line["task"] == "t\ufffd"
    assert line["verdict"] == {"output": False}


def test_lines_of_several_processes_are_all_there(tmp_path):
    code = (
        "import sys; from pathlib import Path; from pipeline.runs.reviews import Reviews; from pipeline.runs.said import Said\n"
        "r = Reviews(Path(sys.argv[1]))\nfor n in range(40): r.say(Said(reviewer=sys.argv[2], task=str(n), did='skip'))"
    )
    work = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), who]) for who in ("anna", "bo")]

    assert [one.wait(60) for one in work] == [0, 0]
    assert len(Reviews(tmp_path).lines) == 80
