"""Orders of a curriculum: against plain descriptions of each, and going on after a kill at any line."""

import itertools
import math
import random
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline import Context, Instance, Task, read_tasks, run
from pipeline.dataset.read import read_dataset
from pipeline.engines.scripted import Scripted
from pipeline.report.why import why
from pipeline.runs.run import run_stages
from pipeline.stages import Export, Order, Train

LEVELS = ("remember", "understand", "apply")
SUBJECTS = {"art": ("colour", "line"), "maths": ("sums", "roots", "sets"), "law": ("tort",)}


def tasks(num_each: int = 3) -> list[Task]:
    """Every subject, concept and level, in a random order."""
    found = [
        Task(
            id=f"{subject}-{concept}-{level}-{number}",
            instruction=f"{level} {concept}, number {number}.",
            is_classification=False,
            instances=(Instance(output=f"{concept} {number}"),),
            scores={"hard": float(10 * LEVELS.index(level) + number)},
            meta={"subject": subject, "concepts": concept, "level": level},
        )
        for subject, concepts in SUBJECTS.items()
        for concept in concepts
        for level in LEVELS
        for number in range(num_each)
    ]
    random.Random(3).shuffle(found)
    return found


TASKS = tasks()


def ordered(folder: Path, given: list[Task] = TASKS, **settings: object) -> list[Task]:
    context = Context((), Scripted(lambda request: ""), folder)
    run_stages([Order(**settings)], {"order": "1_order.jsonl"}, given, context)
    return [*read_tasks(folder / "1_order.jsonl")]


def of(tasks: list[Task], *names: str) -> list[object]:
    """What `meta` says of each, repetitions in a row once."""
    found = [tuple(task.meta.get(name) for name in names) for task in tasks]
    return [key[0] if len(names) == 1 else key for key, _ in itertools.groupby(found)]


def test_interleaving_has_the_subjects_in_turn_while_the_level_rises(tmp_path):
    found = ordered(tmp_path, by="level", levels=LEVELS, groups="subject")

    assert of(found, "level") == [*LEVELS]
    for level in LEVELS:
        turns = [str(task.meta["subject"]) for task in found if task.meta["level"] == level]
        left = Counter(turns)
        expected = []
        while left:
            expected += sorted(left)
            left -= Counter([*left])
        assert turns == expected
        assert turns[:9] == ["art", "law", "maths"] * 3


def test_blocking_has_one_subject_after_another_and_in_each_the_level_rises(tmp_path):
    found = ordered(tmp_path, by="level", levels=LEVELS, blocks="subject")

    assert of(found, "subject") == ["art", "law", "maths"]
    assert of(found, "subject", "level") == [*itertools.product(("art", "law", "maths"), LEVELS)]


def test_clustering_has_one_concept_after_another_in_each_subject(tmp_path):
    found = ordered(tmp_path, by="level", levels=LEVELS, blocks=["subject", "concepts"])

    concepts = [(subject, concept) for subject in sorted(SUBJECTS) for concept in sorted(SUBJECTS[subject])]
    assert of(found, "subject", "concepts") == concepts
    assert of(found, "concepts", "level") == [(concept, level) for _, concept in concepts for level in LEVELS]


def test_a_spiral_comes_back_to_each_concept_at_a_higher_level(tmp_path):
    found = ordered(tmp_path, by="level", levels=LEVELS, blocks="subject", groups="concepts")

    assert of(found, "subject", "level") == [*itertools.product(("art", "law", "maths"), LEVELS)]
    assert [task.meta["concepts"] for task in found if task.meta["subject"] == "maths"] == ["roots", "sets", "sums"] * 9


@pytest.mark.parametrize("order", ["rising", "falling"])
def test_by_alone_sorts_and_of_equals_the_earlier_comes_first(order, tmp_path):
    found = ordered(tmp_path, by="hard", order=order)

    assert found == sorted(TASKS, key=lambda task: task.scores["hard"], reverse=order == "falling")


def test_the_first_of_several_decides_before_the_next(tmp_path):
    found = ordered(tmp_path, by=["level", "hard"], levels=LEVELS, order="falling")

    assert found == sorted(
        TASKS, key=lambda task: (LEVELS.index(task.meta["level"]), task.scores["hard"]), reverse=True
    )


@pytest.mark.parametrize("num_levels", [2, 3, 5])
def test_numbers_can_be_cut_into_levels_of_as_many_tasks_each(num_levels, tmp_path):
    given = [task.score(hard=float(number)) for number, task in enumerate(TASKS)]
    random.Random(5).shuffle(given)
    found = ordered(tmp_path, given, by="hard", num_levels=num_levels, groups="subject")
    size = len(given) / num_levels

    for number in range(num_levels):
        part = found[math.ceil(number * size) : math.ceil((number + 1) * size)]
        assert {task.scores["hard"] for task in part} == {
            float(one) for one in range(math.ceil(number * size), math.ceil((number + 1) * size))
        }
        for subject in SUBJECTS:  # within a level it rises too
            scores = [task.scores["hard"] for task in part if task.meta["subject"] == subject]
            assert scores == sorted(scores)
        turns = sorted({str(task.meta["subject"]) for task in part})
        assert [task.meta["subject"] for task in part[: len(turns)]] == turns


def test_values_are_ordered_as_listed_then_as_numbers_then_as_letters_and_the_missing_come_last(tmp_path, caplog):
    values = ["b", "10", None, "a", 9, "later", "first", 2.5, True, ["x"], math.nan]
    given = [
        Task(id=f"t{number}", instruction="Say.", meta={} if value is None else {"level": value})
        for number, value in enumerate(values)
    ]
    given[10] = given[10].update(meta={}, scores={"level": math.nan})
    for direction, listed in (
        ("rising", ["first", "later", 2.5, 9, "10", True, ["x"], "a", "b"]),
        ("falling", ["b", "a", ["x"], True, "10", 9, 2.5, "later", "first"]),
    ):
        found = ordered(tmp_path / direction, given, by="level", levels=["first", "later"], order=direction)
        assert [task.meta["level"] for task in found[:9]] == listed
        assert [task.id for task in found[9:]] == ["t2", "t10"]
    assert "order: 2 of 11 tasks have no level, and come last" in caplog.messages


def test_tasks_without_a_group_or_a_block_are_one_of_their_own(tmp_path, caplog):
    given = [task.update(meta={}) if number % 4 == 0 else task for number, task in enumerate(TASKS)]
    found = ordered(tmp_path / "groups", given, groups="subject")
    assert [task.meta.get("subject") for task in found[:4]] == ["art", "law", "maths", None]
    found = ordered(tmp_path / "blocks", given, blocks="subject")
    assert of(found, "subject") == ["art", "law", "maths", None]

    lacking = len(given[::4])
    assert f"order: {lacking} of {len(given)} tasks have no subject, and are a group of their own" in caplog.messages
    assert f"order: {lacking} of {len(given)} tasks have no subject, and are the last block" in caplog.messages


ORDERS: dict[str, dict[str, object]] = {
    "interleave": {"by": "level", "levels": LEVELS, "groups": "subject"},
    "block": {"by": "level", "levels": LEVELS, "blocks": "subject"},
    "cluster": {"by": "level", "levels": LEVELS, "blocks": ["subject", "concepts"], "order": "falling"},
    "spiral": {"by": "level", "levels": LEVELS, "blocks": "subject", "groups": "concepts"},
    "sort": {"by": "hard"},
    "turns": {"groups": ["subject", "level"]},
    "cut": {"by": "hard", "num_levels": 4, "groups": "subject"},
}
each = pytest.mark.parametrize("settings", ORDERS.values(), ids=ORDERS)


@each
def test_a_run_killed_at_any_line_ends_the_same(settings, tmp_path):
    given = tasks(2)
    ordered(tmp_path, given, **settings)
    path = tmp_path / "1_order.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    assert whole != b"".join(sorted(lines))

    for stop in range(len(lines) + 1):
        path.write_bytes(b"".join(lines[:stop]) + (lines[stop][:20] if stop < len(lines) else b""))
        ordered(tmp_path, given, **settings)
        assert path.read_bytes() == whole


@each
def test_nothing_is_lost_or_changed_and_tasks_that_arrive_later_follow(settings, tmp_path, caplog):
    before = ordered(tmp_path, TASKS[:30], **settings)
    after = ordered(tmp_path, **settings)

    assert after[:30] == before
    assert {task.id: task for task in after} == {task.id: task for task in TASKS}
    if settings != ORDERS["turns"]:
        assert f"{len(TASKS) - 30} tasks arrived after 30 had been ordered, and follow these" in caplog.text


def test_why_says_the_level_and_the_group(tmp_path):
    ordered(tmp_path, **ORDERS["spiral"])
    said = why("maths-sums-apply-1", [tmp_path])

    assert "subject: maths" in said
    assert "level: apply" in said
    assert "concepts: sums" in said


def test_the_dataset_and_the_training_keep_the_order(tmp_path, caplog):
    keep = Export(shuffle=False, include_seeds=False, validation_share=0)
    run([Order(**ORDERS["interleave"]), keep], TASKS, Scripted(lambda request: ""), tmp_path / "kept")
    expected = [task.instruction for task in read_tasks(tmp_path / "kept" / "1_order.jsonl")]

    rows = read_dataset(tmp_path / "kept" / "dataset", False).train
    assert [next(text for text in expected if text in row.prompt) for row in rows] == expected
    assert "so this order is lost there" not in caplog.text
    lossy = [Order(**ORDERS["interleave"]), Export(), Train(model="nano")]
    context = Context((), Scripted(lambda request: ""), tmp_path / "lost", stages=lossy)
    next(iter(lossy[0].decide(TASKS, (), context)))
    assert "order: export.shuffle is true, so this order is lost there" in caplog.messages
    assert "order: train.shuffle is true, so this order is lost there" in caplog.messages


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "no order is set; set by, groups or blocks"),
        ({"levels": ["a"]}, "no order is set"),
        ({"groups": "a", "num_levels": 3}, "num_levels cuts one score into levels; set by to that score alone"),
        ({"by": ["a", "b"], "num_levels": 3}, "num_levels cuts one score into levels"),
        ({"by": "a", "num_levels": 1}, "num_levels"),
        ({"groups": "a", "blocks": ["b", "a"]}, "a is in groups and in blocks"),
        ({"by": "a", "order": "random"}, "order"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValidationError) as error:
        Order(**settings)

    assert message in str(error.value)
