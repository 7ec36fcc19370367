"""What a run will take is said before anything is spent, and what the probe spent is not spent again."""

import re
import time

import pytest

from pipeline import Completion, Context, SproutError, read_tasks, run
from pipeline.engines.scripted import Scripted
from pipeline.runs.budget import Prices
from pipeline.runs.plan import duration, plan
from pipeline.stages import Instances, Instructions, Verify
from tests.conftest import answer
from tests.runs.test_run import stages
from tests.runs.toys import files


def counted(request):
    return Completion(id=request.id, text=answer(request), prompt_tokens=1000, completion_tokens=100)


def test_a_plan_foresees_what_the_run_then_takes(seeds, tmp_path):
    engine = Scripted(counted)
    said = plan(stages(200), Context(seeds, engine, tmp_path), Prices(prompt=1, completion=10))
    probed = len(engine.requests)
    figures = {
        line.split()[0]: [float(x.replace(",", "")) for x in line.split()[1:5]] for line in said.splitlines()[1:5]
    }
    run(stages(200), seeds, engine, tmp_path)

    assert 15 <= probed <= 20
    assert figures["classify"][0] == figures["instances"][0] == 200
    assert figures["all"][0] == pytest.approx(len(engine.requests), rel=0.15)
    for requests, prompt_tokens, completion_tokens, cost in figures.values():
        assert (prompt_tokens, completion_tokens) == pytest.approx((requests * 1000, requests * 100))
        assert cost == pytest.approx(requests * 0.002, abs=0.006)


def test_a_stage_that_asks_several_times_of_a_task_is_foreseen(seeds, tmp_path):
    engine = Scripted(answer)
    said = plan([*stages(100), Verify()], Context(seeds, engine, tmp_path), Prices())
    run(stages(100), seeds, engine, tmp_path)

    asked = sum(len(task.instances) for task in read_tasks(tmp_path / "4_filter.jsonl"))
    assert asked > 150
    assert float(re.search(r"verify +([\d,]+) ", said)[1].replace(",", "")) == pytest.approx(asked, rel=0.2)


def test_a_plan_for_a_finished_run_has_nothing_left(seeds, tmp_path):
    run(stages(20), seeds, Scripted(answer), tmp_path)
    said = plan(stages(20), Context(seeds, Scripted(answer), tmp_path), Prices())

    assert re.search(r"all +0 +0 +0 ", said)
    assert "Nothing is left to ask" in said
    assert "0 kept of 0" not in said


def test_a_probe_writes_no_stage_file_and_costs_the_run_nothing(seeds, tmp_path):
    run(stages(200), seeds, Scripted(answer), tmp_path / "whole")
    plan(stages(200), Context(seeds, first := Scripted(answer), tmp_path / "planned"), Prices())
    assert not files(tmp_path / "planned")

    run(stages(200), seeds, second := Scripted(answer), tmp_path / "planned")
    asked = [request.id for request in second.requests]
    assert not {request.id for request in first.requests} & set(asked)
    assert files(tmp_path / "planned") == files(tmp_path / "whole")


def test_the_same_plan_again_asks_nothing(seeds, tmp_path):
    first = plan(stages(200), Context(seeds, Scripted(answer), tmp_path), Prices())
    again = plan(stages(200), Context(seeds, engine := Scripted(answer), tmp_path), Prices())

    assert not engine.requests
    assert re.sub(r" +[\d.]+ (s|min|h)\n", "", again) == re.sub(r" +[\d.]+ (s|min|h)\n", "", first)


def seconds(said: str, stage: str) -> float:
    value, unit = re.search(rf"^{stage} .* ([\d.]+) (s|min|h)$", said, re.MULTILINE).groups()
    return float(value) * {"s": 1, "min": 60, "h": 3600}[unit]


@pytest.mark.parametrize("probed", [False, True])
def test_a_plan_over_a_journal_of_many_requests_takes_their_speed(seeds, tmp_path, probed):
    def slow(request):
        time.sleep(0.01)
        return answer(request)

    if probed:
        plan(stages(3000), Context(seeds, Scripted(slow), tmp_path), Prices())
        time.sleep(0.5)  # a pause is no work
    run(stages(60), seeds, Scripted(slow), tmp_path)
    for path in tmp_path.glob("*_*.jsonl"):
        path.unlink()  # what was decided; what was paid for stays
    said = plan(stages(3000), Context(seeds, engine := Scripted(slow), tmp_path), Prices())

    assert not engine.requests
    assert 20 < seconds(said, "classify") < 120  # 3,000 times 10 ms, on a machine that may be busy
    assert 20 < seconds(said, "instances") < 120


def test_what_is_known_from_the_journal_is_not_taken_for_fast(seeds, tmp_path):
    def slow(request):
        time.sleep(0.01)
        return answer(request)

    run(stages(4), seeds, Scripted(answer), tmp_path)
    for path in tmp_path.glob("*_*.jsonl"):
        path.unlink()
    said = plan(stages(3000), Context(seeds, engine := Scripted(slow), tmp_path), Prices())

    assert 0 < sum(request.id.startswith("instructions") for request in engine.requests) < 10
    assert 6 < seconds(said, "instructions") < 60  # about 800 times 10 ms


def test_a_plan_in_the_middle_of_a_run_is_for_what_is_left(seeds, tmp_path):
    run(stages(20), seeds, Scripted(answer), tmp_path)
    said = plan(stages(50), Context(seeds, Scripted(answer), tmp_path), Prices())

    assert re.search(r"classify +30 ", said)


def test_a_model_that_brings_nothing_is_told(seeds, tmp_path):
    with pytest.raises(SproutError, match=r"instructions: the probe kept no task, 10 rejected \(empty 10\)"):
        plan(stages(), Context(seeds, Scripted(lambda request: ""), tmp_path), Prices())


def test_a_duration_is_readable():
    assert [duration(s) for s in (3, 89, 600, 36_000)] == ["3 s", "89 s", "10 min", "10.0 h"]


def test_requests_that_answers_lead_to_are_foreseen(seeds, tmp_path):
    """A task is put a second time where the first answer is declined."""

    def said(request):
        if isinstance(request.prompt, tuple):
            return "It is done." if request.id.endswith(":2") else "I'm sorry, but I cannot help with that."
        return answer(request)

    asking = [Instructions(num_tasks=100, window=4), Instances(layout="chat")]
    told = plan(asking, Context(seeds, Scripted(said), tmp_path), Prices())
    run(asking, seeds, engine := Scripted(said), tmp_path)

    asked = sum(isinstance(request.prompt, tuple) for request in engine.requests)
    assert asked > 150
    assert float(re.search(r"instances +([\d,]+) ", told)[1].replace(",", "")) == pytest.approx(asked, rel=0.25)
