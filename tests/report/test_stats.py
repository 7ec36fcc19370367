"""The funnel: every task is kept or rejected for a reason."""

import json
import re
import time

import pytest

from pipeline import Completion, Request, Sampling, run
from pipeline.engines.scripted import Scripted
from pipeline.report import page, stats
from pipeline.report.record import read_run
from pipeline.runs.files import funnel
from pipeline.runs.journal import FILE, Journal
from pipeline.stages import Classify, Filter, Instances, Instructions
from tests.conftest import answer


def test_each_stage_adds_up(model, seeds, tmp_path):
    run(
        [Instructions(num_tasks=15, window=2, max_rouge=0.6), Classify(), Instances(), Filter()], seeds, model, tmp_path
    )
    counts = funnel(tmp_path)

    assert list(counts) == ["instructions", "classify", "instances", "filter"]
    assert counts["instructions"]["kept"] == counts["classify"].total() == 15
    for (_, before), (_, after) in zip(list(counts.items())[:-1], list(counts.items())[1:], strict=True):
        assert before["kept"] == after.total()
    shown = stats.show(stats.figures(tmp_path))
    total, kept, rejected = shown.splitlines()[1].split()[1:4]
    assert int(total) == int(kept) + int(rejected)
    assert f"not_new {counts['instructions']['not_new']}" in shown


def test_what_is_kept_at_each_place_in_a_list_is_shown_for_the_stage_that_read_it(model, seeds, tmp_path):
    run([Instructions(num_tasks=15, window=2, max_rouge=0.6), Classify()], seeds, model, tmp_path)
    found = stats.figures(tmp_path)

    places = found["instructions"].by_place
    assert len(places) > 1
    assert sum(kept for kept, _ in places) == found["instructions"].kept
    assert sum(decided for _, decided in places) == found["instructions"].decided
    assert found["classify"].by_place == ()
    assert f"instructions, kept by position in the model's list: {places[0][0]} of {places[0][1]}, " in stats.show(
        found
    )


def test_figures_say_what_each_stage_was_paid_for_and_how_busy_the_engine_was(seeds, tmp_path):
    def counted(request: Request) -> Completion:
        return Completion(id=request.id, text=answer(request), prompt_tokens=10, cached_tokens=5, completion_tokens=2)

    run([Instructions(num_tasks=15, window=2), Classify(), Instances(), Filter()], seeds, Scripted(counted), tmp_path)
    found = stats.figures(tmp_path)

    assert found["classify"].engine.requests == found["classify"].decided == 15
    assert found["instances"].engine.tokens_per_kept_task == pytest.approx(30 / found["instances"].kept)
    assert 0 < found["instructions"].engine.busy_share <= 1
    assert 1 <= found["instructions"].engine.in_flight <= 8
    assert found["filter"].engine is None
    assert re.search(r"classify +15 +150 +50% +30 +2\.0 ", stats.show_usage(stats.figures(tmp_path)))
    stats.write(tmp_path)
    written = json.loads((tmp_path / "stats.json").read_text())
    assert written == stats.as_record(found)
    assert list(written["classify"]) == ["decided", "kept", "rejected", "engine"]
    assert list(written["filter"]) == ["decided", "kept", "rejected"]


def test_a_folder_without_a_journal_has_no_usage(seeds, model, tmp_path):
    run([Instructions(num_tasks=5, window=2)], seeds, model, tmp_path)
    (tmp_path / FILE).unlink()

    assert stats.show_usage(stats.figures(tmp_path)) == ""


def test_the_next_steps_do_not_depend_on_the_name_of_the_folder(seeds, model, tmp_path):
    run([Instructions(num_tasks=5, window=2)], seeds, model, tmp_path / "quickstart")
    (tmp_path / "quickstart").rename(tmp_path / "other")
    said = {name: stats.summary(tmp_path / name, stats.figures(tmp_path / "other")) for name in ("quickstart", "other")}

    assert said["quickstart"].replace("quickstart", "other") == said["other"]
    assert said["other"].endswith(f"next:\n  sprout stats {tmp_path / 'other'}\n  sprout show {tmp_path / 'other'}")


def test_what_an_evaluation_was_paid_is_listed_without_tasks(seeds, tmp_path):
    run([Instructions(num_tasks=15, window=2)], seeds, Scripted(answer), tmp_path)
    with Journal(tmp_path / FILE) as journal:
        request = Request(id="x", prompt="Is it?", sampling=Sampling())
        journal.record("evaluate", "m", request, Completion(id="x", text="Yes", prompt_tokens=3, completion_tokens=2))
    found = stats.figures(tmp_path)

    assert found["evaluate"].engine.completion_tokens == 2
    assert "evaluate" not in stats.show(found)
    assert found["evaluate"].engine.tokens_per_second is None  # nobody took the time
    assert re.search(r"\nevaluate +1 +3 +0% +2 +– ", stats.show_usage(found))


def test_stats_and_report_say_the_same_speed_and_leave_pauses_out(seeds, tmp_path):
    pytest.importorskip("bokeh")

    def counted(request: Request) -> Completion:
        time.sleep(0.01)
        return Completion(id=request.id, text=answer(request), prompt_tokens=10, completion_tokens=10)

    run([Instructions(num_tasks=40, window=2)], seeds, Scripted(counted), tmp_path)
    time.sleep(1.5)
    run([Instructions(num_tasks=80, window=2)], seeds, Scripted(counted), tmp_path)
    (used,) = page.usage(read_run(tmp_path))
    shown = stats.show_usage(stats.figures(tmp_path)).splitlines()[1].split()

    assert shown[6] == used["speed"]
    assert used["seconds"] < 1.5
    assert float(used["speed"].replace(",", "")) == pytest.approx(used["completion_tokens"] / used["seconds"], abs=1)
