"""Stages that answer and choose, where several engines answer: what is lost, explained, planned and decided anew."""

import json
import re
from collections import Counter

import pytest

from pipeline import Completion, Context, Request, RunOptions, SproutError, read_tasks, run
from pipeline.cli.main import main
from pipeline.engines.scripted import Scripted
from pipeline.report.why import why
from pipeline.runs.budget import Budget, Prices
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.plan import plan
from pipeline.runs.preview import preview
from pipeline.runs.redecide import redecide
from pipeline.stages import Answer, Choose, Export
from tests.runs.answering import RUNS, answers, ensemble, judged, rated, toys
from tests.runs.toys import Toys, files, go

each_run = pytest.mark.parametrize("stages", RUNS.values(), ids=RUNS)


def context(seeds, toys_there: Toys, folder) -> Context:
    return Context(seeds, toys_there.engine, folder, toys_there.engines)


@each_run
def test_no_task_and_no_instance_is_lost_and_every_answer_is_accounted_for(stages, seeds, tmp_path):
    go(stages(), seeds, toys(), tmp_path)
    given: dict[str, object] = {}
    for stage, path in zip(stages(), sorted(tmp_path.glob("*.jsonl")), strict=True):
        decided = {task.id: task for task in read_tasks(path)}
        assert given.keys() == decided.keys() or stage.adds
        for id, task in decided.items() if isinstance(stage, (Answer, Choose)) else ():
            before, left_out = given[id], Counter(task.meta.get("left_out"))
            left_out.subtract(Counter(before.meta.get("left_out")))
            if task.kept:
                assert len(task.instances) + left_out.total() == (len(before.instances) or 1)
            if isinstance(stage, Answer):
                asked = (len(before.instances) or 1) * len(stage.engines) * stage.num_answers
                had = sum(len(one.answers) for one in before.instances)
                out = Counter(task.meta.get("answers_left_out"))
                out.subtract(Counter(before.meta.get("answers_left_out")))
                new = [one for each in task.instances for one in each.answers if one.model]
                assert len(new) + out.total() == asked + had - (had if task.rejected else 0)
            if isinstance(stage, Choose) and task.kept:
                assert all(one.output in [answer.text for answer in one.answers] for one in task.instances)
        given = {id: task for id, task in decided.items() if task.kept}
    assert given
    assert all(one.answers for task in given.values() for one in task.instances)  # they survive the filters


@pytest.mark.parametrize("same", [0, 1, 3])
def test_tasks_about_which_a_judge_is_not_asked_are_decided_anew_wherever_they_stand(same, seeds, tmp_path):
    def says(request: Request) -> str | Completion:
        prompt = str(request.prompt)
        if not same or not prompt.endswith("Explanation:") or int(re.findall(r"number (\d+)", prompt)[-1]) % same:
            return answers(request)
        return " It is so.\nAnswer: one and the same"

    go(judged(), seeds, toys(says=says), tmp_path)
    before = files(tmp_path)
    redecide(judged(), context(seeds, toys(says=str), tmp_path))
    assert files(tmp_path) == before


def test_answers_of_another_model_are_not_decided_anew(seeds, tmp_path):
    go(ensemble(), seeds, toys(), tmp_path)
    other = toys()
    other.engines["small"] = Scripted(answers, model="another-model")

    with pytest.raises(SproutError, match="its completions were made with another models; run in another folder"):
        redecide(ensemble(), context(seeds, other, tmp_path))
    with pytest.raises(SproutError, match="was begun with different settings: models in answer"):
        go(ensemble(), seeds, other, tmp_path)


def test_an_engine_that_is_not_there_is_named_before_anything_is_asked(seeds, tmp_path):
    there = toys()
    del there.engines["chatty"]

    with pytest.raises(SproutError, match=r"\[answer\]: there is no engine 'chatty'.*add a table \[engines.chatty\]"):
        go(ensemble(), seeds, there, tmp_path)
    assert not there.requests


@each_run
def test_every_task_can_be_explained_with_the_prompts_of_all_engines(stages, seeds, tmp_path):
    go(stages(), seeds, toys(), tmp_path)
    for stage, path in zip(stages(), sorted(tmp_path.glob("*.jsonl")), strict=True):
        some: dict[object, str] = {}
        for task in read_tasks(path):
            some.setdefault(task.rejected, task.id)
        for reason, id in some.items():
            said = why(id, [tmp_path])
            assert re.search(rf"^{stage.name}: {f'rejected, {reason}' if reason else 'kept'}$", said, re.MULTILINE)
            here = said.partition(f"\n{stage.name}: ")[2].partition("\n\n")[0]
            for name in stage.other_engines if isinstance(stage, Answer) else ():
                assert f"prompt, to {name}-model" in here
            if isinstance(stage, Choose) and not reason:
                assert f"by {stage.by}" in here


@each_run
def test_a_plan_foresees_what_the_run_then_asks_of_all_engines(stages, seeds, tmp_path):
    said = plan(stages(100), context(seeds, toys(), tmp_path), Prices())
    go(stages(100), seeds, toys(), tmp_path)
    foreseen = {stage: int(count.replace(",", "")) for stage, count in re.findall(r"^(\S+) +([\d,]+) +[\d,]+ +[\d,]+ ", said, re.MULTILINE)}  # fmt: skip
    with Journal(tmp_path / FILE) as journal:
        asked = {stage: used.requests for stage, used in journal.usage().items()}

    for stage in stages():
        if isinstance(stage, Answer):
            assert asked[stage.name] * 0.7 <= foreseen[stage.name] <= asked[stage.name] * 1.6, stage.name
        elif stage.name in foreseen and not stage.open_ended:
            assert asked.get(stage.name, 0) * 0.3 <= foreseen[stage.name] <= asked.get(stage.name, 0) * 2.2, stage.name


def test_a_plan_counts_the_tokens_of_each_engine_at_its_own_length(seeds, tmp_path):
    def short(request: Request) -> Completion:
        said = answers(request)
        text = said if isinstance(said, str) else said.text
        return Completion(id=request.id, text=text, prompt_tokens=10, completion_tokens=1)

    def long(request: Request) -> Completion:
        return short(request).model_copy(update={"prompt_tokens": 1000, "completion_tokens": 100})

    there = toys(says=short)
    there.engines["chatty"] = Scripted(long, model="chatty-model", chat=True)
    said = plan(ensemble(100), context(seeds, there, tmp_path), Prices())
    go(ensemble(100), seeds, there, tmp_path)
    row = re.search(r"^answer +([\d,]+) +([\d,]+) +([\d,]+) ", said, re.MULTILINE)
    with Journal(tmp_path / FILE) as journal:
        used = journal.usage()["answer"]

    assert int(row[2].replace(",", "")) == pytest.approx(used.prompt_tokens, rel=0.2)
    assert int(row[3].replace(",", "")) == pytest.approx(used.completion_tokens, rel=0.2)


@each_run
def test_a_plan_in_an_empty_folder_asks_nothing_twice(stages, seeds, tmp_path):
    plan(stages(), context(seeds, first := toys(), tmp_path / "planned"), Prices())
    go(stages(), seeds, second := toys(), tmp_path / "planned")
    go(stages(), seeds, toys(), tmp_path / "whole")

    def asked(there: Toys) -> set[tuple[str, str]]:
        return {(request.id, str(request.prompt)) for request in there.requests}

    assert not asked(first) & asked(second)
    assert files(tmp_path / "planned") == files(tmp_path / "whole")


@each_run
def test_a_preview_shows_some_tasks_to_the_end(stages, seeds, tmp_path):
    said = preview(stages(), context(seeds, toys(), tmp_path), 6)

    assert "Nothing was written" in said
    assert "Stopped early" not in said


def test_what_was_chosen_is_in_the_dataset_and_answers_survive_export_and_review(seeds, tmp_path, capsys):
    tasks = go([*ensemble(), Export(include_seeds=False)], seeds, toys(), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "dataset" / "alpaca.jsonl").read_text("utf-8").splitlines()]
    task = tasks[0]
    change = ["--output", "Quite another.", "--instance", "1", "--reviewer", "anna"]
    main(["edit", str(tmp_path), task.id, *change])
    (edited,) = (
        one for one in go([*ensemble(), Export(include_seeds=False)], seeds, toys(), tmp_path) if one.id == task.id
    )

    assert {row["output"] for row in rows} == {one.output for task in tasks for one in task.instances}
    assert edited.instances[0].output == "Quite another."
    assert [one.answers for one in edited.instances] == [one.answers for one in task.instances]
    main(["edit", str(tmp_path), task.id, "--instruction", "Do something else.", "--reviewer", "anna"])
    (edited,) = (
        one for one in go([*ensemble(), Export(include_seeds=False)], seeds, toys(), tmp_path) if one.id == task.id
    )
    assert not any(one.answers for one in edited.instances)  # they answer what is no longer asked


def test_a_failed_request_to_one_engine_is_not_a_decision_and_is_asked_again(seeds, tmp_path):
    def flaky(request: Request) -> str | Completion:
        if request.id.startswith("task") and request.sampling.seed % 5 == 0 and "small" in request.id:
            return Completion(id=request.id, text="too long", finish_reason="error")
        return answers(request)

    go(ensemble()[:4], seeds, toys(says=flaky), tmp_path / "part")
    part = [*read_tasks(tmp_path / "part" / "4_answer.jsonl")]
    go(ensemble()[:4], seeds, toys(), tmp_path / "part")
    go(ensemble()[:4], seeds, toys(), tmp_path / "whole")

    again, whole = ([*read_tasks(tmp_path / name / "4_answer.jsonl")] for name in ("part", "whole"))
    assert len(part) < len(again) == len(whole)
    assert sorted(task.id for task in again) == sorted(task.id for task in whole)
    assert {task.id: task for task in again} == {task.id: task for task in whole}


def test_a_budget_ends_a_stage_of_several_engines_and_the_run_goes_on_to_the_same_bytes(seeds, tmp_path):
    def counted(request: Request) -> Completion:
        said = answers(request)
        found = said if isinstance(said, Completion) else Completion(id=request.id, text=said)
        return found.model_copy(update={"prompt_tokens": 10, "completion_tokens": 10})

    there = toys(says=counted)
    go(rated(), seeds, there, tmp_path / "whole")
    spent = 20 * len(there.requests)
    for part in (0.5, 0.8):
        there = toys(says=counted)
        options = RunOptions(engines=there.engines, budget=Budget(max_tokens=int(spent * part)))
        with pytest.raises(SproutError, match=r"stopped: .* tokens are spent"):
            run(rated(), seeds, there.engine, tmp_path / "part", options)
    go(rated(), seeds, toys(says=counted), tmp_path / "part")

    assert files(tmp_path / "part") == files(tmp_path / "whole")
