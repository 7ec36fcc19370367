"""Held-out tasks do not get into the dataset: a planted one is found by either rule, a clean one is let through."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline import Instance, Task
from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.runs.context import Context
from pipeline.runs.run import run_stages
from pipeline.stages.decontaminate import Decontaminate
from pipeline.stages.evaluate import Evaluate

FILE = "5_decontaminate.jsonl"
REVIEW = "Decide whether the review of a restaurant below is positive or negative."
SOUP = "The soup was cold and the waiter never came back to our table."
CLEAN = "Write a packing list for a weekend in the mountains."
HELDOUT = [
    {"id": "review-0", "instruction": REVIEW, "input": SOUP, "output": "negative"},
    {"id": "review-1", "instruction": REVIEW, "input": "We loved every bite.", "output": "positive"},
    {"id": "capital-0", "instruction": "Name the capital of Peru.", "output": "Lima"},
]


def task(instruction: str, input: str = "", output: str = "x", number: int = 0) -> Task:
    return Task(id=f"task_{number}", instruction=instruction, instances=(Instance(input=input, output=output),))


@pytest.fixture
def heldout(tmp_path: Path) -> str:
    path = tmp_path / "heldout.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in HELDOUT))
    return str(path)


def decide(tasks: list[Task], folder: Path, seeds: tuple[Task, ...] = (), **settings: object) -> list[Task]:
    """All that the stage has decided."""
    run_stages(
        [stage := Decontaminate(**settings)],
        {stage.name: FILE},
        tasks,
        Context(seeds, Scripted(lambda request: ""), folder),
    )
    return [Task.model_validate_json(line) for line in (folder / FILE).read_text("utf-8").splitlines()]


CONTAMINATED = [
    (task(REVIEW, SOUP), "contaminated_ngram", "review-0", 1),
    (
        task(REVIEW.lower().replace("review", "REVIEW"), "Best pizza in town."),
        "contaminated_ngram",
        "review-1",
        12 / 16,
    ),
    (task("Is it positive or negative?", f"Review: {SOUP}"), "contaminated_ngram", "review-0", 13 / 25),
    (task("Invent a task for a student.", output=f"{REVIEW}\n{SOUP}"), "contaminated_ngram", "review-0", 1),
    (Task(id="task_0", instruction=f"{REVIEW} {SOUP}"), "contaminated_ngram", "review-0", 1),  # has no instances
    (task("name the capital", "of Peru"), "contaminated_exact", "capital-0", 1),
]
LET_THROUGH = [
    task(CLEAN),
    task("Is the review positive or negative?", "We loved every bite."),  # a short input may coincide
    task("Decide whether the review of a book is kind.", SOUP.replace("cold", "hot")),
    task("Name the capital of Peru and the river it lies on."),
    task("Name the capital of Chile."),
    task("Translate into German.", "The soup was cold and the waiter never spoke."),  # 8 of 25 words
]


@pytest.mark.parametrize(("planted", "reason", "id", "share"), CONTAMINATED)
def test_a_planted_task_is_rejected_with_what_it_overlaps_with(planted, reason, id, share, heldout, tmp_path):
    found, clean = decide([planted, task(CLEAN, number=1)], tmp_path, heldout=heldout)

    assert (found.rejected, found.meta["heldout_id"]) == (reason, id)
    assert found.scores["overlap"] == pytest.approx(share, abs=1e-4)
    assert clean == task(CLEAN, number=1)


@pytest.mark.parametrize("clean", LET_THROUGH, ids=lambda one: one.instruction)
def test_a_task_with_less_than_half_in_common_is_let_through(clean, heldout, tmp_path):
    (found,) = decide([clean], tmp_path, heldout=heldout)

    assert found.kept
    assert found.scores.get("overlap", 0) <= 0.5


def test_half_is_not_more_than_half(heldout, tmp_path):
    half = task("Name it.", " ".join(SOUP.split()[:8]))
    found = decide([half], tmp_path, heldout=heldout, max_overlap=0.32)

    assert found[0].scores == {"overlap": 0.32}  # 8 of 25
    assert found[0].kept
    assert decide([half, task(CLEAN, number=1)], tmp_path / "2", heldout=heldout, max_overlap=0.31)[0].rejected


def test_one_instance_of_several_is_enough(heldout, tmp_path):
    several = task("Say more.").update(instances=(Instance(output="a"), Instance(input=SOUP + REVIEW, output="b")))

    assert decide([several, task(CLEAN, number=1)], tmp_path, heldout=heldout)[0].rejected == "contaminated_ngram"


def test_other_words_for_the_same_are_found_by_their_meaning(heldout, tmp_path, minilm):
    planted = task(
        "Say whether this restaurant review is negative or positive.",
        "The soup was cold and our waiter never returned to the table.",
    )
    clean = [task(CLEAN, number=1), task("Rank the rivers of Chile by length.", number=2)]
    found = decide([planted, *clean], tmp_path, heldout=heldout, encoder=minilm)

    assert (found[0].rejected, found[0].meta["heldout_id"]) == ("contaminated_embedding", "review-0")
    assert found[0].scores["heldout_cosine"] > 0.9
    assert [one.kept for one in found[1:]] == [True, True]
    assert all(one.scores["heldout_cosine"] < 0.5 for one in found[1:])
    assert decide([planted, *clean], tmp_path / "2", heldout=heldout)[0].kept  # no eight words in a row


def test_both_rules_find_a_copy_and_the_first_one_names_the_reason(heldout, tmp_path, minilm):
    copy = task(REVIEW, SOUP)
    found = decide([copy, task(CLEAN, number=1)], tmp_path, heldout=heldout, encoder=minilm)[0]
    by_meaning = decide([copy, task(CLEAN, number=1)], tmp_path / "2", heldout=heldout, encoder=minilm, max_overlap=1)[
        0
    ]

    assert found.rejected == "contaminated_ngram"
    assert found.scores == {"overlap": 1, "heldout_cosine": 1}
    assert (by_meaning.rejected, by_meaning.meta["heldout_id"]) == ("contaminated_embedding", "review-0")


def test_more_tasks_are_decided_as_if_they_had_been_there_from_the_start(heldout, tmp_path):
    tasks = [task(REVIEW, SOUP, number=0), task(CLEAN, number=1), task("Name the capital of Peru.", number=2)]
    whole = decide(tasks, tmp_path / "whole", heldout=heldout)
    decide(tasks[:2], tmp_path, heldout=heldout)

    assert decide(tasks, tmp_path, heldout=heldout) == whole


def test_other_held_out_instances_are_other_settings_wherever_they_are(heldout, tmp_path):
    tasks = [task(CLEAN)]
    decide(tasks, tmp_path, heldout=heldout)
    moved = Path(heldout).rename(tmp_path / "moved.jsonl")
    decide(tasks, tmp_path, heldout=str(moved))
    moved.write_text(moved.read_text().replace("Peru", "Chile"))

    with pytest.raises(SproutError, match=r"settings: heldout in decontaminate"):
        decide(tasks, tmp_path, heldout=str(moved))


def test_several_sets_count_and_an_empty_list_lets_everything_through(heldout, tmp_path):
    copy, clean = task(REVIEW, SOUP), task(CLEAN, number=1)
    found = decide([copy, clean], tmp_path / "1", heldout=["nano", heldout])

    assert found[0].meta["heldout_id"] == "heldout/review-0"
    assert all(one.kept for one in decide([copy, clean], tmp_path / "2", heldout=[]))


def test_seeds_that_overlap_are_named_once_but_stay(heldout, tmp_path, caplog):
    seeds = (task(REVIEW, SOUP).update(id="seed_4"), task(CLEAN).update(id="seed_5"))
    decide([task(CLEAN)], tmp_path, seeds, heldout=heldout)

    assert caplog.messages == [
        "decontaminate: 1 of 2 seed tasks overlap with held-out instances, such as seed_4; a dataset that includes seeds "
        "includes them"
    ]


def test_a_run_that_is_evaluated_is_compared_with_what_it_is_evaluated_on():
    assert not Decontaminate.takes_part({})
    assert not Decontaminate.takes_part({"evaluate": {}})
    assert Decontaminate.takes_part({"evaluate": {"heldout": "nano"}})
    found = Decontaminate().resolve([Evaluate(heldout="nano")])
    assert (found.heldout, found.max_instances) == ("nano", 100)
    found = Decontaminate().resolve([Evaluate(heldout=("a", "b"), max_instances=500)])
    assert (found.heldout, found.max_instances) == (("a", "b"), 500)
    with pytest.raises(SproutError, match=r"\[decontaminate\] heldout is missing"):
        Decontaminate().resolve([])


@pytest.mark.parametrize("settings", [{"heldout": "x", "ngram": 0}, {"heldout": "x", "max_overlap": 2}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValidationError):
        Decontaminate(**settings)


def test_what_cannot_be_compared_with_is_said_first(tmp_path):
    with pytest.raises(SproutError, match=r"gone: is not a folder here"):
        Decontaminate(heldout="nano", encoder=str(tmp_path / "gone"))
    with pytest.raises(SproutError, match=r"gone.jsonl: cannot be read"):
        decide([task(CLEAN)], tmp_path, heldout=str(tmp_path / "gone.jsonl"))
