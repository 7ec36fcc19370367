"""Scorers that ask a model for its opinion."""

import math

import pytest

from pipeline import Instance, Task
from pipeline.asking.converse import question
from pipeline.dataset.encodings import zero_shot
from pipeline.engines.base import Likelihood
from pipeline.scorers.confidence import agreement, combined
from pipeline.scorers.wording import Wording
from pipeline.task import Answer
from tests.scorers.scoring import scored, task


def number(found, name):
    """The number of a task, or why there is none."""
    return found.numbers[0].get(name, found.lacks[0].get(name))


# --- choices


def by_rating(*shares):
    """Answers each rating with its share of the probability, as two tokens where it is odd."""

    def likely(request):
        share = shares[int(request.continuation) - 1]
        log = math.log(share) if share else -math.inf
        return [log / 2, log / 2] if int(request.continuation) % 2 else [log]

    return likely


@pytest.mark.parametrize(
    ("shares", "rating"),
    [
        ((0.1, 0.1, 0.1, 0.1, 0.1, 0.5), 0.1 * 15 + 3),
        ((0, 0, 0, 0, 0, 1), 6),
        ((1e-300, 0, 0, 0, 0, 0), 1),
        ((1e-9, 1e-9, 0, 0, 0, 0), 1.5),
        ((0.02, 0, 0, 0, 0, 0.06), 4.75),
    ],
)
def test_a_choice_is_the_mean_rating_under_probabilities_that_sum_to_one(shares, rating):
    assert number(scored(task("abc"), "choices", by_rating(*shares)), "choices") == pytest.approx(rating)


def test_ratings_without_any_probability_make_no_number():
    found = scored(task("abc"), "choices", by_rating(0, 0, 0, 0, 0, 0))

    assert number(found, "choices") == "no rating has a probability above 0"


def test_quality_is_asked_of_each_instance_and_complexity_of_each_input():
    given = Task(id="a", instruction="Say it", instances=[Instance(output="x"), Instance(output="y")])
    quality = scored(given, "choices", by_rating(*[0.1] * 6))
    complexity = scored(given, "choices", by_rating(*[0.1] * 6), template="score_complexity")

    assert (len(quality.asked), len(complexity.asked)) == (12, 6)
    prompts = {ask.request.prompt for ask in quality.asked.values()}
    assert all("Say it" in prompt and prompt.endswith("Rating:") for prompt in prompts)
    assert {ask.request.continuation for ask in quality.asked.values()} == {f" {n}" for n in range(1, 7)}


def test_a_chat_model_is_asked_by_a_message_and_answers_with_the_bare_number():
    found = scored(task("abc"), "choices", by_rating(*[0.1] * 6), Wording(question, chat=True))

    assert {ask.request.continuation for ask in found.asked.values()} == {str(n) for n in range(1, 7)}
    assert all(ask.request.prompt[0]["role"] == "user" for ask in found.asked.values())


def test_a_task_without_instances_has_a_complexity_and_no_quality():
    likely = by_rating(*[0.1] * 6)

    assert number(scored(task(), "choices", likely, template="score_complexity"), "choices") == pytest.approx(3.5)
    assert number(scored(task(), "choices", likely), "choices") == "it has nothing to measure"


def test_other_ratings_are_asked_for(tmp_path):
    own = tmp_path / "own.jinja"
    own.write_text("{{ instruction }} from {{ lowest }} to {{ highest }}:")
    found = scored(task("abc"), "choices", lambda _: [-1.0], template=str(own), ratings=[0, 10])

    assert number(found, "choices") == 5
    assert {ask.request.prompt for ask in found.asked.values()} == {"Say it from 0 to 10:"}


# --- rubric


@pytest.mark.parametrize(("said", "rating"), [(" 4", 4), ("Rating: 2/5", 2), ("**5**", 5)])
def test_a_rubric_is_what_the_judge_says(said, rating):
    found = scored(task("abc"), "rubric", lambda _: said)

    assert number(found, "rubric") == rating
    (ask,) = found.asked.values()
    assert ask.request.choices == (" 1", " 2", " 3", " 4", " 5")
    assert ask.request.sampling.temperature == 0


def test_a_rubric_is_the_mean_over_the_instances():
    assert number(scored(task("good", "bad"), "rubric", lambda r: "1" if "bad" in r.prompt else "4"), "rubric") == 2.5


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("fine", "the model's answer is not a rating: 'fine'"),
        ("9/10", "the model's answer is not a rating: '9/10'"),
        ("", "the model said nothing"),
        ("<think>4", "the model said nothing"),
    ],
)
def test_what_is_no_rating_is_no_number(said, why):
    assert number(scored(task("abc"), "rubric", lambda _: said), "rubric") == why


def test_criteria_and_scale_are_in_the_prompt():
    settings = {"criteria": "It cites the passage.", "ratings": [0, 1, 2]}
    found = scored(task("abc", input="the passage"), "rubric", lambda _: "2", Wording(question, chat=True), **settings)
    (ask,) = found.asked.values()
    prompt = ask.request.prompt[0]["content"]

    assert "What counts: It cites the passage." in prompt
    assert "from 0 to 2" in prompt
    assert "Input: the passage" in prompt
    assert ask.request.choices == ("0", "1", "2")


# --- confidence


def test_confidence_is_the_arithmetic_of_bsdetector():
    """Figures of cvs-health/uqlm (Apache-2.0), tests/data/scorers/bsdetector_results_file.json."""
    observed, reflected = [0.799470615, 0.520080070, 0.680854030], [1.0, 1.0, 0.0]
    found = [combined(one, [said]) for one, said in zip(observed, reflected, strict=True)]

    assert found == pytest.approx([0.859629431, 0.664056049, 0.476597821], abs=1e-9)


@pytest.mark.parametrize(
    ("contradicted", "same", "number"),
    [(0, True, 1), (1, False, 0), (0, False, 0.8), (0.5, False, 0.4), (1, True, 0.2)],
)
def test_an_answer_agrees_if_it_does_not_contradict_and_more_if_it_is_the_same(contradicted, same, number):
    assert agreement(contradicted, same) == pytest.approx(number)


def asked(contradict=(), correct="A", sure="A"):
    """Says of which ordered pairs that they contradict each other, and what the two questions get."""

    def say(request):
        prompt = request.prompt
        if "First answer:" in prompt:
            first = prompt.partition("First answer: ")[2].partition("\n")[0]
            second = prompt.partition("Second answer: ")[2].partition("\n")[0]
            return " Yes" if (first, second) in contradict else " No"
        return f" {correct}" if "Is the answer" in prompt else f" {sure}"

    return say


def answered(*texts):
    instance = Instance(output="Paris", answers=[Answer(text=text) for text in texts])
    return Task(id="a", instruction="Name it", instances=(instance,))


@pytest.mark.parametrize(
    ("texts", "says", "confidence"),
    [
        (["Paris", " paris "], asked(), 1.0),
        (["Lyon"], asked({("Paris", "Lyon"), ("Lyon", "Paris")}, "B", "B"), 0.0),
        (["Lyon"], asked({("Paris", "Lyon")}, "C", "C"), 0.7 * 0.4 + 0.3 * 0.5),
        (["Paris", "It is Paris", "Lyon"], asked({("Paris", "Lyon"), ("Lyon", "Paris")}, "A", "C"),
         0.7 * (1 + 0.8 + 0) / 3 + 0.3 * 0.75),
        (["Lyon", "Lyon"], asked({("Paris", "Lyon"), ("Lyon", "Paris")}), 0.3),
    ],
)  # fmt: skip
def test_confidence_weighs_other_answers_and_two_questions(texts, says, confidence):
    assert number(scored(answered(*texts), "confidence", says), "confidence") == pytest.approx(confidence)


def test_the_same_words_are_asked_about_by_nobody_and_others_in_both_orders():
    found = scored(answered("Paris", "Lyon"), "confidence", asked())
    choices = [ask.request.choices for ask in found.asked.values()]

    assert choices == [(" Yes", " No")] * 2 + [(" A", " B", " C")] * 2


def test_weights_are_settings():
    says = asked({("Paris", "Lyon"), ("Lyon", "Paris")}, "A", "B")
    found = scored(answered("Paris", "Lyon"), "confidence", says, beta=0.5, alpha=0.6)

    assert number(found, "confidence") == pytest.approx(0.5 * 0.5 + 0.5 * 0.5)


@pytest.mark.parametrize(
    ("given", "says", "why"),
    [
        (task("abc"), asked(), "it has no answers to compare the output with"),
        (answered("Lyon"), asked(correct="maybe"), "the model's answer is none of A, B and C: ' maybe'"),
        (answered("Lyon"), lambda r: "?" if "First" in r.prompt else "A", "the model's answer is neither yes nor no"),
    ],
)
def test_without_answers_and_for_what_cannot_be_read_there_is_no_confidence(given, says, why):
    assert number(scored(given, "confidence", says), "confidence").startswith(why.replace("' maybe'", "'maybe'"))


def test_likelihoods_are_not_mistaken_for_completions():
    with pytest.raises(Exception, match="confidence fails"):
        scored(answered("Lyon"), "confidence", lambda request: Likelihood(id=request.id, per_token=(-1.0,)))


def test_prompts_end_without_a_blank_and_begin_alike():
    for template in ("score_rubric", "score_correct", "score_sure"):
        values = {"criteria": "", "lowest": "1", "highest": "5"}
        prompts = [
            Wording(zero_shot).render(template, instruction=text, input="", output="x", **values)
            for text in ("Name a river", "Tell a story")
        ]
        start = len(prompts[0].partition("Name")[0])
        assert prompts[0][:start] == prompts[1][:start]
        assert not prompts[0][-1].isspace()
