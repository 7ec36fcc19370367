"""Scores are added to tasks, none is dropped, and nothing is asked twice."""

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
from tests.conftest import answer
from tests.runs.test_run import stages
from tests.runs.toys import files
from tests.stages.scoring import ALL, JUDGED, Model, answered, likely, others, tasks


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


@pytest.mark.parametrize("most", [0, 1, 2, 7])
def test_scores_do_not_depend_on_which_task_is_read_again(tmp_path, most):
    run([Score(scorers=ALL)], tasks(), Model(), tmp_path / "whole")
    run([Score(scorers=ALL)], tasks(), Model(window=2), tmp_path / "cut")
    path = tmp_path / "cut" / "1_score.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:most]))
    run([Score(scorers=ALL)], tasks(), again := Model(), tmp_path / "cut")

    assert not again.scored
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_what_cannot_be_scored_is_kept_and_counted(tmp_path, caplog):
    def some(request):
        too_long = "Say 7" in str(request.prompt)
        return Likelihood(id=request.id, error="the prompt is too long") if too_long else likely(request)

    found = list(run([Score(scorers=ALL)], tasks(), Model(some), tmp_path))

    assert len(found) == 12
    assert found[7].scores == {"length": 4}
    assert (
        "score: 4 of 12 tasks have no likelihood, the first this time is t00: it has nothing to measure" in caplog.text
    )
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


def test_redecide_of_a_run_that_was_stopped_leaves_open_what_has_no_likelihood_yet(tmp_path):
    def stop(progress):
        if progress.decided == 4:
            raise KeyboardInterrupt

    run([Score(scorers=ALL)], tasks(), Model(), tmp_path / "whole")
    for window in (1, 3):
        folder = tmp_path / str(window)
        with pytest.raises(KeyboardInterrupt):
            run([Score(scorers=ALL)], tasks(), Model(window=window), folder, RunOptions(progress=stop))
        redecide([Score(scorers=ALL)], Context(tasks(), Model(most=0), folder))
        decided = [*read_tasks(folder / "1_score.jsonl")]

        assert 4 <= len(decided) < len(tasks())
        assert all(task.scores for task in decided if task.instances)
        run([Score(scorers=ALL)], tasks(), Model(), folder)
        assert files(folder) == files(tmp_path / "whole")


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
