"""Stages that rewrite, encode and compose: each task says where it is from, and a plan foresees what they ask."""

import re
from collections import Counter

import pytest

from pipeline import Completion, Context, Request, read_tasks, run
from pipeline.report.why import why
from pipeline.runs.budget import Prices
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.plan import plan
from pipeline.stages import Compose, Evolve, Instructions
from tests.runs.rewriting import RUNS, Chatty, evolving, rewrites, toy, turning
from tests.runs.toys import files

each_run = pytest.mark.parametrize("stages", RUNS.values(), ids=RUNS)


@each_run
def test_what_comes_in_is_decided_once_in_each_stage_and_what_is_added_says_where_it_is_from(stages, seeds, tmp_path):
    run(stages(), seeds, toy(), tmp_path)
    kept = {} if stages()[0].adds and not stages()[0].of_given else {seed.id: seed for seed in seeds}
    for stage, path in zip(stages(), sorted(tmp_path.glob("*.jsonl")), strict=True):
        decided = {task.id: task for task in read_tasks(path)}
        added = decided.keys() - kept.keys()

        assert kept.keys() <= decided.keys()
        assert not added or stage.adds
        if isinstance(stage, (Evolve, Compose)):
            assert all(decided[id].meta["by"] == stage.name for id in added)
        kept = {id: task for id, task in decided.items() if task.kept}
    assert kept


@each_run
def test_every_task_can_be_explained_with_its_prompts(stages, seeds, tmp_path):
    run(stages(), seeds, toy(), tmp_path)
    for stage, path in zip(stages(), sorted(tmp_path.glob("*.jsonl")), strict=True):
        some: dict[object, str] = {}
        for task in read_tasks(path):
            some.setdefault((task.rejected, task.meta.get("by") == stage.name), task.id)
        for (reason, by_it), id in some.items():
            said = why(id, [tmp_path])
            assert re.search(rf"^{stage.name}: {f'rejected, {reason}' if reason else 'kept'}$", said, re.MULTILINE)
            here = said.partition(f"\n{stage.name}: ")[2].partition("\n\n")[0]
            assert not (by_it and "prompt, to" not in here), here


@each_run
def test_a_plan_foresees_what_the_run_then_asks(stages, seeds, tmp_path):
    said = plan(stages(100), Context(seeds, toy(), tmp_path), Prices())
    run(stages(100), seeds, toy(), tmp_path)
    foreseen = {line.split()[0]: int(line.split()[1].replace(",", "")) for line in said.splitlines()[1:] if line[0] != " "
                and re.match(r"\S+ +[\d,]+ +[\d,]+ +[\d,]+ ", line)}  # fmt: skip
    with Journal(tmp_path / FILE) as journal:
        asked = {stage: used.requests for stage, used in journal.usage().items()}

    for stage in stages():
        if stage.name in foreseen and not stage.open_ended:
            assert asked.get(stage.name, 0) * 0.7 <= foreseen[stage.name] <= asked.get(stage.name, 0) * 2.2, stage.name


@pytest.mark.parametrize("stages", [evolving, turning])
def test_a_failed_request_is_not_a_decision_and_is_asked_again(stages, seeds, tmp_path):
    def flaky(request: Request) -> str | Completion:
        if request.sampling.seed % 5 == 0:
            return Completion(id=request.id, text="too long", finish_reason="error")
        return rewrites(request)

    run(stages()[:2], seeds, Chatty(flaky), tmp_path / "part")
    part = files(tmp_path / "part")
    run(stages()[:2], seeds, toy(), tmp_path / "part")
    run(stages()[:2], seeds, toy(), tmp_path / "whole")
    name = sorted(part)[1]

    again, whole = files(tmp_path / "part"), files(tmp_path / "whole")
    if stages is turning:  # tasks without instances
        assert again.keys() == whole.keys()
    else:
        assert len(part[name]) < len(again[name])
        assert sorted(again[name].splitlines()) == sorted(whole[name].splitlines())


def test_more_tasks_later_add_to_what_is_there(seeds, tmp_path):
    run(evolving(8), seeds, toy(), tmp_path / "grown")
    small = files(tmp_path / "grown")
    run(evolving(20), seeds, toy(), tmp_path / "grown")

    assert all(files(tmp_path / "grown")[name].startswith(data) for name, data in small.items())


def test_four_rounds_of_three_hundred_tasks_lose_no_parent_and_count_every_reason(seeds, tmp_path):
    stages = [Instructions(num_tasks=300, max_rouge=0.99), Evolve(rounds=4, keep="all")]
    run(stages, seeds, toy(64), tmp_path)
    given = {task.id: task for task in read_tasks(tmp_path / "1_instructions.jsonl") if task.kept}
    decided = {task.id: task for task in read_tasks(tmp_path / "2_evolve.jsonl")}
    versions = {id: task for id, task in decided.items() if id not in given}

    assert len(given) == 300
    assert len(versions) == 1200
    assert given.keys() <= decided.keys()
    reasons = Counter(task.rejected for task in versions.values())
    assert {None, "refusal", "same", "too_short", "copies_prompt", "cut_off"} == reasons.keys()
    for version in versions.values():
        line = [version]
        while line[-1].id not in given:
            (parent,) = line[-1].parents
            line.append(decided[parent])  # there, and kept
            assert line[-1].kept
        assert len(line) <= 5
        assert version.meta["request"] == f"{line[-1].id}:{version.meta['round']}"
    rounds = Counter(task.meta["round"] for task in versions.values())
    assert rounds == {1: 300, 2: 300, 3: 300, 4: 300}
