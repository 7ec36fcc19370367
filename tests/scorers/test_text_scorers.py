"""Scorers of texts and of other scores: each gives the number that its source does."""

import math

import pytest

from pipeline import Instance, Task
from pipeline.dataset.encodings import zero_shot
from pipeline.scorers.wording import Wording
from pipeline.task import Answer
from tests.scorers.scoring import scored, task


def answered(*texts: str) -> Task:
    return Task(
        id="a", instruction="Say it", instances=(Instance(output="x", answers=[Answer(text=t) for t in texts]),)
    )


def number(found, name):
    """The number of a task, or why there is none."""
    return found.numbers[0].get(name, found.lacks[0].get(name))


@pytest.mark.parametrize(
    ("texts", "entropy"),
    [
        (["a"], 0),
        (["a", " A\n", "a"], 0),
        (["a", "b", "c", "d"], math.log(4)),
        (["a", "a", "b", "b"], math.log(2)),
        (["a", "a", "a", "a", "b"], -(0.8 * math.log(0.8) + 0.2 * math.log(0.2))),
        (["", ""], 0),
    ],
)
def test_entropy_is_that_of_the_counts_of_equal_answers(texts, entropy):
    assert number(scored(answered(*texts), "entropy", None), "entropy") == pytest.approx(entropy)


def test_entropy_is_the_mean_over_the_instances_that_have_answers():
    one, two = answered("a", "b").instances[0], answered("a", "a").instances[0]
    given = answered().update(instances=(one, two, Instance(output="x")))

    assert number(scored(given, "entropy", None), "entropy") == pytest.approx(math.log(2) / 2)


def test_without_answers_there_is_no_entropy():
    assert number(scored(task("abc"), "entropy", None), "entropy") == "it has no answers"


@pytest.mark.parametrize(
    ("text", "mtld"),
    [
        ("a a a a a a", 2.0),  # the ratio falls below .72 at every second word
        ("a b c a b c", 6 / (1 + (1 - 2 / 2) / 0.28)),  # 3/5 at the fifth word; then a single word, whose ratio is 1
        ("a b a", 3.0),  # 2/3 at the third
        ("a b c a", 4 / (0.25 / 0.28)),  # 3/4 at the end: a piece that is not ended
    ],
)
def test_mtld_is_the_mean_length_of_a_piece_with_varied_words(text, mtld):
    assert number(scored(task(text), "mtld", None), "mtld") == pytest.approx(mtld)


def test_mtld_reads_both_ways():
    forwards = 5 / 1  # a b b: 2/3, and c d with a ratio of 1
    backwards = 5 / ((1 - 4 / 5) / 0.28)  # d c b b a: 4/5 at the end

    found = number(scored(task("a b b c d"), "mtld", None), "mtld")
    assert found == pytest.approx((forwards + backwards) / 2)


@pytest.mark.parametrize("text", ["", "one", "all words differ here"])
def test_a_text_without_a_repeated_word_is_too_short_for_mtld(text):
    assert number(scored(task(text), "mtld", None), "mtld") == "its outputs are too short: no word occurs twice"


RULE = {"reward": -0.1498, "length": 8.257e-5, "knn": -0.935}


def test_linear_is_the_rule_of_its_weights():
    given = task("x").score(reward=2.0, length=100.0, knn=0.5, other=7.0)
    found = number(scored(given, "linear", None, weights=RULE, constant=1.0694), "linear")

    assert found == pytest.approx(1.0694 - 0.2996 + 0.008257 - 0.4675)


@pytest.mark.parametrize(
    ("reward", "length", "said"),
    [(math.inf, 1.0, -math.inf), (-math.inf, math.inf, math.inf), (math.inf, math.inf, "infinite scores cancel out")],
)
def test_infinite_scores_make_an_infinite_sum_or_none(reward, length, said):
    given = task("x").score(reward=reward, length=length)

    assert number(scored(given, "linear", None, weights={"reward": -1.0, "length": 2.0}), "linear") == said


def test_a_score_that_is_missing_is_named():
    assert number(scored(task("x").score(length=1), "linear", None, weights=RULE), "linear") == "it has no reward, knn"


@pytest.mark.parametrize(("form", "margin"), [("mean", -1.5 - -2.0), ("sum", -3.0 - -6.0)])
def test_margin_is_one_likelihood_minus_another(form, margin):
    wording = Wording(zero_shot, others={"base": Wording(lambda instruction, given: f"{instruction}?")})

    def likely(request):
        return [-2.0, -2.0, -2.0] if request.prompt.endswith("?") else [-1.0, -2.0]

    found = scored(task("abc"), "margin", likely, wording, minus="base", form=form)
    assert number(found, "margin") == pytest.approx(margin)
    assert [ask.engine for ask in found.asked.values()] == ["", "base"]


def test_without_instances_there_is_no_margin():
    wording = Wording(zero_shot, others={"base": Wording(zero_shot)})

    assert number(scored(task(), "margin", None, wording, minus="base"), "margin") == "it has nothing to measure"
