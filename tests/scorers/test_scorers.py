"""Each scorer gives the number that its paper does, and a function of the user's own is as good as one that ships."""

import math

import pytest

from pipeline import SproutError
from pipeline.asking.converse import question
from pipeline.dataset.encodings import zero_shot
from pipeline.engines.base import Likelihood
from pipeline.scorers.base import pooled
from pipeline.scorers.find import find_scorer, scorer_names
from pipeline.scorers.scored import ScoredTask
from pipeline.scorers.wording import Wording
from tests.scorers.scoring import scored, task


@pytest.mark.parametrize(
    ("outputs", "number"), [(["one two three"], 3), (["one", "two words  here\n"], 2), (["东京塔"], 3), ([""], 0)]
)
def test_length_counts_words_of_an_output(outputs, number):
    assert scored(task(*outputs), "length", lambda request: ()).numbers == [{"length": number}]


def test_likelihood_is_the_mean_over_the_tokens_of_all_outputs():
    found = scored(task("abc", "d"), "likelihood", lambda request: [-1.0] if request.continuation == "d" else [-4, -2])

    assert found.numbers == [{"likelihood": pytest.approx(-7 / 3)}]


@pytest.mark.parametrize(("form", "number"), [("loss", 0.5 / 2), ("perplexity", math.exp(0.5) / math.exp(2))])
def test_ifd_has_both_published_forms(form, number):
    def per_token(request):
        return [-0.5, -0.5] if "Say it" in request.prompt else [-1.0, -3.0]

    assert scored(task("abc"), "ifd", per_token, form=form).numbers == [{"ifd": pytest.approx(number)}]


@pytest.mark.parametrize(
    ("chat", "encoding", "form", "prompts", "outputs"),
    [
        (False, "plain", "loss", ["Say it\n\nx\n\n", ""], ["abc", "abc"]),
        (False, "output", "loss", ["Say it\n\nInput: x\n\nOutput:", "Output:"], [" abc", " abc"]),
        (False, "output", "perplexity", ["Say it\n\nInput: x\n\nOutput:", ""], [" abc", "abc"]),
        (True, "plain", "loss", [({"role": "user", "content": "Say it\n\nx"},), ({"role": "user", "content": ""},)],
         ["abc", "abc"]),
        (True, "plain", "perplexity", [({"role": "user", "content": "Say it\n\nx"},), ""], ["abc", "abc"]),
    ],
)  # fmt: skip
def test_texts_are_put_as_the_model_is_asked_and_tuned(chat, encoding, form, prompts, outputs):
    prompt = question if chat else lambda instruction, input: zero_shot(instruction, input, encoding)
    wording = Wording(prompt, chat, {"enable_thinking": False} if chat else {}, count_end=True)
    found = scored(task("abc", input="x"), "ifd", lambda _: [-1.0], wording, form=form)
    requests = [ask.request for ask in found.asked.values()]

    assert [request.prompt for request in requests] == prompts
    assert [request.continuation for request in requests] == outputs
    assert all(request.count_end for request in requests)
    assert [bool(request.chat_template_kwargs) for request in requests] == [not isinstance(one, str) for one in prompts]


@pytest.mark.parametrize("name", ["length", "likelihood", "ifd"])
def test_a_task_without_instances_has_no_number(name):
    found = scored(task(), name, lambda request: ())

    assert found.numbers == [{}]
    assert [list(one) for one in found.lacks] == [[name]]


@pytest.mark.parametrize("per_token", [(), [math.nan], [0.0]])
def test_what_cannot_be_divided_is_no_number(per_token):
    assert scored(task("abc"), "ifd", lambda request: per_token).numbers == [{}]


@pytest.mark.parametrize(("form", "number"), [("loss", 9999.0), ("perplexity", math.inf)])
def test_a_token_that_a_server_calls_impossible_makes_a_number(form, number):
    found = scored(task("abc"), "ifd", lambda request: [-9999.0 if request.prompt else -1.0], form=form)

    assert found.numbers == [{"ifd": number}]


def test_what_two_scorers_need_is_asked_once():
    scorers = {name: find_scorer(name, {}) for name in ("likelihood", "ifd")}
    found = ScoredTask(task("abc", "abc", "d"), scorers, Wording(zero_shot))

    assert len(found.open) == 4
    assert all(id.startswith("a:") and ask.request.id == id for id, ask in found.open.items())


def test_those_that_ship_are_found_by_their_modules():
    assert scorer_names() == [
        "choices", "confidence", "entropy", "ifd", "knn", "length", "likelihood", "linear", "margin", "mtld", "reward",
        "rubric",
    ]  # fmt: skip
    assert find_scorer("likelihood", {}).asks
    assert not find_scorer("length", {}).asks


OWN = """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from pipeline import Task
number = 3
def marks(task: Task, *, mark: str = "!"):
    return task.instruction.count(mark)
def needed(task, *, mark):
    return 1
def nothing():
    return 1
def much(task, wording):
    return 1
def surprise(task):
    yield []
def words(task):
    return "many"
def fails(task):
    return 1 / 0
def few(work):
    yield from ()
"""


@pytest.fixture
def own(tmp_path, monkeypatch) -> str:
    (tmp_path / "own_scorers.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return "own_scorers"


@pytest.mark.parametrize(("settings", "number"), [({}, 0), ({"mark": "a"}, 1)])
def test_settings_stand_behind_a_star(own, settings, number):
    scorer = find_scorer(f"{own}:marks", {"marks": settings, "others": {"x": 1}})

    assert scorer.function(task("abc"), **scorer.settings) == number


@pytest.mark.parametrize(
    ("place", "settings", "said"),
    [
        ("lenght", {}, "there is no scorer 'lenght'; did you mean length?"),
        ("nowhere:at_all", {}, "nowhere:at_all: there is no module nowhere in the current folder"),
        ("own_scorers:other", {}, "has no 'other'"),
        ("own_scorers:number", {}, "own_scorers:number: is not a scorer; write a function that takes a task"),
        ("own_scorers:nothing", {}, "a scorer that asks nothing takes task, but this one takes nothing"),
        ("own_scorers:much", {}, "takes task, but this one takes task and wording; put its settings behind a *"),
        ("own_scorers:surprise", {}, "a scorer that yields requests takes task and wording, but this one takes task"),
        ("own_scorers:needed", {}, "options.needed: mark is missing"),
        ("ifd", {"form": "median"}, "options.ifd: form: input should be 'loss' or 'perplexity' (found 'median')"),
        ("ifd", {"from": "loss"}, "options.ifd: there is no setting 'from'; did you mean form?"),
        ("length", {"form": "loss"}, "options.length: this scorer has no settings; delete the table"),
    ],
)
def test_what_is_no_scorer_and_what_is_no_setting_gets_one_sentence(own, place, settings, said):
    with pytest.raises(SproutError) as caught:
        find_scorer(place, {place.rpartition(":")[2]: settings})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("words", "the scorer words fails on task a (TypeError: it returns 'many', which is not a number); correct it"),
        ("fails", "the scorer fails fails on task a (ZeroDivisionError: division by zero); correct it"),
        ("few", "the scorer few fails on task a (TypeError: it yields fewer numbers than there are tasks); correct it"),
    ],
)
def test_a_scorer_that_fails_is_named_with_the_task(own, name, said):
    with pytest.raises(SproutError) as caught:
        ScoredTask(task("abc"), {name: find_scorer(f"{own}:{name}", {})}, Wording(zero_shot)).finish({"few": iter([])})
    assert said in str(caught.value)


def test_no_tokens_have_no_mean():
    assert pooled([Likelihood(id="a")]) is None
