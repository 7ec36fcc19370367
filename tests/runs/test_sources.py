"""Stages that take tasks from elsewhere keep the promises of all stages: nothing lost, nothing twice, the same bytes."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from pipeline import Completion, Context, Request, read_tasks, run
from pipeline.engines.scripted import Scripted
from pipeline.report import stats
from pipeline.report.record import read_run
from pipeline.report.why import why
from pipeline.runs.budget import Prices
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.plan import plan
from pipeline.runs.redecide import redecide
from pipeline.stages import Documents, Filter, Instances, Instructions, Mix
from tests.conftest import answer
from tests.runs.promises import Toys, check_finished, check_kills, check_windows, files

KINDS = ("question", "extractive", "yes_no", "multiple_choice", "topic", "half")


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder with notes and two datasets, in which the runs work."""
    monkeypatch.chdir(tmp_path)
    Path("notes").mkdir()
    for n in range(9):
        text = "".join(
            f"## Part {k}\n\nIn the year {1000 + 37 * n + k} there was a flood. The mill {n} stood.\n\n"
            for k in range(3)
        )
        Path(f"notes/{n}.md").write_text(text, encoding="utf-8")
    for name, count in (("one", 30), ("two", 20)):
        rows = [
            {"instruction": f"Name the {name} number {n} of {n * n}.", "input": "", "output": f"{n}"}
            for n in range(count)
        ]
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return tmp_path


def reads(request: Request) -> str | Completion:
    """A task about the passage, often one that is rejected."""
    prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[-1]["content"]
    if "Passage:" not in prompt:
        return "And the water went down. All was well." if prompt.startswith("## Part") else answer(request)
    passage = prompt.rpartition("Passage:\n")[2].partition("\n\nQuestion:")[0]
    year = re.search(r"\d{4}", passage)[0]
    noise = hashlib.sha256(f"{prompt}{request.sampling.seed}".encode()).digest()[0] % 8
    if noise == 7:
        return Completion(id=request.id, text=f" When was it, {year}", finish_reason="length")
    return {
        0: f" When was the flood of {year}?\nAnswer: {year}", 1: f" Was there a flood in {year}?\nAnswer: Yes",
        2: f" Which year?\nA. {year}\nB. 1999\nAnswer: A", 3: f" What fell in {year}?\nAnswer: snow", 4: " I see.",
        5: f" How was {year}?\nA. wet\nB. dry\nAnswer: wet", 6: f" Say {year} aloud.\nAnswer: {year}",
    }[noise]  # fmt: skip


def toy(window: int = 8) -> Scripted:
    return Scripted(reads, window=window)


def documents():
    return [Documents(files="notes", kinds=KINDS, min_words=5), Filter()]


def novel():
    return [
        Instructions(num_tasks=6, window=4),
        Documents(files="notes", min_words=5, max_rouge=0.8),
        Instances(),
        Filter(),
    ]


def mixed():
    return [
        Mix(datasets={"one": {"path": "one.jsonl", "share": 2}, "two": {"path": "two.jsonl", "share": 1}}),
        Filter(),
    ]


def all_of_them():
    caps = {"one": {"path": "one.jsonl", "max_tasks": 9}, "two": "two.jsonl"}
    few = Documents(files="notes", kinds=("extractive", "topic"), min_words=5, max_passages=9)
    return [Instructions(num_tasks=6, window=4), Mix(datasets=caps, max_rouge=0.9), few, Instances(), Filter()]


RUNS = {"documents": documents, "novel": novel, "mix": mixed, "all": all_of_them}


def toys(window: int) -> Toys:
    return Toys(toy(window), {})


each_run = pytest.mark.parametrize("stages", RUNS.values(), ids=RUNS)


@each_run
def test_how_many_requests_are_in_flight_does_not_change_a_byte(stages, seeds, shelf):
    check_windows(stages, seeds, toys, shelf)


@each_run
def test_a_run_killed_anywhere_in_any_stage_ends_with_the_same_bytes(stages, seeds, shelf):
    check_kills(stages, seeds, toys, shelf)


@each_run
def test_a_finished_run_asks_nothing_again(stages, seeds, shelf):
    check_finished(stages, seeds, toys, shelf / "run")


@each_run
def test_what_comes_in_is_decided_once_in_each_stage_and_what_is_added_says_where_it_is_from(stages, seeds, shelf):
    run(stages(), seeds, toy(), shelf / "run")
    kept: set[str] = set()
    for stage, path in zip(stages(), sorted((shelf / "run").glob("*.jsonl")), strict=True):
        decided = [*read_tasks(path)]
        added = [task for task in decided if task.id not in kept]

        assert kept <= {task.id for task in decided}
        assert len(decided) == len({task.id for task in decided})
        assert not added or stage.adds
        if isinstance(stage, Documents):
            assert all(task.parents and task.meta["passage"] and task.meta["file"].endswith(".md") for task in added)
        if isinstance(stage, Mix):
            assert all(task.meta["dataset"] in ("one", "two") and task.meta["row"] for task in added)
        kept = {task.id for task in decided if task.kept}
    assert kept


@each_run
def test_the_same_settings_decide_the_same_without_asking(stages, seeds, shelf):
    run(stages(), seeds, toy(), shelf / "run")
    before = files(shelf / "run")

    def silent(request: Request) -> str:
        raise AssertionError(f"the model was asked {request.id}")

    redecide(stages(), Context(seeds, Scripted(silent), shelf / "run"))
    assert files(shelf / "run") == before


@each_run
def test_every_task_can_be_explained(stages, seeds, shelf):
    run(stages(), seeds, toy(), shelf / "run")
    for stage, path in zip(stages(), sorted((shelf / "run").glob("*.jsonl")), strict=True):
        some = {(task.rejected, task.meta.get("kind")): task for task in read_tasks(path)}
        for (reason, kind), task in some.items():
            said = why(task.id, [shelf / "run"])
            here = said.partition(f"\n{stage.name}: ")[2].partition("\n\n")[0]
            assert here.startswith(f"rejected, {reason}" if reason else "kept")
            if isinstance(stage, Documents) and kind:
                assert f"{kind}, from {task.meta['file']}, characters " in here
                assert "prompt, to scripted" in here
            if isinstance(stage, Mix) and "dataset" in task.meta:
                assert f"row {task.meta['row']} of {task.meta['dataset']}" in here


@each_run
def test_a_plan_foresees_what_the_run_then_asks(stages, seeds, shelf):
    said = plan(stages(), Context(seeds, toy(), shelf / "run"), Prices())
    run(stages(), seeds, toy(), shelf / "run")
    rows = re.findall(r"^(\S+) +([\d,]+) +[\d,]+ +[\d,]+ ", said, re.MULTILINE)
    with Journal(shelf / "run" / FILE) as journal:
        asked = {stage: used.requests for stage, used in journal.usage().items()}

    for name, foreseen in rows:
        if name in ("documents", "instances"):
            assert asked[name] <= int(foreseen) <= 2.2 * asked[name], name
    assert ("documents" in asked) == ("documents" in dict(rows))
    assert re.search(r"^all +0 ", plan(stages(), Context(seeds, toy(), shelf / "run"), Prices()), re.MULTILINE)


@each_run
def test_figures_and_page_count_every_decision(stages, seeds, shelf):
    run(stages(), seeds, toy(), shelf / "run")
    found = stats.figures(shelf / "run")

    for stage, path in zip(stages(), sorted((shelf / "run").glob("*.jsonl")), strict=True):
        counts = Counter(task.rejected or "kept" for task in read_tasks(path))
        assert {"kept": found[stage.name].kept} | found[stage.name].rejected == dict(counts)
        assert all(isinstance(note, str) for note in stage.notes(counts))
    assert read_run(shelf / "run", seeds).candidates


def test_a_failed_request_is_not_a_decision_and_is_asked_again(seeds, shelf):
    def flaky(request: Request) -> str | Completion:
        if request.sampling.seed % 5 == 0:
            return Completion(id=request.id, text="too long", finish_reason="error")
        return reads(request)

    run(documents()[:1], seeds, Scripted(flaky), shelf / "run")
    before = [*read_tasks(shelf / "run" / "1_documents.jsonl")]
    run(documents()[:1], seeds, toy(), shelf / "run")
    after = [*read_tasks(shelf / "run" / "1_documents.jsonl")]

    assert len(after) == 9 * 3 * len(KINDS) > len(before)
    assert after[: len(before)] == before


def test_a_budget_stops_in_the_middle_of_the_folder_and_has_seen_some_of_all(shelf):
    tasks = run([Documents(files="notes", min_words=5, max_passages=9)], [], toy(), shelf / "run")

    assert len({task.meta["file"] for task in read_tasks(shelf / "run" / "1_documents.jsonl")}) > 4
    assert tasks
