"""Opinions of judges, numbers of answers, and several engines at once: what is asked in rounds is lost nowhere."""

import re

import pytest

from pipeline import Context, Instance, SproutError, Task, run
from pipeline.engines.base import Completion, Likelihood
from pipeline.engines.scripted import Scripted
from pipeline.report.why import why
from pipeline.runs.budget import Prices
from pipeline.runs.plan import plan
from pipeline.runs.redecide import redecide
from pipeline.runs.run import RunOptions
from pipeline.stages.score import Score
from pipeline.task import Answer
from tests.conftest import answer
from tests.runs.toys import files
from tests.stages.scoring import ALL, JUDGED, Model, answered, others, rates, tasks


def test_opinions_of_many_tasks_are_the_same_however_many_are_asked_for_at_once(tmp_path):
    for window in (1, 8, 64):
        found = list(run([Score(**JUDGED)], answered(60), Model(window=window), tmp_path / str(window), others(window)))

    assert files(tmp_path / "1") == files(tmp_path / "8") == files(tmp_path / "64")
    assert [task.id for task in found] == [task.id for task in answered(60)]
    rated = [task for task in found if {"rubric", "complexity"} <= task.scores.keys()]
    assert len(rated) > 20
    for task in rated:
        assert task.scores["both"] == pytest.approx(task.scores["rubric"] + 0.5 * task.scores["complexity"] - 1)


def test_requests_go_out_to_both_engines_while_either_has_room(tmp_path):
    """Not all of one engine before the first of the other."""
    order = []

    class Noting(Scripted):
        def __init__(self, name):
            super().__init__(answer, model=name, window=4, likelihood=lambda request: order.append(name) or -1.0)

    options = RunOptions(engines={"base": Noting("base")})
    run([Score(scorers=["margin"], options={"margin": {"minus": "base"}})], tasks(40), Noting("own"), tmp_path, options)

    total = len(order)
    assert order.count("own") == order.count("base") == total / 2
    assert abs(order[: total // 2].count("own") - total / 4) < 10


def test_a_judge_that_is_down_decides_nothing_and_one_that_cannot_read_a_task_never_will(tmp_path, caplog):
    def flaky(request):
        if "Say 3" in str(request.prompt):
            return Completion(id=request.id, text="the prompt is too long for the model", finish_reason="error")
        if "Say 5" in str(request.prompt):
            return Completion(id=request.id, text="status 503: try later", finish_reason="error")
        return rates(request)

    first = list(run([Score(scorers=["rubric"])], tasks(), Model(rates=flaky), tmp_path))
    assert [task.id for task in first] == [task.id for task in tasks() if task.id != "t05"]
    assert "too long" in caplog.text
    assert "1 task undecided" in caplog.text
    found = list(run([Score(scorers=["rubric"])], tasks(), engine := Model(), tmp_path))

    assert {one.partition(":")[0] for one in engine.scored} == {"t05"}
    assert {task.id for task in found} == {task.id for task in tasks()}
    assert "rubric" not in next(task for task in found if task.id == "t03").scores


def test_what_a_judge_says_that_is_no_rating_is_counted_once(tmp_path, caplog):
    run([Score(scorers=["rubric"])], tasks(), Model(rates=lambda request: "Hm."), tmp_path)

    said = [line for line in caplog.messages if "have no rubric" in line]
    assert said == ["score: 12 of 12 tasks have no rubric, the first this time is t00: it has nothing to measure"]
    assert "rubric: there is no number" in why("t01", [tmp_path])
    assert "Hm." in why("t01", [tmp_path])


def test_an_answer_gets_the_numbers_of_a_task_with_that_output_alone(tmp_path):
    given = answered()
    found = list(run([Score(scorers=ALL, of="answers")], given, Model(), tmp_path / "answers"))
    for before, after in zip(given, found, strict=True):
        answers = [(i, answer) for i in after.instances for answer in i.answers]
        alone = [
            before.update(id=f"{before.id}{n}", instances=(Instance(input=i.input, output=answer.text),))
            for n, (i, answer) in enumerate(answers)
        ]
        scored = run([Score(scorers=ALL)], alone, Model(), tmp_path / before.id) if alone else []
        assert [answer.scores for _, answer in answers] == [task.scores for task in scored]
        assert after.scores == {}
        bare = [one.model_copy(update={"answers": ()}) for one in after.instances]
        assert bare == [one.model_copy(update={"answers": ()}) for one in before.instances]


def test_answers_keep_the_scores_that_they_have(tmp_path):
    task = Task(
        id="a",
        instruction="Say it",
        scores={"likelihood": -9.0},
        instances=(Instance(output="x", answers=(Answer(text="one two", scores={"check": 1.0}), Answer(text=""))),),
    )
    (found,) = run([Score(scorers=["length"], of="answers")], [task], Model(), tmp_path)

    assert [one.scores for one in found.instances[0].answers] == [{"check": 1.0, "length": 2.0}, {"length": 0.0}]
    assert found.scores == {"likelihood": -9.0}


def test_answers_without_a_number_are_counted_and_explained(tmp_path, caplog):
    def some(request):
        too_long = request.continuation.startswith("zwei")
        return Likelihood(id=request.id, error="the prompt is too long") if too_long else [-2.0]

    given = answered(6)
    run([Score(scorers=["likelihood"], of="answers")], given, Model(some), tmp_path)
    total = sum(len(i.answers) for task in given for i in task.instances)
    without = sum(a.text.startswith("zwei") for task in given for i in task.instances for a in i.answers)

    assert (
        f"{without} of {total} answers have no likelihood, the first this time is t02: the prompt is too" in caplog.text
    )
    assert "score: 3 of 6 tasks have no answers, so nothing of theirs is scored" in caplog.text
    assert "likelihood -2.0 for the answer 'eins 2'" in why("t02", [tmp_path])
    assert "likelihood: there is no number for the answer 'zwei 2'" in why("t02", [tmp_path])
    caplog.clear()
    run([Score(scorers=["likelihood"], of="answers")], given, Model(most=0), tmp_path)
    assert f"score: {without} of {total} answers have no likelihood" in caplog.text
    assert "score: 3 of 6 tasks have no answers" in caplog.text


@pytest.mark.parametrize("of", ["tasks", "answers"])
def test_redecide_asks_no_judge_and_no_other_engine(tmp_path, of):
    settings = JUDGED | {"of": of}
    run([Score(**settings)], answered(), Model(), tmp_path, others())
    before = files(tmp_path)
    silent = Model(most=0)
    context = Context(answered(), silent, tmp_path, engines={"base": Model(most=0, model="base")})
    redecide([Score(**settings)], context)

    assert files(tmp_path) == before
    assert not silent.scored


def test_a_killed_run_that_is_decided_anew_keeps_what_was_judged_and_asks_the_rest(tmp_path):
    given = tasks(40)
    run([Score(scorers=["rubric"])], given, Model(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run([Score(scorers=["rubric"])], given, Model(most=30), tmp_path / "cut")
    redecide([Score(scorers=["rubric"])], Context(given, Model(most=0), tmp_path / "cut"))
    run([Score(scorers=["rubric"])], given, Model(), tmp_path / "cut")

    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_a_plan_counts_what_every_engine_is_asked(tmp_path):
    planned = Model()
    context = Context(answered(40), planned, tmp_path, engines=others().engines)
    said = plan([Score(**JUDGED)], context, Prices())
    base = others()
    run([Score(**JUDGED)], answered(40), engine := Model(), tmp_path, base)
    probed = len(planned.scored) + len(context.engines["base"].scored)
    total = probed + len(engine.scored) + len(base.engines["base"].scored)

    counted = int(re.search(r"^score +(\d+)", said, re.MULTILINE)[1])
    assert counted + probed == pytest.approx(total, rel=0.6)


def test_an_engine_that_is_not_there_is_named_before_anything_is_asked(tmp_path):
    with pytest.raises(SproutError, match=r"there is no engine 'base'.*add a table \[engines.base\]"):
        run([Score(scorers=["margin"], options={"margin": {"minus": "base"}})], tasks(), Model(), tmp_path)


def test_another_template_or_another_model_in_second_place_is_another_setting(tmp_path):
    own = tmp_path / "own.jinja"
    own.write_text("{{ instruction }}: {{ output }}. Rating:")
    settings = {"scorers": ["rubric"], "options": {"rubric": {"template": str(own)}}}
    run([Score(**settings)], tasks(), Model(), tmp_path / "run")
    own.write_text("{{ instruction }}: {{ output }}! Rating:")
    with pytest.raises(SproutError, match="was begun with different settings: template"):
        run([Score(**settings)], tasks(), Model(), tmp_path / "run")

    settings = {"scorers": ["margin"], "options": {"margin": {"minus": "base"}}}
    run([Score(**settings)], tasks(), Model(), tmp_path / "margin", others())
    other = RunOptions(engines={"base": Model(model="other")})
    with pytest.raises(SproutError, match="was begun with different settings: models"):
        run([Score(**settings)], tasks(), Model(), tmp_path / "margin", other)


def test_a_scorer_of_ones_own_may_ask_in_rounds(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "round_scorers.py").write_text(
        "def patience(task, wording):\n"
        "    said = yield [wording.ask(f'{task.instruction}?')]\n"
        "    for count in range(1, 4):\n"
        "        if 'enough' in said[0].text:\n"
        "            return count\n"
        "        said = yield [wording.ask(said[0].text + '?')]\n"
    )
    model = Model(rates=lambda request: f"{request.prompt} enough" if "??" in request.prompt else request.prompt)
    found = run([Score(scorers=["round_scorers:patience"])], tasks(5), model, tmp_path / "run")

    assert [task.scores for task in found] == [{"patience": 2.0}] * 5
    assert len(model.scored) == 10
