"""The stage that selects by score: what is kept, with which reasons and ranks, and going on after a kill."""

import math
from collections import Counter
from pathlib import Path

import pytest

from pipeline import Context, Instance, SproutError, Task, read_tasks
from pipeline.engines.scripted import Scripted
from pipeline.report.why import why
from pipeline.runs.budget import Prices
from pipeline.runs.plan import plan
from pipeline.runs.run import run_stages
from pipeline.stages import Instances, Instructions, Select
from tests.conftest import answer

SCORES = [3.0, 5.0, 1.0, 5.0, None, 2.0, 4.0, 4.0, 1.0, 3.0]  # of ten tasks


def tasks(scores: list[float | None] = SCORES, name: str = "judge", **meta: object) -> list[Task]:
    return [
        Task(
            id=f"t{number}",
            instruction=f"Say {number} in words.",
            instances=(Instance(output=str(number)),),
            scores={} if score is None else {name: score},
            meta=dict(meta),
        )
        for number, score in enumerate(scores)
    ]


def selected(given: list[Task], folder: Path, **settings: object) -> list[Task]:
    """All that the stage has decided, in its order."""
    context = Context((), Scripted(lambda request: ""), folder)
    run_stages([Select(**settings)], {"select": "1_select.jsonl"}, given, context)
    return [*read_tasks(folder / "1_select.jsonl")]


def kept(decided: list[Task]) -> list[int]:
    return [int(task.id[1:]) for task in decided if task.kept]


@pytest.mark.parametrize(
    ("settings", "numbers"),
    [
        ({"top": 1}, [1]),
        ({"top": 3}, [1, 3, 6]),  # of equals the earlier
        ({"top": 4, "order": "lowest"}, [0, 2, 5, 8]),
        ({"top": 100}, [0, 1, 2, 3, 5, 6, 7, 8, 9]),
        ({"top": 0.3}, [1, 3, 6]),  # of all ten, also of the one without a score
        ({"top": 1.0}, [0, 1, 2, 3, 5, 6, 7, 8, 9]),
        ({"top": 0.0001}, [1]),
        ({"min_score": 4}, [1, 3, 6, 7]),
        ({"min_score": 4, "strict": True}, [1, 3]),
        ({"max_score": 1}, [2, 8]),
        ({"min_score": 2, "max_score": 3}, [0, 5, 9]),
        ({"min_score": 2, "max_score": 3, "strict": True, "top": 1.0}, []),
        ({"min_score": "median"}, [0, 1, 3, 6, 7, 9]),  # which is 3
        ({"min_score": "median", "strict": True}, [1, 3, 6, 7]),
        ({"min_score": "75%"}, [1, 3, 6, 7]),
        ({"max_score": "25 %"}, [2, 5, 8]),
        ({"min_score": 2, "top": 2, "order": "lowest"}, [0, 5]),
    ],
)
def test_what_is_kept(settings, numbers, tmp_path):
    if not numbers:
        with pytest.raises(
            SproutError, match=r"kept none of 10 tasks, 10 rejected \(score_too_high 6, score_too_low 3, no_score 1"
        ):
            selected(tasks(), tmp_path, by="judge", **settings)
        return
    decided = selected(tasks(), tmp_path, by="judge", **settings)

    assert kept(decided) == numbers
    assert [task.id for task in decided] == [task.id for task in tasks()]
    assert decided[4].rejected == "no_score"


def test_each_task_has_its_rank_and_a_rejected_one_its_reason(tmp_path, caplog):
    decided = selected(tasks(), tmp_path, by="judge", top=4, min_score=2, max_score="90%")

    assert [task.meta.get("rank") for task in decided] == [5, 1, 8, 2, None, 7, 3, 4, 9, 6]
    assert Counter(task.rejected for task in decided) == {
        None: 4, "no_score": 1, "score_too_low": 2, "not_selected": 3,
    }  # fmt: skip
    assert decided[2].meta == {"rank": 8, "bound": 2}
    assert "select: 1 of 10 tasks lack the score judge, and are rejected" in caplog.messages
    said = why("t9", [tmp_path])
    assert "rejected by select: not_selected" in said
    assert "judge: 3" in said
    assert "rank: 6" in said
    assert "judge: there is none" in why("t4", [tmp_path])
    assert "bound: 2" in why("t2", [tmp_path])


def test_a_bound_that_is_a_quantile_is_said_as_a_number(tmp_path):
    decided = selected(tasks(), tmp_path, by="judge", min_score="median")

    assert {task.meta["bound"] for task in decided if task.rejected == "score_too_low"} == {3}


def test_several_scores_are_multiplied_and_numbers_in_meta_count_as_scores(tmp_path):
    given = [task.score(quality=10 - int(task.id[1:])) for task in tasks()]
    given = [task.update(scores={"quality": task.scores["quality"]}, meta=dict(task.scores)) for task in given]

    decided = selected(given, tmp_path, by=("judge", "quality"), top=3)

    assert kept(decided) == [0, 1, 3]  # 30, 45, 35
    assert decided[4].rejected == "no_score"


@pytest.mark.parametrize("number", [math.nan, "four", "4 of 5", "", "nan", True, None, [4]])
def test_what_is_no_number_is_no_score(number, tmp_path):
    given = tasks()
    given[1] = given[1].update(scores={}, meta={"judge": number})

    decided = selected(given, tmp_path, by="judge", top=1)

    assert kept(decided) == [3]
    assert decided[1].rejected == "no_score"


@pytest.mark.parametrize("text", ["9", " 9 ", "+9", "9.5"])
def test_a_number_that_a_model_stated_as_text_is_a_number(text, tmp_path):
    given = tasks()
    given[4] = given[4].update(meta={"judge": text})

    assert kept(selected(given, tmp_path, by="judge", top=1)) == [4]


@pytest.mark.parametrize("bound", ["median", "10%", "90%"])
def test_infinite_scores_can_be_compared(bound, tmp_path):
    scores = [-math.inf, -math.inf, 0.0, 1.0, math.inf, math.inf]

    assert 5 in kept(selected(tasks([*scores]), tmp_path, by="judge", min_score=bound))


def test_without_a_score_the_first_tasks_are_kept(tmp_path):
    decided = selected(tasks(), tmp_path, top=3)

    assert kept(decided) == [0, 1, 2]
    assert decided[9].meta == {"rank": 10}


METHODS = {
    "top": {"top": 12},
    "share": {"top": 0.25},
    "band": {"min_score": "25%", "max_score": "75%", "top": 20},
}
many = pytest.mark.parametrize("settings", METHODS.values(), ids=METHODS)
MANY = tasks([float(number * 7 % 20) if number % 9 else None for number in range(60)])


@many
def test_a_run_killed_at_any_line_ends_the_same(settings, tmp_path):
    selected(MANY, tmp_path, by="judge", **settings)
    path = tmp_path / "1_select.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)

    for stop in range(len(lines) + 1):
        path.write_bytes(b"".join(lines[:stop]) + (lines[stop][:20] if stop < len(lines) else b""))
        selected(MANY, tmp_path, by="judge", **settings)
        assert path.read_bytes() == whole


@many
def test_what_was_decided_stands_when_tasks_arrive_later(settings, tmp_path, caplog):
    before = selected(MANY[:30], tmp_path, by="judge", **settings)
    after = selected(MANY, tmp_path, by="judge", **settings)

    assert after[:30] == before
    assert len(after) == 60
    assert len(kept(after)) <= (15 if settings["top"] == 0.25 else settings["top"])
    assert "these decisions stand. Delete the file of select and those after it to select from all" in caplog.text


def test_tasks_that_arrive_later_fill_what_is_left(tmp_path):
    before = selected(MANY[:8], tmp_path, by="judge", top=12)
    after = selected(MANY, tmp_path, by="judge", top=12)

    assert after[:8] == before
    assert len(kept(after)) == 12


def test_a_plan_counts_what_a_selection_leaves(seeds, tmp_path):
    stages = [Instructions(num_tasks=100, window=4), Select(top=0.25), Instances()]
    said = plan(stages, Context(seeds, Scripted(answer), tmp_path), Prices())

    (line,) = (line for line in said.splitlines() if line.startswith("instances"))
    assert int(line.split()[1]) == 25
