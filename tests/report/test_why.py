"""One candidate is followed from its prompt to the stage that dropped it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from pipeline import Request, SproutError, Task, read_tasks, run
from pipeline.engines.scripted import Scripted
from pipeline.report.why import why
from pipeline.runs.journal import FILE
from tests.conftest import answer
from tests.runs.test_run import stages


@pytest.fixture
def folder(seeds, tmp_path) -> Path:
    run(stages(max_rouge=0.5), seeds, Scripted(answer), tmp_path)
    return tmp_path


def one(folder: Path, rejected: str | None, file: str = "1_instructions.jsonl") -> Task:
    return next(task for task in read_tasks(folder / file) if task.rejected == rejected)


def test_a_rejected_candidate_shows_prompt_completion_filters_and_what_it_is_too_close_to(folder):
    task = one(folder, "not_new")
    said = why(task.id, [folder])

    assert said.startswith(f"{task.id}  rejected by instructions: not_new\n  {task.instruction}")
    assert f"  request {task.meta['request']}, item {task.meta['item']}; demos {', '.join(task.parents)}" in said
    assert "filter too_short: passes" in said
    assert f"  nearest {task.meta['nearest']}" in said
    assert f"  rouge_l {task.scores['rouge_l']}" in said
    assert "  │ Continue this numbered list" in said
    assert f"  → item {task.meta['item']}: {task.instruction}" in said
    assert "\nclassify" not in said


def test_the_journal_is_closed_even_where_it_cannot_be_read(folder):
    task = one(folder, None, "4_filter.jsonl")
    with closing(sqlite3.connect(folder / FILE)) as db:
        db.execute("ALTER TABLE completions DROP COLUMN finish_reason")
    with pytest.raises(SproutError, match="no such column") as caught:
        why(task.id, [folder])

    still_open = [file.resolve() for file in Path("/proc/self/fd").iterdir()]
    assert (folder / FILE).resolve() not in still_open, caught.traceback


def test_a_kept_task_shows_all_its_stages(folder):
    task = one(folder, None, "4_filter.jsonl")
    said = why(task.id[:12], [folder])

    assert said.startswith(f"{task.id}  kept by filter")
    assert [stage for stage in ("instructions", "classify", "instances", "filter") if f"\n{stage}: kept" in said] == [
        "instructions", "classify", "instances", "filter",
    ]  # fmt: skip
    assert f"classification: {'yes' if task.is_classification else 'no'}" in said
    assert '"output"' in said
    assert "instance 1: passes" in said


def test_an_instance_that_was_left_out_is_shown_with_the_filter_that_objected(seeds, tmp_path):
    def half(request: Request) -> str:
        text = answer(request)
        return text.replace("zwei", "[your answer]") if "eins" in text else text

    run(stages(), seeds, Scripted(half), tmp_path)
    task = next(task for task in read_tasks(tmp_path / "4_filter.jsonl") if "left_out" in task.meta)
    said = why(task.id, [tmp_path])

    assert "instance 1: passes\n  instance 2: rejected by placeholder" in said
    assert "left out: {'placeholder': 1}" in said


def test_a_long_prompt_is_shown_whole_only_on_request(folder, monkeypatch):
    task = one(folder, None)
    monkeypatch.setattr("pipeline.report.why.MOST", 300)

    assert "characters, --full shows them" in why(task.id, [folder])
    assert "characters, --full shows them" not in why(task.id, [folder], full=True)


def test_all_runs_are_looked_through(folder, tmp_path):
    assert why(one(folder, None).id, [folder, folder])


def test_an_unknown_id_and_one_that_begins_several_are_told(folder):
    with pytest.raises(SproutError, match=r"task_0000000000zz: no such task in"):
        why("task_0000000000zz", [folder])
    with pytest.raises(SproutError, match=r"task_: begins the ids of task_.*; give more of it"):
        why("task_", [folder])


def test_without_a_journal_the_rest_is_shown(folder):
    (folder / FILE).unlink()

    assert "so prompts and completions can't be shown" in why(one(folder, "not_new").id, [folder])
