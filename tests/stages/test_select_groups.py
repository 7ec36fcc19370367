"""Groups in a selection: caps, parts by weights, weights from a file and for the next selection."""

import json
import logging
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline import Context, SproutError, Task, read_tasks
from pipeline.engines.scripted import Scripted
from pipeline.report.why import why
from pipeline.runs.run import run_stages
from pipeline.stages._ranking import learned, quotas
from pipeline.stages.select import Select

SIZES = {"maths": 20, "code": 6, "law": 3, None: 1}


def tasks() -> list[Task]:
    """30, in turn; the scores fall, and those of code are the lowest."""
    kinds = sorted(
        ((number / size, kind) for kind, size in SIZES.items() for number in range(size)), key=lambda one: str(one)
    )
    kinds.sort(key=lambda one: one[0])
    return [
        Task(
            id=f"t{number:02}",
            instruction=f"Say {number}.",
            scores={"judge": 30.0 - number - (100 if kind == "code" else 0)},
            meta={"topic": kind} if kind else {},
        )
        for number, (_, kind) in enumerate(kinds)
    ]


def selected(folder: Path, given: list[Task] | None = None, **settings: object) -> list[Task]:
    context = Context((), Scripted(lambda request: ""), folder)
    stage = Select(by="judge", groups="topic", **settings)
    run_stages([stage], {"select": "1_select.jsonl"}, given or tasks(), context)
    return [*read_tasks(folder / "1_select.jsonl")]


def counts(decided: list[Task]) -> dict[object, int]:
    return dict(Counter(task.meta.get("topic") for task in decided if task.kept))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"max_per_group": 4}, {"maths": 4, "code": 4, "law": 3, None: 1}),
        ({"max_per_group": 4, "top": 6}, {"maths": 4, "law": 1, None: 1}),  # the best ranks, of whatever group
        ({"weights": "equal", "top": 8}, {"code": 3, "maths": 2, "law": 2, None: 1}),  # code is the first
        ({"weights": "equal", "top": 16}, {"maths": 6, "code": 6, "law": 3, None: 1}),
        ({"weights": "size", "top": 10}, {"maths": 7, "code": 2, "law": 1}),
        ({"weights": "size", "top": 0.5}, {"maths": 10, "code": 3, "law": 2}),
        ({"weights": {"maths": 1, "code": 1}, "top": 8}, {"maths": 4, "code": 4}),
        ({"weights": {"maths": 1, "code": 1}, "top": 20}, {"maths": 14, "code": 6}),  # what code lacks, maths has
        ({"weights": {"maths": 1, "code": 1}}, {"maths": 6, "code": 6}),  # as many as there are in these parts
        ({"weights": {"maths": 3, "code": 1, "law": 0}}, {"maths": 18, "code": 6}),
        ({"weights": {"maths": 3, "code": 1, "history": 9}, "top": 8}, {"maths": 6, "code": 2}),
        ({"weights": {"maths": 1, "": 1}, "top": 2}, {"maths": 1, None: 1}),
        ({"weights": "equal", "max_per_group": 2, "top": 30}, {"maths": 2, "code": 2, "law": 2, None: 1}),
        ({"weights": "equal"}, {"maths": 1, "code": 1, "law": 1, None: 1}),  # as many as there are of the smallest
        ({"weights": "equal", "min_score": 0, "top": 9}, {"maths": 5, "law": 3, None: 1}),
    ],
)
def test_how_many_of_each_group_are_kept(settings, expected, tmp_path):
    decided = selected(tmp_path, **settings)

    assert counts(decided) == expected
    for kind in SIZES:  # the best of each
        scores = [[task.scores["judge"] for task in decided if task.meta.get("topic") == kind and task.kept is kept]
                  for kept in (True, False)]  # fmt: skip
        assert min(scores[0], default=math.inf) > max(scores[1], default=-math.inf)


def test_with_parts_the_rank_is_that_within_the_group_and_why_says_the_group(tmp_path):
    decided = selected(tmp_path, weights="equal", top=8)
    of_code = [task.meta["rank"] for task in decided if task.meta.get("topic") == "code"]
    by_rank = selected(tmp_path / "caps", max_per_group=2)

    assert of_code == [1, 2, 3, 4, 5, 6]
    assert sorted(task.meta["rank"] for task in by_rank) == list(range(1, 31))
    last = next(task for task in reversed(decided) if task.meta.get("topic") == "code")
    said = why(last.id, [tmp_path])
    assert "topic: code" in said
    assert "rank: 6" in said


def test_what_the_settings_are_silent_about_is_said(tmp_path, caplog):
    selected(tmp_path, weights={"maths": 1, "code": 1})

    assert "select: 1 of 30 tasks have no topic in meta, and are a group of their own" in caplog.messages
    assert "select: 2 groups have no weight, so none of their tasks is kept: (none), law" in {
        message.replace("law, (none)", "(none), law") for message in caplog.messages
    }


@pytest.mark.parametrize("name", ["parts.json", "parts.toml"])
def test_weights_can_be_in_a_file_and_another_file_is_another_selection(name, tmp_path):
    path = tmp_path / name
    text = {"parts.json": '{"maths": 1, "code": 3}', "parts.toml": "maths = 1\ncode = 3\n"}[name]
    path.write_text(text)
    assert counts(selected(tmp_path / "run", weights=str(path), top=8)) == {"maths": 2, "code": 6}

    path.rename(tmp_path / f"moved-{name}")
    path = tmp_path / f"moved-{name}"
    assert counts(selected(tmp_path / "run", weights=str(path), top=8)) == {"maths": 2, "code": 6}
    path.write_text(text.replace("3", "4"))
    with pytest.raises(SproutError, match="was begun with different settings: weights in select"):
        selected(tmp_path / "run", weights=str(path), top=8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"w\.json: cannot be read \(No such file or directory\); give a JSON or TOML file of weights"),
        ("{", r"w\.json: neither JSON nor TOML"),
        ("[1, 2]", r"w\.json: holds no weights by group; write \{\"maths\": 2, \"code\": 1\}"),
        ('{"maths": "two"}', r"w\.json: the weight of maths is 'two'; give a number, 0 or more"),
        ('{"maths": -1}', r"w\.json: the weight of maths is -1; give a number, 0 or more"),
        ('{"maths": true}', r"w\.json: the weight of maths is True"),
        ('{"maths": NaN}', r"w\.json: the weight of maths is nan"),
        ('{"maths": 0}', r"w\.json: no group has a weight above 0"),
        ("{}", r"w\.json: no group has a weight above 0"),
    ],
)
def test_a_file_of_weights_that_cannot_be_used_stops_the_run_before_it_begins(content, message, tmp_path):
    if content is not None:
        (tmp_path / "w.json").write_text(content)

    with pytest.raises(SproutError, match=message):
        selected(tmp_path / "run", weights=str(tmp_path / "w.json"))
    assert not (tmp_path / "run" / "1_select.jsonl").exists()


def test_weights_of_no_group_that_is_there_keep_nothing_and_say_so(tmp_path, caplog):
    with caplog.at_level(logging.WARNING), pytest.raises(SproutError, match="kept none of 30 tasks"):
        selected(tmp_path, weights={"history": 1}, write_weights=True)
    assert "4 groups have no weight" in caplog.text


def test_weights_for_the_next_selection_are_multiplied_by_the_exponential_of_the_mean_score(tmp_path):
    scores = {"maths": [1.0, 2.0], "code": [0.0, 0.0], "law": [3.0]}
    given = [
        Task(id=f"{kind}{number}", instruction="Say.", scores={"judge": score}, meta={"topic": kind})
        for kind, some in scores.items()
        for number, score in enumerate(some)
    ]
    given.append(Task(id="none", instruction="Say.", meta={"topic": "law"}))
    selected(tmp_path / "first", given, top=4, write_weights=True)
    path = tmp_path / "first" / "select-weights.json"
    first = json.loads(path.read_text())
    raised = {"maths": math.exp(1.5), "code": 1.0, "law": math.exp(3)}

    assert first == pytest.approx({kind: one / sum(raised.values()) for kind, one in raised.items()})
    selected(tmp_path / "next", given, top=4, weights=str(path), write_weights=True)
    second = json.loads((tmp_path / "next" / "select-weights.json").read_text())
    assert second == pytest.approx(
        {kind: one**2 / sum(two**2 for two in raised.values()) for kind, one in raised.items()}
    )
    selected(tmp_path / "low", given, top=4, order="lowest", write_weights=True)
    low = json.loads((tmp_path / "low" / "select-weights.json").read_text())
    assert low == pytest.approx(
        {kind: (1 / one) / sum(1 / two for two in raised.values()) for kind, one in raised.items()}
    )


@pytest.mark.parametrize(
    ("scores", "shares"),
    [
        ({"maths": [-2000.0], "code": [-2000.0 - math.log(3)], "law": [-4000.0]}, [0.75, 0.25, 0]),
        ({"maths": [math.inf, 1.0], "code": [math.inf], "law": [5.0]}, [0.5, 0.5, 0]),
        ({"maths": [-math.inf], "code": [1.0], "law": [1.0]}, [0, 0.5, 0.5]),
        ({"maths": [math.inf, -math.inf], "code": [math.log(2)], "law": [0.0]}, [0.25, 0.5, 0.25]),
        ({"maths": [-math.inf], "code": [-math.inf], "law": [math.nan]}, [0.5, 0.5, 0]),
    ],
)
def test_very_low_and_infinite_scores_make_weights_that_add_up_to_one(scores, shares):
    groups = [place for place, some in enumerate(scores.values()) for _ in some]
    worth = np.array([score for some in scores.values() for score in some])

    assert learned(worth, np.array(groups), np.full(3, 1 / 3)).tolist() == pytest.approx(shares)


def test_a_run_killed_after_its_weights_were_written_writes_the_same(tmp_path):
    selected(tmp_path, top=9, weights="size", write_weights=True)
    path, weights = tmp_path / "1_select.jsonl", (tmp_path / "select-weights.json").read_bytes()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    (tmp_path / "select-weights.json").unlink()
    selected(tmp_path, top=9, weights="size", write_weights=True)

    assert path.read_bytes() == whole
    assert (tmp_path / "select-weights.json").read_bytes() == weights


def test_values_that_are_no_text_name_groups_too(tmp_path):
    given = [task.update(meta={"topic": number % 3 == 0}) for number, task in enumerate(tasks())]

    decided = selected(tmp_path, given, weights={"True": 1, "False": 1}, top=6)

    assert Counter(task.meta["topic"] for task in decided if task.kept) == {True: 3, False: 3}


@pytest.mark.parametrize(
    ("total", "weights", "limits", "expected"),
    [
        (10, [1, 1], [99, 99], [5, 5]),
        (10, [1, 1, 1], [99, 99, 99], [4, 3, 3]),  # of equal remainders the first
        (10, [1, 2], [99, 4], [6, 4]),
        (10, [1, 2, 3], [1, 1, 99], [1, 1, 8]),
        (10, [5, 1, 1], [3, 3, 3], [3, 3, 3]),
        (0, [1, 2], [9, 9], [0, 0]),
        (7, [0, 0], [9, 9], [0, 0]),
        (7, [0, 1e-9], [9, 9], [0, 7]),
        (7, [1, 1], [0, 9], [0, 7]),
        (3, [1e300, 1e300], [9, 9], [2, 1]),
        (100, [70, 20, 10], [70, 20, 10], [70, 20, 10]),
    ],
)
def test_parts_are_whole_and_in_proportion_as_far_as_limits_allow(total, weights, limits, expected):
    assert quotas(total, np.array(weights, float), np.array(limits)).tolist() == expected


def test_parts_always_add_up():
    rng = np.random.default_rng(0)
    for _ in range(500):
        num = rng.integers(1, 12)
        weights = rng.random(num) * (rng.random(num) < 0.8)
        limits, total = rng.integers(0, 20, num), int(rng.integers(0, 100))
        found = quotas(total, weights, limits)
        room = int(limits[weights > 0].sum())

        assert found.sum() == min(total, room)
        assert (found <= limits).all()
        assert (found[weights == 0] == 0).all()
        free = [place for place in range(num) if 0 < found[place] < limits[place]]
        levels = [found[place] / weights[place] for place in free]
        steps = [1 / weights[place] for place in free]
        assert not free or max(levels) - min(levels) <= 2 * max(steps)
