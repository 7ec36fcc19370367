"""What people found in a sample of a run's tasks, as in table 2 of the Self-Instruct paper."""

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipeline.dataset.agreement import Agreement, agreement
from pipeline.runs.files import find_stage_files
from pipeline.runs.reviews import Reviewed, Reviews, touched
from pipeline.runs.said import Verdict

QUESTIONS = {
    "instruction": "the instruction is a valid task",
    "input": "the input fits the instruction",
    "output": "the output is right",
    "all": "all three",
}
LEVEL = 0.95


class Share(BaseModel):
    """How many of the judged tasks are good in one respect; in percent with Wilson's 95 % interval."""

    model_config = ConfigDict(frozen=True)

    yes: int
    judged: int
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.0f} % ({self.low:.0f} to {self.high:.0f})"


class Quality(BaseModel):
    """What the tasks that a run has made are worth, by those who have read some of them."""

    model_config = ConfigDict(frozen=True)

    reviewers: tuple[str, ...]
    drawn: bool  # the tasks are a random sample, so the shares stand for all that the run has made
    tasks: int  # that have a verdict, or were dropped or changed without one
    shares: dict[str, Share]  # by question, and "all"
    agreement: dict[str, Agreement]  # likewise, where several reviewers have judged the same tasks
    dropped: int  # of all tasks of the run
    edited: int

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """A line for each question: what it is, how many yes of how many, the share, the agreement."""
        return [
            (QUESTIONS[name], f"{share.yes:,} of {share.judged:,}", str(share), str(self.agreement.get(name, "")))
            for name, share in self.shares.items()
        ]


def read_quality(folder: Path) -> Quality | None:
    """What review.jsonl says of the tasks that the last stage of a run has kept; None if nobody has said anything.

    Verdicts count for a task as the run has made it, whatever became of it then. If tasks were drawn at random, only
    these count, as others were looked for because of something. With several reviewers the majority decides, and a tie
    is a no. A drawn task that was dropped or changed without a verdict is not good in all respects.
    """
    files = find_stage_files(folder)
    reviews = Reviews(folder)
    if not files or not reviews:
        return None
    return quality(reviews.of(task) for task in touched([*files.values()][-1], reviews.by_task) if task.kept)


def quality(states: Iterable[Reviewed]) -> Quality | None:
    states = list(states)
    drawn = any(state.sampled for state in states)
    counted = [state for state in states if state.sampled or not drawn]
    said = [verdicts for state in counted if (verdicts := state.first_verdicts)]
    removed = [state for state in counted if drawn and not state.first_verdicts and (state.dropped or state.edits)]
    shares, agreements = {}, {}
    for name in QUESTIONS:
        given = [{who: answer(one, name) for who, one in verdicts.items()} for verdicts in said]
        answers = [{who: yes for who, yes in each.items() if yes is not None} for each in given]
        decided = [majority(each.values()) for each in answers if each]
        decided += [False for _ in removed] if name == "all" else []
        if decided:
            shares[name] = share(sum(decided), len(decided))
        if found := agreement(answers):
            agreements[name] = found
    dropped, edited = sum(bool(state.dropped) for state in states), sum(bool(state.edits) for state in states)
    if not shares and not dropped and not edited:
        return None
    reviewers = sorted({who for verdicts in said for who in verdicts})
    return Quality(
        reviewers=tuple(reviewers), drawn=drawn, tasks=len(said) + len(removed), shares=shares, agreement=agreements,
        dropped=dropped, edited=edited,
    )  # fmt: skip


def answer(verdict: Verdict, question: str) -> bool | None:
    if question != "all":
        found: bool | None = getattr(verdict, question)
        return found
    return verdict.good if verdict.complete or False in dict(verdict).values() else None


def majority(answers: Iterable[bool]) -> bool:
    counts = Counter(answers)
    return counts[True] > counts[False]


def share(yes: int, judged: int) -> Share:
    low, high = wilson(yes, judged)
    return Share(yes=yes, judged=judged, value=round(100 * yes / judged, 2), low=round(low, 2), high=round(high, 2))


def wilson(yes: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, in percent."""
    from scipy.stats import binomtest

    found = binomtest(yes, of).proportion_ci(LEVEL, method="wilson")
    return 100 * found.low, 100 * found.high


def sample_size(margin: float) -> int:
    """How many tasks give an interval of at most ± `margin` points, whatever is found."""
    from scipy.stats import norm

    square = float(norm.ppf((1 + LEVEL) / 2)) ** 2
    return max(1, math.ceil(square * ((50 / margin) ** 2 - 1)))


def margin_of(size: int) -> float:
    """The widest half of an interval that so many tasks can give, in points."""
    low, high = wilson(size // 2, size)
    return (high - low) / 2


def text_of(found: Quality) -> str:
    """The figures as a table for a terminal."""
    lines = []
    if found.shares:
        what = "drawn at random" if found.drawn else "that were looked for, so they say nothing of the others"
        who = ", ".join(found.reviewers) or "nobody"
        lines.append(f"judged by {who}: {found.tasks:,} of the tasks, {what}; 95 % intervals (Wilson)")
        lines += [f"{name:<34}{count:>14}   {value:<18}{agreed}".rstrip() for name, count, value, agreed in found.rows]
    if found.agreement:
        lines.append(f"agreement of {next(iter(found.agreement.values())).meaning}")
    if found.dropped or found.edited:
        lines.append(f"dropped: {found.dropped:,}, changed: {found.edited:,}")
    return "\n".join(lines)
