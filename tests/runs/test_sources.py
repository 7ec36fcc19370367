"""Stages that take tasks from elsewhere: each task says where it is from, and a plan foresees what they ask."""

import re

import pytest

from pipeline import Completion, Context, Request, read_tasks, run
from pipeline.engines.scripted import Scripted
from pipeline.report.why import why
from pipeline.runs.budget import Prices
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.plan import plan
from pipeline.stages import Documents, Mix
from tests.runs.sources import KINDS, RUNS, documents, reads, toy, write_sources


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder with notes and two datasets, in which the runs work."""
    monkeypatch.chdir(tmp_path)
    write_sources(tmp_path)
    return tmp_path


each_run = pytest.mark.parametrize("stages", RUNS.values(), ids=RUNS)


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
