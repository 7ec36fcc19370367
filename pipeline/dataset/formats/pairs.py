"""Which answers of an instance are paired: a better and a worse one, by a score or by what was chosen."""

import math
import sys
from collections.abc import Iterator
from typing import Literal, NamedTuple

from pydantic import ConfigDict, Field

from pipeline.dataset.rows import Row
from pipeline.strict import Strict

MOST = sys.float_info.max  # in place of an infinite score, which JSON does not have


class RankOptions(Strict):
    """What makes one answer better than another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    score: str = Field(default="", description="of the answers; empty: the output is better than every other answer")
    order: Literal["highest", "lowest"] = Field(default="highest", description="which score is best")


class PairOptions(RankOptions):
    """The same, and which answers become pairs."""

    pairs: Literal["extremes", "best", "all"] = Field(
        default="extremes", description="the best with the worst, the best with each other, or any two"
    )
    min_gap: float = Field(default=0.0, ge=0, description="the scores of the two differ by more than this")


class Pair(NamedTuple):
    """A better and a worse answer to a row."""

    row: Row
    number: int
    chosen: str
    rejected: str

    @property
    def id(self) -> str:
        return f"{self.row.id}:{self.number}"

    @property
    def meta(self) -> dict[str, str]:
        return self.row.meta


class Ranked(NamedTuple):
    """A row whose answers are in order, the best first; a higher number is a better one."""

    row: Row
    texts: tuple[str, ...]
    ranks: tuple[float, ...]

    @property
    def meta(self) -> dict[str, str]:
        return self.row.meta


def pairs_of(row: Row, options: PairOptions) -> Iterator[Pair]:
    """The pairs of a row; none where no two answers differ in text and rank."""
    ranked, number = ranked_of(row, options), 0
    for place, (text, rank) in enumerate(zip(ranked.texts, ranked.ranks, strict=True)):
        below = zip(ranked.texts[place + 1 :], ranked.ranks[place + 1 :], strict=True)
        worse = [other for other, lower in below if rank - lower > options.min_gap]
        for other in worse[-1:] if options.pairs == "extremes" else worse:
            yield Pair(row, number, text, other)
            number += 1
        if options.pairs != "all":
            return


def ranked_of(row: Row, options: RankOptions) -> Ranked:
    """The texts of the answers, each once; of those with the same score the earlier first."""
    best: dict[str, float] = {}
    if options.score:
        sign = 1 if options.order == "highest" else -1
        known = [(sign * answer.scores.get(options.score, math.nan), answer.text) for answer in row.answers]
        scored = [(score, text) for score, text in known if text.strip() and not math.isnan(score)]
        for score, text in sorted(scored, key=lambda one: -one[0]):
            best.setdefault(text, max(-MOST, min(MOST, score)))
    else:
        others = (one.text for one in row.answers if one.text.strip() not in ("", row.output.strip()))
        best = {row.output: 1.0} | dict.fromkeys(others, 0.0)
    return Ranked(row, tuple(best), tuple(best.values()))


def completion_of(row: Row, text: str) -> str:
    """A text as the completion of a row's prompt, which may want a blank before it."""
    return row.completion.removesuffix(row.output) + text
