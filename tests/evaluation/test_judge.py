"""Head to head: a judge is asked in both orders, and one that only looks at the order decides nothing."""

from collections.abc import Callable

import pytest

from pipeline.asking.verdicts import parse_better
from pipeline.engines.base import Completion, Request
from pipeline.engines.scripted import Scripted
from pipeline.evaluation.confidence import Difference
from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.judge import Asking, Tally, Verdict, figures, head_to_head, prompt

HELDOUT = [
    HeldOut(id=str(n), task=str(n), instruction="Name a fruit.", input=f"no. {n}", outputs=("fig",)) for n in range(12)
]
GOOD = {one.id: "a ripe fig" for one in HELDOUT}
BAD = {one.id: "a stone" for one in HELDOUT}


def compare(
    answer: Callable[[str], str | Completion], ours: dict = GOOD, theirs: dict = BAD, chat: bool = False
) -> Tally:
    def judge(request: Request) -> str | Completion:
        return answer(request.prompt if isinstance(request.prompt, str) else request.prompt[0]["content"])

    return figures(list(head_to_head(HELDOUT, ours, theirs, Scripted(judge, model="judge", chat=chat))))


def fair(text: str) -> str:
    first = text.partition("Answer A:")[2].partition("Answer B:")[0]
    second = text.partition("Answer B:")[2]
    return " tie" if ("fig" in first) == ("fig" in second) else " A" if "fig" in first else " B"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" A", 1), ("B.", 0), ("tie", 0.5), ("Answer B is better, as it", 0), ("**A**", 1), ("(b)", 0), ("Tie.", 0.5),
        ("Neither", 0.5), ("Both are fine", 0.5), ("\n\nA", 1), ("", None), ("The first", None), ("Apple", None), ("1", None),
        ("A tie", 0.5), ("It is a tie.", 0.5), ("A good answer would be", None), ("A because it is right", 1), ("B\nAnswer A", 0),
        ("Better: A", 1), ("Answer: B", 0), ("**Better:** A", 1), ("The better answer is A.", 1), ("Option B", 0),
        ("<think>A?</think>\n\nB", 0), ("A is worse", None), ("A: fine, B: wrong", None), ("The answers are fine", None),
        ("Final verdict: tie", 0.5), ("Best of luck", None),
    ],
)  # fmt: skip
def test_a_verdict_is_the_first_word(text, expected):
    assert parse_better(text) == expected


def test_a_prompt_shows_the_task_and_both_answers():
    text = prompt(HELDOUT[0], " x ", "")

    assert "Task: Name a fruit.\n\nInput: no. 0\n\nAnswer A: x\n\nAnswer B: (empty)\n\n" in text
    assert text.endswith("\nBetter:")
    assert "A good answer: fig\n" in prompt(HELDOUT[0], "x", "y", asking=Asking(with_reference=True))


@pytest.mark.parametrize("chat", [False, True])
def test_a_fair_judge_finds_the_better_model(chat):
    found = compare(fair, chat=chat)

    assert (found.wins, found.ties, found.losses) == (12, 0, 0)
    assert (found.win_rate.value, found.win_rate.high, found.win_rate.verdict) == (100, 100, "better")
    assert found.win_rate.low == pytest.approx(75.75, abs=0.01)  # Wilson
    assert (found.consistency, found.first_rate, found.unclear) == (1, 0.5, 0)
    assert compare(fair, BAD, GOOD).win_rate.verdict == "worse"


def test_a_judge_that_prefers_what_is_shown_first_decides_nothing_and_is_found_out():
    found = compare(lambda text: "A")

    assert (found.wins, found.ties, found.losses) == (0, 12, 0)
    assert found.win_rate.verdict == "unclear"
    assert (found.consistency, found.first_rate) == (0, 1)


def test_the_same_answer_is_a_tie_nobody_is_asked_about():
    theirs = BAD | {"0": "a  ripe fig\n", "1": "another fig"}
    asked = []

    def judge(text: str) -> str:
        asked.append(text)
        return fair(text)

    found = compare(judge, theirs=theirs)
    assert (found.wins, found.ties, found.instances, found.same) == (10, 2, 12, 1)
    assert len(asked) == 22
    assert compare(judge, GOOD, GOOD).consistency is None


def test_what_is_no_verdict_is_a_tie_and_counted():
    found = compare(lambda text: "I cannot say" if "no. 3" in text else fair(text))

    assert (found.wins, found.ties, found.unclear) == (11, 1, 2)
    assert found.consistency == pytest.approx(11 / 12, abs=1e-4)


def test_a_pair_whose_request_failed_is_left_out():
    def judge(text: str) -> str | Completion:
        failed = "no. 3" in text and text.index("fig") < text.index("stone")
        return Completion(id="0:3", text="too long", finish_reason="error") if failed else fair(text)

    found = compare(judge)
    assert (found.instances, found.wins, found.failed, found.unclear) == (11, 11, 1, 0)


def test_few_instances_are_not_enough_for_a_verdict():
    few = HELDOUT[:5]
    found = figures(list(head_to_head(few, GOOD, BAD, Scripted(lambda request: fair(str(request.prompt))))))

    assert found.win_rate.model_dump() == {"value": 100, "low": None, "high": None, "verdict": "unclear"}


def test_six_wins_of_six_are_better_but_not_always():
    found = figures(list(head_to_head(HELDOUT[:6], GOOD, BAD, Scripted(lambda request: fair(str(request.prompt))))))

    assert found.win_rate.value == 100
    assert found.win_rate.low == pytest.approx(60.97, abs=0.01)  # Wilson
    assert found.win_rate.verdict == "better"


def test_tasks_with_several_instances_count_as_one_each():
    """Six tasks of ten instances, of which three are won as a whole and three lost, say little."""
    heldout = [HELDOUT[0].model_copy(update={"id": f"{n}", "task": f"t{n // 10}"}) for n in range(60)]
    won = [n // 10 < 3 for n in range(60)]
    ours = {f"{n}": "fig" if won[n] else "stone" for n in range(60)}
    theirs = {f"{n}": "stone" if won[n] else "fig" for n in range(60)}

    def judged(heldout: list[HeldOut]) -> Difference:
        return figures(
            list(head_to_head(heldout, ours, theirs, Scripted(lambda request: fair(str(request.prompt)))))
        ).win_rate

    by_task = judged(heldout)
    by_instance = judged([one.model_copy(update={"task": one.id}) for one in heldout])
    assert by_task.value == by_instance.value == 50
    assert by_task.high - by_task.low > 2 * (by_instance.high - by_instance.low)


@pytest.mark.parametrize(
    ("wins", "ties", "losses", "ratio"),
    [  # CodecLM (arXiv 2404.05875), tables 5 and 1: on 218 tasks, models of 7B, then of 13B
        (17, 140, 61, 72.02), (17, 147, 54, 75.23), (23, 141, 54, 75.23), (19, 143, 56, 74.31), (19, 146, 53, 75.69),
        (29, 145, 44, 79.82), (29, 136, 53, 75.69), (26, 148, 44, 79.82), (26, 154, 38, 82.57), (30, 149, 39, 82.11),
        (31, 153, 34, 84.40), (35, 154, 29, 86.70),
    ],
)  # fmt: skip
def test_how_often_ours_is_no_worse_is_the_published_recovery_ratio(wins, ties, losses, ratio):
    said = [(("A", "B"), "win")] * wins + [(("A", "A"), "tie")] * ties + [(("B", "A"), "loss")] * losses
    text = {"task": "t", "instruction": "Name a fruit.", "input": "", "ours": "x", "theirs": "y"}
    tally = figures([Verdict(id=str(n), said=both, outcome=found, **text) for n, (both, found) in enumerate(said)])

    assert (tally.wins, tally.ties, tally.losses) == (wins, ties, losses)
    assert round(tally.no_worse, 2) == ratio


def test_without_any_outcome_nothing_is_no_worse():
    assert figures([]).no_worse is None
