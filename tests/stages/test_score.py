"""Scores are added to tasks, none is dropped, and nothing is asked twice."""

import hashlib
import re

import pytest

from pipeline import Context, Instance, SproutError, Task, read_tasks, run
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
from tests.runs.test_run import files, stages

ALL = ("likelihood", "length", "ifd")
JUDGED = {  # by everything that a model is asked for, in rounds, and by what follows from that
    "scorers": ("complexity=choices", "length", "rubric", "confidence", "margin", "entropy", "both=linear"),
    "options": {
        "complexity": {"template": "score_complexity"},
        "margin": {"minus": "base"},
        "both": {"weights": {"rubric": 1, "complexity": 0.5}, "constant": -1},
    },
}


def likely(request):
    """The same for the same text, with up to five tokens."""
    noise = hashlib.sha256(f"{request.prompt}|{request.continuation}".encode()).digest()
    return [-0.01 * one for one in noise[: 1 + noise[0] % 5]]


def rates(request):
    """An opinion, the same for the same prompt; now and then one that cannot be read."""
    noise = hashlib.sha256(str(request.prompt).encode()).digest()
    if noise[1] % 12 == 0:
        return " Who knows?"
    return request.choices[noise[0] % len(request.choices)] if request.choices else answer(request)


class Model(Scripted):
    """Counts what it is asked to score and to rate, and may be stopped."""

    def __init__(self, says=likely, window=8, most=None, rates=rates, **options):
        self.scored = []

        def likelihood(request):
            if most is not None and len(self.scored) >= most:
                raise KeyboardInterrupt
            self.scored.append(request.id)
            return says(request)

        def rate(request):
            if most is not None and len(self.scored) >= most:
                raise KeyboardInterrupt
            self.scored.append(request.id)
            return rates(request)

        super().__init__(rate, window=window, likelihood=likelihood, **options)


def others(window=8):
    return RunOptions(engines={"base": Model(lambda request: [-2.0], window=window, model="base")})


def tasks(number: int = 12) -> list[Task]:
    """Some have several instances, some none."""
    return [
        Task(
            id=f"t{n:02}",
            instruction=f"Say {n} in words",
            is_classification=False,
            instances=tuple(Instance(input=str(i), output=f"it is {n} {i}") for i in range(n % 4)),
        )
        for n in range(number)
    ]


def answered(number: int = 12) -> list[Task]:
    """The same with answers: none, one, or several to an instance, two of them alike."""
    given = []
    for n, task in enumerate(tasks(number)):
        texts = (f"eins {n}", f"zwei {n}", f"eins {n}", f"drei und vier {n}")
        instances = [
            one.model_copy(update={"answers": tuple(Answer(text=text, model="m") for text in texts[: (n + i) % 5])})
            for i, one in enumerate(task.instances)
        ]
        given.append(task.update(instances=tuple(instances)))
    return given


def test_every_task_is_kept_with_its_numbers_in_order(tmp_path):
    found = list(run([Score(scorers=ALL)], tasks(), Model(), tmp_path))

    assert [task.id for task in found] == [task.id for task in tasks()]
    assert [list(task.scores) for task in found] == [[*ALL] if task.instances else [] for task in tasks()]


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ({"scorers": ALL}, tasks(7)),
        ({"scorers": ["ifd"]}, tasks(7)),
        ({"scorers": ["length"]}, tasks(7)),
        ({"scorers": ALL, "of": "answers"}, answered(5)),
        (JUDGED, answered(5)),
        (JUDGED | {"of": "answers"}, answered(4)),
    ],
)
@pytest.mark.parametrize("window", [1, 3, 64])
def test_a_run_that_is_killed_anywhere_ends_with_the_same_bytes_and_asks_nothing_twice(
    tmp_path, window, settings, given
):
    run([Score(**settings)], given, whole := Model(), tmp_path / "whole", others())
    for most in range(0, len(whole.scored), max(2, len(whole.scored) // 5)):
        folder, asked = tmp_path / str(most), []
        for engine in (Model(window=window, most=most), Model(window=window)):
            try:
                run([Score(**settings)], given, engine, folder, others(window))
            except KeyboardInterrupt:
                path = folder / "1_score.jsonl"
                if path.exists():
                    path.write_bytes(path.read_bytes()[: -most - 1])  # and the last line is torn
            asked += engine.scored
        assert files(folder) == files(tmp_path / "whole")
        assert sorted(asked) == sorted(whole.scored)


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
    assert "1 tasks are undecided" in caplog.text
    found = list(run([Score(scorers=["rubric"])], tasks(), engine := Model(), tmp_path))

    assert {one.partition(":")[0] for one in engine.scored} == {"t05"}
    assert {task.id for task in found} == {task.id for task in tasks()}
    assert "rubric" not in next(task for task in found if task.id == "t03").scores


def test_what_a_judge_says_that_is_no_rating_is_counted_once(tmp_path, caplog):
    run([Score(scorers=["rubric"])], tasks(), Model(rates=lambda request: "Hm."), tmp_path)

    said = [line for line in caplog.messages if "have no rubric" in line]
    assert said == ["score: 12 of 12 tasks have no rubric, the first of now is t00: it has nothing to measure"]
    assert "rubric: there is no number" in why("t01", [tmp_path])
    assert "Hm." in why("t01", [tmp_path])


@pytest.mark.parametrize("most", [0, 1, 2, 7])
def test_scores_do_not_depend_on_which_task_is_read_again(tmp_path, most):
    run([Score(scorers=ALL)], tasks(), Model(), tmp_path / "whole")
    run([Score(scorers=ALL)], tasks(), Model(window=2), tmp_path / "cut")
    path = tmp_path / "cut" / "1_score.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:most]))
    run([Score(scorers=ALL)], tasks(), again := Model(), tmp_path / "cut")

    assert not again.scored
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


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

    assert f"{without} of {total} answers have no likelihood, the first of now is t02: the prompt is too" in caplog.text
    assert "score: 3 of 6 tasks have no answers, so nothing of theirs is scored" in caplog.text
    assert "likelihood -2.0 for the answer 'eins 2'" in why("t02", [tmp_path])
    assert "likelihood: there is no number for the answer 'zwei 2'" in why("t02", [tmp_path])
    caplog.clear()
    run([Score(scorers=["likelihood"], of="answers")], given, Model(most=0), tmp_path)
    assert f"score: {without} of {total} answers have no likelihood" in caplog.text
    assert "score: 3 of 6 tasks have no answers" in caplog.text


def test_what_cannot_be_scored_is_kept_and_counted(tmp_path, caplog):
    def some(request):
        too_long = "Say 7" in str(request.prompt)
        return Likelihood(id=request.id, error="the prompt is too long") if too_long else likely(request)

    found = list(run([Score(scorers=ALL)], tasks(), Model(some), tmp_path))

    assert len(found) == 12
    assert found[7].scores == {"length": 4}
    assert "score: 4 of 12 tasks have no likelihood, the first of now is t00: it has nothing to measure" in caplog.text
    assert "score: 3 of 12 tasks have no length" in caplog.text
    assert "likelihood: there is no number" in why("t07", [tmp_path])
    assert "length 4" in why("t07", [tmp_path])


def test_those_of_before_are_counted_too(tmp_path, caplog):
    run([Score(scorers=["length"])], tasks(4), Model(), tmp_path)
    caplog.clear()
    run([Score(scorers=["length"])], tasks(4), Model(), tmp_path)

    assert re.search(r"score: 1 of 4 tasks have no length$", caplog.messages[0])


def test_redecide_asks_nothing_and_decides_the_same(seeds, tmp_path):
    def silent(request):
        raise AssertionError(f"the model was asked {request.id}")

    run([*stages(), Score(scorers=ALL)], seeds, Model(), tmp_path)
    before = files(tmp_path)
    redecide([*stages(), Score(scorers=ALL)], Context(seeds, Scripted(silent, likelihood=silent), tmp_path))

    assert files(tmp_path) == before


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


def test_redecide_takes_no_likelihood_for_that_of_another_text(tmp_path, caplog):
    run([Score(scorers=["ifd"])], tasks(), Model(), tmp_path)
    other = [Score(scorers=["ifd"], options={"ifd": {"form": "perplexity"}}, encoding="output")]
    redecide(other, Context(tasks(), Model(most=0), tmp_path))

    assert all(not task.scores for task in read_tasks(tmp_path / "1_score.jsonl"))
    assert "score: 12 of 12 tasks have no ifd" in caplog.text


def test_a_plan_counts_its_requests_and_the_run_does_not_repeat_them(tmp_path):
    planned = Model()
    said = plan([Score(scorers=ALL)], Context(tasks(40), planned, tmp_path), Prices())
    run([Score(scorers=ALL)], tasks(40), engine := Model(), tmp_path)

    assert 0 < len(planned.scored) <= 20
    total = len(planned.scored) + len(engine.scored)
    assert len({*planned.scored, *engine.scored}) == total
    counted = int(re.search(r"^score +(\d+)", said, re.MULTILINE)[1])
    assert counted + len(planned.scored) == pytest.approx(total, rel=0.25)


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


def test_scores_of_another_engine_carry_its_name(tmp_path):
    listed = [Score(scorers=ALL), Score(scorers=("likelihood", "length"), engine="judge", label="again")]
    judge = Model(lambda request: [-3.0], model="judge")
    found = list(run(listed, tasks(4), Model(), tmp_path, RunOptions(engines={"judge": judge})))

    assert list(found[1].scores) == [*ALL, "likelihood@judge"]
    assert found[1].scores["likelihood@judge"] == -3
    assert "likelihood@judge -3.0" in why("t01", [tmp_path])
    assert "likelihood@judge: there is no number" in why("t00", [tmp_path])


def test_an_engine_that_tells_no_likelihoods_says_so_and_length_needs_none(tmp_path):
    with pytest.raises(SproutError, match="the engine Scripted cannot tell how likely a text is"):
        run([Score(scorers=["likelihood"])], tasks(), Scripted(answer), tmp_path / "likelihood")

    assert len(run([Score(scorers=["length"])], tasks(), Scripted(answer), tmp_path / "length")) == 12


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"scorers": ["length", "length"]}, 'two are called length; give one another name, such as "other=length"'),
        ({"scorers": ["a b=length"]}, "a score is called by letters, digits, - and _; rename it"),
        ({"scorers": ["long=lenght"]}, "there is no scorer 'lenght'; did you mean length"),
        ({"scorers": ["margin"]}, "options.margin: minus is missing"),
        ({"scorers": ["margin"], "options": {"margin": {"minus": ""}}}, "options.margin: minus: string should have at"),
        (
            {"scorers": ["margin"], "options": {"margin": {"minus": "judge"}}, "engine": "judge"},
            "options.margin: judge is the engine of the stage itself; name another one",
        ),
        ({"scorers": ["linear"], "options": {"linear": {"weights": {}}}}, "options.linear: weights"),
        ({"scorers": ["lenght"]}, "there is no scorer 'lenght'; did you mean length"),
        ({"scorers": ["length"], "options": {"ifd": {}}}, "ifd is not among the scorers length"),
        ({"scorers": ["ifd"], "options": {"ifd": {"form": "x"}}}, "options.ifd: form: input should be"),
        ({"scorers": []}, "at least 1 item"),
    ],
)
def test_bad_settings_are_refused_when_they_are_given(settings, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Score(**settings)


def test_an_engine_that_is_not_there_is_named_before_anything_is_asked(tmp_path):
    with pytest.raises(SproutError, match=r"there is no engine 'base'.*add a table \[engines.base\]"):
        run([Score(scorers=["margin"], options={"margin": {"minus": "base"}})], tasks(), Model(), tmp_path)


def test_another_template_or_another_model_in_second_place_is_another_setting(tmp_path):
    own = tmp_path / "own.jinja"
    own.write_text("{{ instruction }}: {{ output }}. Rating:")
    settings = {"scorers": ["rubric"], "options": {"rubric": {"template": str(own)}}}
    run([Score(**settings)], tasks(), Model(), tmp_path / "run")
    own.write_text("{{ instruction }}: {{ output }}! Rating:")
    with pytest.raises(SproutError, match="was begun with another template"):
        run([Score(**settings)], tasks(), Model(), tmp_path / "run")

    settings = {"scorers": ["margin"], "options": {"margin": {"minus": "base"}}}
    run([Score(**settings)], tasks(), Model(), tmp_path / "margin", others())
    other = RunOptions(engines={"base": Model(model="other")})
    with pytest.raises(SproutError, match="was begun with another models"):
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


def test_changed_code_of_an_own_scorer_is_another_setting(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name, body in (("old_scorer", "1"), ("new_scorer", "2")):
        (tmp_path / f"{name}.py").write_text(
            f"def one(task):\n    return helper()\n\ndef helper():\n    return {body}\n"
        )
    old, new = (Score(scorers=[f"{name}:one"]).settings() for name in ("old_scorer", "new_scorer"))

    assert old["code of old_scorer:one"] != new["code of new_scorer:one"]


@pytest.mark.parametrize("chat", [False, True])
def test_likelihood_and_ifd_are_those_of_torch(base_model, chat_model, tmp_path, chat):
    import torch

    from pipeline.engines.transformers import Transformers

    engine = Transformers(chat_model if chat else base_model)
    given = Task(id="a", instruction="Name it", is_classification=False, instances=(Instance(output="Lima yes"),))
    two = [Score(scorers=("likelihood", "ifd"), encoding="output"),
           Score(scorers=["ifd"], options={"ifd": {"form": "perplexity"}}, label="ppl")]  # fmt: skip
    (first,) = run(two[:1], [given], engine, tmp_path / "loss")
    (second,) = run(two[1:], [given], engine, tmp_path / "ppl")
    engine.close()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(engine.model)
    model = AutoModelForCausalLM.from_pretrained(engine.model, dtype=torch.float32)

    def loss(prompt: str, text: str) -> float:
        before, after = (tokenizer(one, add_special_tokens=False)["input_ids"] for one in (prompt, text))
        ids = torch.tensor([before + after])
        labels = torch.tensor([[-100] * len(before) + after])
        with torch.no_grad():
            return float(model(ids, labels=labels).loss)

    asked, header, output = ("Name it\n\nOutput:", "Output:", " Lima yes")
    if chat:
        asked, header, output = "<|user|>Name it<|end|><|assistant|>", "<|user|><|end|><|assistant|>", "Lima yes"
    plain = asked if chat else "Name it\n\n"
    assert first.scores["likelihood"] == pytest.approx(-loss(asked, output), abs=1e-4)
    assert first.scores["ifd"] == pytest.approx(loss(asked, output) / loss(header, output), abs=1e-4)
    exp = [torch.tensor(loss(*texts)).exp().item() for texts in ((plain, "Lima yes"), ("", "Lima yes"))]
    assert second.scores["ifd"] == pytest.approx(exp[0] / exp[1], abs=1e-3)
