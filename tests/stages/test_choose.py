"""Which of the answers to an instance becomes its output, and when none does."""

import json
import math
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline import Completion, Context, Instance, Task
from pipeline.engines.base import Sampling
from pipeline.engines.scripted import Scripted
from pipeline.stages import Choose
from pipeline.stages._consensus import consensus
from pipeline.task import Answer

WARM = Sampling(temperature=1, max_tokens=4)


def instance(*texts: str | Answer, output: str = "old") -> Instance:
    answers = (text if isinstance(text, Answer) else Answer(text=text) for text in texts)
    return Instance(output=output, answers=tuple(answers))


def scored(text: str, **scores: float) -> Answer:
    return Answer(text=text, scores=scores)


def task(*instances: Instance, id: str = "a") -> Task:
    return Task(id=id, instruction="Say it.", instances=instances)


def chosen(stage: Choose, *tasks: Task, judge: Scripted | None = None) -> list[Task]:
    engine = judge or Scripted(lambda request: pytest.fail(f"{request.id} was asked"))
    return [*stage.decide(tasks, (), Context((), engine, Path("unused")))]


def outcome(stage: Choose, *answers: str | Answer, judge: Scripted | None = None) -> str:
    """The output that is chosen, or the reason why none is."""
    (found,) = chosen(stage, task(instance(*answers)), judge=judge)
    assert (found.rejected is None) != (found.instances[0].output == "old")
    return found.rejected or found.instances[0].output


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (("Yes.", "yes", "no"), "Yes."),  # the first that others repeat, as it is written
        (("no", "Yes", "yes!"), "Yes"),
        (("yes", "no", "YES"), "yes"),
        (("a red ball", "the red ball", "a red cat"), "a red ball"),
        (("a blue ball", "the red ball", "a red ball"), "a red ball"),
        (("runs", "running", "run"), "runs"),  # words are compared by their stems
        (("a b", "a b c", "c"), "no_consensus"),  # the first and the last share nothing
        (("one", "two", "three"), "no_consensus"),
        (("one",), "no_consensus"),
        (("one two", "two three"), "one two"),
        (("one", "ONE "), "one"),
        (("x", "a", "b", "a", "b", "b"), "b"),  # most votes
        (("x", "a", "b", "b", "a"), "a"),  # of two with as many, the first
        (("да", "нет", "да"), "да"),  # repeated in any script
        (("красный мяч", "большой красный мяч", "мяч"), "красный мяч"),  # and alike in any
        (("红色的球", "红色的大球", "一个球"), "红色的球"),
        (("красный мяч", "the red ball", "мяч"), "no_consensus"),
        (("", "", "a"), ""),  # as published: nothing, said twice, is agreement
        (("a b", "", ""), ""),
        (("", "a", "a b"), "no_consensus"),
        ((), "no_answers"),
    ],
)  # fmt: skip
def test_consensus_takes_what_others_repeat_or_else_what_is_most_like_all_others(answers, said):
    (found,) = chosen(Choose(), task(instance(*answers)))

    assert (found.rejected or found.instances[0].output) == said


def test_two_answers_share_more_than_the_least_that_is_asked_for():
    assert outcome(Choose(), "a b c d e f g h i", "a z", "a y") == "a z"
    assert outcome(Choose(min_rouge=0.3), "a b c d e f g h i", "a z", "a y") == "no_consensus"


def test_the_vote_of_a_real_run_is_that_of_ensemble_instruct():
    run = json.loads((Path(__file__).parent / "ensemble_run.json").read_text())["tasks"]
    texts = [[" ".join(f"w{n}" if n >= 0 else "é" for n in answer) for answer in one["answers"]] for one in run]
    tasks = [task(instance(*three), id=str(n)) for n, three in enumerate(texts)]
    found = chosen(Choose(), *tasks)
    kept = [int(one.id) for one in found if one.kept]
    ways = Counter(consensus(three) for three in texts)
    same = {n for n in kept if texts[n].index(found[n].instances[0].output) in run[n]["published"]}

    assert (len(found), len(kept)) == (153, 105)
    assert kept == [n for n, one in enumerate(run) if one["published"]]
    assert {(way.place, way.by) if way else None: count for way, count in ways.items()} == {
        (0, "exact"): 5, (1, "exact"): 24, (0, "rouge"): 11, (1, "rouge"): 34, (2, "rouge"): 31, None: 48,
    }  # fmt: skip
    # The run is older than a fix: where only the second and the third output agree, it took the first.
    assert len(same) == 81
    assert {n for n in kept if consensus(texts[n]) == (1, "exact")} == {*kept} - same
    assert all(run[n]["published"] == [0] for n in {*kept} - same)


@pytest.mark.parametrize(
    ("settings", "scores", "said"),
    [
        ({}, (0.1, 0.9, 0.5), "1"),
        ({"order": "lowest"}, (0.1, 0.9, 0.5), "0"),
        ({}, (0.9, 0.9), "0"),  # of two that are as good, the first
        ({"order": "lowest"}, (0.9, 0.1, 0.1), "1"),
        ({}, (None, 0.2, None), "1"),  # one without the score is no candidate
        ({}, (None, None), "no_score"),
        ({}, (math.nan, 0.2, math.nan, 0.5), "3"),  # nor is one whose score is no number
        ({"order": "lowest"}, (math.nan, math.inf, -math.inf), "2"),
        ({"min_gap": 3}, (math.inf, 0.2), "0"),
        ({}, (math.nan,), "no_score"),
        ({"min_score": 0.5}, (0.1, 0.5), "1"),
        ({"min_score": 0.5}, (0.1, 0.4), "score_too_low"),
        ({"max_score": 0.5}, (0.1, 0.6), "score_too_high"),
        ({"order": "lowest", "max_score": 0.5}, (0.6, 0.4), "1"),
        ({"min_gap": 3}, (2, 5.5), "1"),
        ({"min_gap": 3}, (2, 5), "small_gap"),  # it is more than the gap
        ({"min_gap": 0}, (2, 2), "small_gap"),
        ({"min_gap": 3, "order": "lowest"}, (9, 8, 4), "2"),
        ({"min_gap": 3}, (5,), "small_gap"),  # nothing to be better than
    ],
)  # fmt: skip
def test_the_best_by_a_score_within_its_bounds(settings, scores, said):
    answers = [scored(str(n), **({} if one is None else {"likelihood": one})) for n, one in enumerate(scores)]

    assert outcome(Choose(by="score:likelihood", **settings), *answers) == said


def test_the_first_that_passes_a_check_or_the_shortest():
    answers = [
        scored("fails", check=0),
        Answer(text="unchecked"),
        scored("passes too", check=1),
        scored("passes", check=1),
    ]

    assert outcome(Choose(by="check"), *answers) == "passes too"
    assert outcome(Choose(by="check", shortest=True), *answers) == "passes"
    assert outcome(Choose(by="check"), *answers[:2]) == "none_passes"
    labelled = Answer(text="passes the tests", scores={"check-tests": 1, "check": 0})
    assert outcome(Choose(by="check-tests"), *answers, labelled) == "passes the tests"


def prefers(best: str, tie: tuple[str, ...] = ()) -> Scripted:
    """A judge that always says which is best, wherever it stands; and of some that they are a tie with it."""

    def says(request):
        prompt = str(request.prompt)
        first, second = (prompt.partition(f"Answer {name}: ")[2].partition("\n")[0] for name in "AB")
        if best not in (first, second) or {first, second} & {*tie}:
            return " tie"
        return " A" if first == best else " B"

    return Scripted(says)


@pytest.mark.parametrize(
    ("best", "said"), [("old one", "old one"), ("second", "second"), ("third", "third"), ("nothing", "old one")]
)
def test_a_judge_lets_the_first_stand_until_another_is_surely_better(best, said):
    judge = prefers(best)
    assert outcome(Choose(by="judge"), "old one", "second", "third", judge=judge) == said
    pairs = [(request.id.split(":")[2], request.id.split(":")[3]) for request in judge.requests]

    assert [order for _, order in pairs] == ["0", "1", "0", "1"]
    assert pairs[0][0] == "0-1"
    assert pairs[2][0] == ("1-2" if best == "second" else "0-2")
    assert all(request.choices == (" A", " B", " tie") for request in judge.requests)
    free = prefers(best)
    outcome(Choose(by="judge", constrain=False), "old one", "second", "third", judge=free)
    assert not any(request.choices for request in free.requests)


def test_a_judge_that_prefers_what_is_shown_first_changes_nothing():
    always = Scripted(lambda request: " A")
    (found,) = chosen(Choose(by="judge"), task(instance("old one", "new")), judge=always)

    assert found.instances[0].output == "old one"
    assert [answer.scores for answer in found.instances[0].answers] == [{"judge": 0.5}, {"judge": 0.5}]
    (found,) = chosen(Choose(by="judge", unsure="reject"), task(instance("old one", "new")), judge=always)
    assert found.rejected == "unsure"
    assert found.instances[0].answers[1].scores == {"judge": 0.5}  # still told


@pytest.mark.parametrize(
    ("verdicts", "bound", "unsure", "said"),
    [  # of the new answer, two in each order; a tie is half of one
        ("BABA", 0.8, "keep", "new"), ("BAB tie", 0.8, "keep", "new"), ("BABB", 0.8, "keep", "old one"),
        ("BABB", 0.7, "keep", "new"), ("BABB", 0.8, "reject", "unsure"), ("ABAB", 0.8, "reject", "old one"),
        ("ABA tie", 0.8, "reject", "old one"), ("ABAA", 0.8, "reject", "unsure"), ("B?BA", 0.8, "keep", "new"),
    ],
)  # fmt: skip
def test_what_is_surely_better_the_share_of_verdicts_says(verdicts, bound, unsure, said):
    words = iter(verdicts.replace(" tie", "t"))
    judge = Scripted(lambda _: {"A": "A", "B": "B", "t": "tie", "?": "I can't say"}[next(words)], window=1)
    stage = Choose(by="judge", num_verdicts=2, min_confidence=bound, unsure=unsure, sampling=WARM)

    assert outcome(stage, "old one", "new", judge=judge) == said


def test_the_judge_is_not_asked_about_what_is_the_same_or_alone():
    judge = Scripted(lambda request: pytest.fail("was asked"))

    assert outcome(Choose(by="judge"), "one thing", "one  thing", judge=judge) == "one thing"
    assert outcome(Choose(by="judge", unsure="reject"), "one thing", judge=judge) == "one thing"
    assert outcome(Choose(by="judge"), judge=judge) == "no_answers"


def rates(**ratings: object) -> Scripted:
    def says(request):
        prompt = str(request.prompt)
        order = sorted(ratings, key=lambda text: prompt.index(f": {text}\n"))
        return json.dumps({"ratings": [ratings[text] for text in order]})

    return Scripted(says)


def test_ratings_are_the_mean_of_both_orders_and_the_better_one_is_taken_if_the_gap_is_large():
    answers = ["strong", "target"]
    judge = rates(strong=9, target=5)
    (found,) = chosen(Choose(by="ratings", min_gap=3), task(instance(*answers)), judge=judge)

    assert found.instances[0].output == "strong"
    assert [answer.scores for answer in found.instances[0].answers] == [{"rating": 9}, {"rating": 5}]
    assert judge.requests[0].json_schema["properties"]["ratings"]["maxItems"] == 2
    assert judge.requests[0].prompt.index("strong") < judge.requests[0].prompt.index("target")
    assert judge.requests[1].prompt.index("strong") > judge.requests[1].prompt.index("target")
    assert outcome(Choose(by="ratings", min_gap=3), *answers, judge=rates(strong=8, target=5)) == "small_gap"
    assert outcome(Choose(by="ratings", min_gap=3), *answers, judge=rates(strong=2, target=8)) == "target"
    first = Scripted(lambda request: "10 4")  # whatever stands first
    assert outcome(Choose(by="ratings", min_gap=3), *answers, judge=first) == "small_gap"
    assert outcome(Choose(by="ratings"), *answers, judge=Scripted(lambda request: "Both are good.")) == "unrated"
    assert outcome(Choose(by="ratings", min_score=9), *answers, judge=rates(strong=8, target=1)) == "score_too_low"


def test_instances_of_which_no_answer_qualifies_are_left_out_and_counted():
    both = task(instance("a", "b"), instance("yes", "Yes")).update(meta={"left_out": {"repeated": 1}})
    (found,) = chosen(Choose(), both)

    assert [one.output for one in found.instances] == ["yes"]
    assert found.meta["left_out"] == {"repeated": 1, "no_consensus": 1}
    assert [answer.text for answer in found.instances[0].answers] == ["yes", "Yes"]
    (again,) = chosen(Choose(), both.update(meta=found.meta))
    assert again.meta["left_out"] == {"repeated": 1, "no_consensus": 2}
    assert [one.rejected for one in chosen(Choose(), task(instance("a", "b")), task(), both)] == [
        "no_consensus", "no_answers", None,
    ]  # fmt: skip


def test_one_whose_judge_failed_is_left_for_the_next_run():
    broken = Scripted(
        lambda request: Completion(
            id=request.id, text="too long", finish_reason="error" if "b:" in request.id else "stop"
        )
    )
    found = chosen(Choose(by="judge"), task(instance("x", "y"), id="b"), task(instance("x", "x"), id="c"), judge=broken)

    assert [one.id for one in found] == ["c"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"by": "luck"}, "'luck' is not a way to choose; set consensus, score:NAME, check, judge or ratings"),
        ({"by": "score:"}, "'score:' is not a way to choose"),
        ({"min_score": 3}, "min_score: has no effect with by = 'consensus'; delete it"),
        ({"by": "judge", "min_gap": 3}, "min_gap: has no effect with by = 'judge'; delete it"),
        ({"by": "score:x", "unsure": "reject"}, "unsure: has no effect with by = 'score:x'; delete it"),
        ({"by": "judge", "num_verdicts": 3}, "3 verdicts at temperature 0 would be the same; raise the temperature"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused_in_a_sentence(settings, said):
    with pytest.raises(ValidationError) as error:
        Choose(**settings)
    assert said in str(error.value)
