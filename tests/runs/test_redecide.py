"""Changed filters and thresholds can be applied to what was already paid for."""

import pytest

from pipeline import Completion, Context, Instance, SproutError, Task, read_tasks, run
from pipeline.engines.scripted import Scripted
from pipeline.runs.redecide import redecide
from pipeline.stages import Choose, Classify, Filter, Instances, Instructions
from pipeline.task import Answer
from tests.conftest import answer
from tests.runs.test_run import stages
from tests.runs.toys import files


def silent(request):
    raise AssertionError(f"the model was asked {request.id}")


@pytest.fixture
def folder(seeds, tmp_path):
    run(stages(), seeds, Scripted(answer), tmp_path)
    return tmp_path


def test_the_same_settings_decide_the_same(folder, seeds):
    before = files(folder)

    redecide(stages(), Context(seeds, Scripted(silent), folder))

    assert files(folder) == before


def test_a_changed_threshold_is_applied_without_asking_and_the_run_goes_on_from_there(folder, seeds):
    changed = stages(max_rouge=0.55)
    tasks = redecide(changed, Context(seeds, Scripted(silent), folder))
    decided = list(read_tasks(folder / "1_instructions.jsonl"))

    assert 0 < len(tasks) <= 20
    assert any(task.rejected == "not_new" and task.scores["rouge_l"] < 0.7 for task in decided)
    assert len(run(changed, seeds, Scripted(answer), folder)) == 20
    with pytest.raises(SproutError, match="begun with different settings: max_rouge"):
        run(stages(), seeds, Scripted(answer), folder)


def test_demos_stay_those_that_the_prompt_showed(folder, seeds):
    shown = {task.id: task.parents for task in read_tasks(folder / "1_instructions.jsonl")}

    redecide(stages(max_rouge=0.55), Context(seeds, Scripted(silent), folder))

    again = list(read_tasks(folder / "1_instructions.jsonl"))
    assert all(shown[task.id] == task.parents for task in again if task.id in shown)
    assert len({task.id for task in again} & shown.keys()) > len(shown) / 2


def test_a_stage_that_would_keep_nothing_leaves_the_files_as_they_were(folder, seeds):
    class Never(Filter):
        def judge(self, task: Task) -> Task:
            return task.reject("never")

    before = files(folder)
    with pytest.raises(SproutError, match="kept none of 20 tasks"):
        redecide([*stages()[:3], Never()], Context(seeds, Scripted(silent), folder))

    assert files(folder) == before
    assert len(run(stages(), seeds, Scripted(silent), folder)) == 20


def test_a_request_that_failed_when_it_was_asked_stays_undecided(seeds, tmp_path):
    def flaky(request):
        if str(request.prompt).endswith("Classification:") and int(request.id[-1], 16) % 2:
            return Completion(id=request.id, text="too long", finish_reason="error")
        return answer(request)

    run(stages(), seeds, Scripted(flaky), tmp_path)
    before = files(tmp_path)
    redecide(stages(), Context(seeds, Scripted(silent), tmp_path))

    assert files(tmp_path) == before


def test_a_run_that_was_stopped_early_is_decided_as_far_as_it_came(seeds, tmp_path):
    run([Instructions(num_tasks=20, window=4)], seeds, Scripted(answer), tmp_path)

    assert len(redecide(stages(), Context(seeds, Scripted(silent), tmp_path))) == 20
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["1_instructions.jsonl"]


@pytest.mark.parametrize("model", ["another", "scripted"])
def test_completions_of_another_model_or_other_seeds_are_refused(folder, seeds, model):
    others = seeds if model == "another" else seeds[1:]

    with pytest.raises(SproutError, match=r"its completions were made with another (model|seeds)"):
        redecide(stages(), Context(others, Scripted(silent, model=model), folder))


def test_without_stage_files_there_is_nothing_to_replace(folder, seeds):
    for path in folder.glob("*.jsonl"):
        path.unlink()

    with pytest.raises(SproutError, match="has no stage file to decide anew; `sprout run`"):
        redecide(stages(), Context(seeds, Scripted(silent), folder))


def test_without_completions_there_is_nothing_to_decide(seeds, tmp_path):
    with pytest.raises(SproutError, match=r"completions\.sqlite: does not exist"):
        redecide([Instructions(), Classify(), Instances(), Filter()], Context(seeds, Scripted(silent), tmp_path))


ANSWERED = [
    Task(
        id=f"t{n}",
        instruction="Count.",
        instances=(Instance(output="", answers=[Answer(text=text) for text in (f"It is {n}.", "two", "Two!")]),),
    )
    for n in range(4)
]


def judged(by: str) -> list[Choose | Filter]:
    return [Choose(by=by), Filter()]


def rates(request):
    return '{"ratings": [9, 3, 3]}' if str(request.prompt).find("It is") < str(request.prompt).find("two") else "3 3 9"


def test_a_stage_that_asks_no_more_is_decided_anew(tmp_path):
    run(judged("ratings"), ANSWERED, Scripted(rates), tmp_path / "run")
    redecide(judged("consensus"), Context(ANSWERED, Scripted(silent), tmp_path / "run"))
    run(judged("consensus"), ANSWERED, Scripted(silent), tmp_path / "fresh")

    assert files(tmp_path / "run") == files(tmp_path / "fresh")
    assert len(run(judged("consensus"), ANSWERED, Scripted(silent), tmp_path / "run")) == 4


def test_a_stage_that_did_not_ask_before_is_refused_and_the_advice_works(tmp_path):
    run(judged("consensus"), ANSWERED, Scripted(silent), tmp_path)
    with pytest.raises(
        SproutError, match=r"choose asks a model that it did not ask before.* without --redecide"
    ) as error:
        redecide(judged("ratings"), Context(ANSWERED, Scripted(silent), tmp_path))
    for path in tmp_path.glob("*.jsonl"):
        assert path.name in str(error.value)
        path.unlink()
    kept = run(judged("ratings"), ANSWERED, Scripted(rates), tmp_path)

    assert [task.instances[0].output for task in kept] == [f"It is {n}." for n in range(4)]
