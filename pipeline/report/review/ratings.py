"""What people think of the answers of models, rated without their names: counts, paired intervals, agreement."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipeline.dataset.agreement import Agreement, agreement
from pipeline.dataset.quality import Share, share
from pipeline.evaluation.confidence import Difference, Interval, difference_text, score_interval
from pipeline.evaluation.predictions import read_predictions
from pipeline.runs.reviews import Reviews
from pipeline.runs.said import digest

LEVELS = {  # of the human evaluation of the Self-Instruct paper, section 5.4, in our words
    "A": "right and complete",
    "B": "acceptable, with small faults",
    "C": "about the task, but with serious errors",
    "D": "beside the point, or no answer",
}
Rated = Mapping[tuple[str, str], Mapping[str, str]]  # by instance and model, the level that each reviewer gives


class ModelRatings(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    counts: dict[str, int]  # by level
    best: Share  # A
    acceptable: Share  # A or B


class PairRatings(BaseModel):
    """Two models on the instances where both are rated; the differences are in points."""

    model_config = ConfigDict(frozen=True)

    ours: str
    theirs: str
    wins: int  # ours has the better level
    ties: int
    losses: int
    best: Difference  # of the shares of A
    acceptable: Difference  # of the shares of A or B

    @property
    def best_text(self) -> str:
        return difference_text(self.best)

    @property
    def acceptable_text(self) -> str:
        return difference_text(self.acceptable)


class Ratings(BaseModel):
    model_config = ConfigDict(frozen=True)

    instances: int
    reviewers: tuple[str, ...]
    models: tuple[ModelRatings, ...]
    pairs: tuple[PairRatings, ...]
    agreement: Agreement | None  # on the four levels


def read_ratings(folder: Path) -> Ratings | None:
    """What review.jsonl says of answers; None if none is rated. Ratings of an answer that has changed do not count.

    Where several reviewers have rated an answer it has the level in the middle; of two in the middle, the lower one.
    """
    rated = rated_answers(folder)
    if not rated:
        return None
    levels = {key: middle([*given.values()]) for key, given in rated.items()}
    names = list(dict.fromkeys(model for _, model in rated))
    by_model = {name: [level for (_, model), level in levels.items() if model == name] for name in names}
    pairs = (_pair(ours, theirs, levels) for ours, theirs in combinations(reversed(names), 2))
    return Ratings(
        instances=len({instance for instance, _ in rated}),
        reviewers=tuple(sorted({who for given in rated.values() for who in given})),
        models=tuple(_of_model(name, given) for name, given in by_model.items()),
        pairs=tuple(pair for pair in pairs if pair),
        agreement=agreement([*rated.values()]),
    )


def rated_answers(folder: Path) -> Rated:
    """All levels that people give to the answers as they are now."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    now: dict[str, dict[str, str] | None] = {}  # by model, the digest of each answer; None: its file is elsewhere
    for one in Reviews(folder).current():
        if one.did != "rate":
            continue
        if one.model not in now:
            path = folder / "predictions" / f"{one.model}.jsonl"
            now[one.model] = {id: digest(text) for id, text in read_predictions(path)} if path.is_file() else None
        answers = now[one.model]
        if answers is None or answers.get(one.task) == one.seen:
            found.setdefault((one.task, one.model), {})[one.reviewer] = one.rating
    return found


def middle(levels: Sequence[str]) -> str:
    return sorted(levels)[len(levels) // 2]


def text_of(found: Ratings) -> str:
    """The figures as tables for a terminal."""
    lines = [
        f"rated blind by {', '.join(found.reviewers)}: answers to {found.instances:,} held-out tasks; 95 % intervals"
    ]
    lines.append(f"{'model':<20}" + "".join(f"{level:>7}" for level in LEVELS) + f"   {'A':<20}A or B")
    for one in found.models:
        counts = "".join(f"{one.counts.get(level, 0):>7,}" for level in LEVELS)
        lines.append(f"{one.name:<20}{counts}   {one.best!s:<20}{one.acceptable}")
    for pair in found.pairs:
        counted = f"{pair.wins:,} better, {pair.ties:,} the same, {pair.losses:,} worse"
        lines.append(f"{pair.ours} against {pair.theirs}: {counted}; A {pair.best_text}; A or B {pair.acceptable_text}")
    if found.agreement:
        lines.append(f"agreement on the level: {found.agreement} ({found.agreement.meaning})")
    return "\n".join(lines)


def _of_model(name: str, levels: Sequence[str]) -> ModelRatings:
    counts = Counter(levels)
    best, acceptable = counts["A"], counts["A"] + counts["B"]
    return ModelRatings(
        name=name,
        counts={level: counts[level] for level in LEVELS},
        best=share(best, len(levels)),
        acceptable=share(acceptable, len(levels)),
    )


def _pair(ours: str, theirs: str, levels: Mapping[tuple[str, str], str]) -> PairRatings | None:
    both = [(levels[instance, ours], level) for (instance, model), level in levels.items()
            if model == theirs and (instance, ours) in levels]  # fmt: skip
    if not both:
        return None
    return PairRatings(
        ours=ours,
        theirs=theirs,
        wins=sum(one < other for one, other in both),
        ties=sum(one == other for one, other in both),
        losses=sum(one > other for one, other in both),
        best=_difference(both, "A"),
        acceptable=_difference(both, "AB"),
    )


def _difference(both: Sequence[tuple[str, str]], good: str) -> Difference:
    wins = sum(one in good and other not in good for one, other in both)
    losses = sum(one not in good and other in good for one, other in both)
    found = score_interval(wins, len(both) - wins - losses, losses)
    return Interval(*(100 * end for end in found)).difference()
