"""Scores are added to tasks, none is dropped, and nothing is asked twice."""

import hashlib
import re

import pytest

from pipeline import Context, Instance, SproutError, Task, read_tasks, run
from pipeline.engines.base import Likelihood
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


def likely(request):
    """The same for the same text, with up to five tokens."""
    noise = hashlib.sha256(f"{request.prompt}|{request.continuation}".encode()).digest()
    return [-0.01 * one for one in noise[: 1 + noise[0] % 5]]


class Model(Scripted):
    """Counts what it is asked to score, and may be stopped."""

    def __init__(self, says=likely, window=8, most=None, **options):
        self.scored = []

        def likelihood(request):
            if most is not None and len(self.scored) >= most:
                raise KeyboardInterrupt
            self.scored.append(request.id)
            return says(request)

        super().__init__(answer, window=window, likelihood=likelihood, **options)


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
    ("scorers", "of"), [(ALL, "tasks"), (("ifd",), "tasks"), (("length",), "tasks"), (ALL, "answers")]
)
@pytest.mark.parametrize("window", [1, 3, 64])
def test_a_run_that_is_killed_anywhere_ends_with_the_same_bytes_and_asks_nothing_twice(tmp_path, window, scorers, of):
    given = tasks(7) if of == "tasks" else answered(5)
    run([Score(scorers=scorers, of=of)], given, whole := Model(), tmp_path / "whole")
    for most in range(0, len(whole.scored), 2):
        folder, asked = tmp_path / str(most), []
        for engine in (Model(window=window, most=most), Model(window=window)):
            try:
                run([Score(scorers=scorers, of=of)], given, engine, folder)
            except KeyboardInterrupt:
                path = folder / "1_score.jsonl"
                if path.exists():
                    path.write_bytes(path.read_bytes()[: -most - 1])  # and the last line is torn
            asked += engine.scored
        assert files(folder) == files(tmp_path / "whole")
        assert sorted(asked) == sorted(whole.scored)


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
        ({"scorers": ["length", "length"]}, "two are called length"),
        ({"scorers": ["lenght"]}, "there is no scorer 'lenght'; did you mean length"),
        ({"scorers": ["length"], "options": {"ifd": {}}}, "ifd is not among the scorers length"),
        ({"scorers": ["ifd"], "options": {"ifd": {"form": "x"}}}, "options.ifd: form: input should be"),
        ({"scorers": []}, "at least 1 item"),
    ],
)
def test_bad_settings_are_refused_when_they_are_given(settings, said):
    with pytest.raises(ValueError, match=said):
        Score(**settings)


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
