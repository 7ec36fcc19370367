"""What a ROUGE-L F1 above the threshold requires of two texts."""

from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Number = TypeVar("Number", float, Array)

_MOST_RARE = 16  # a text with more rare tokens than this would have too many pairs
_LONGEST = 256  # texts of this many tokens and more are never posted under pairs


class Bounds(NamedTuple):
    """What a text of m tokens allows one of n tokens that is too close to it."""

    far: Array  # [n]: the most signature bits they may differ in; -1: no text of n tokens can be too close
    farthest: int  # the most of these
    first: int  # the least n that can
    last: list[int]  # [i]: the largest n that can if the rarest shared token is at position i
    need: int  # the fewest tokens that they must share, whatever n is


class Paired(NamedTuple):
    """The least and the greatest length of texts that are posted under pairs; if last < first, none are."""

    first: int
    last: int


@lru_cache(maxsize=256)
def bounds(m: int, max_rouge: float, longest: int) -> Bounds:
    """
    Args:
        m: Tokens of the one text, above 0.
        longest: The other one has no more tokens than this, or than m.
    """
    n = np.arange(1, int(min(2 * m / max_rouge + 2, max(m, longest))) + 1)
    need = np.maximum(1, (max_rouge * (m + n) / 2).astype(np.int64) - 1)
    while (short := f1(need, m, n) <= max_rouge).any():
        need += short
    can = need <= np.minimum(m, n)
    far = np.where(can, m + n - 2 * need, -1)
    lengths, need = n[can], need[can]  # both grow
    last = lengths[need.searchsorted(np.arange(m, need[0] - 1, -1), side="right") - 1]
    return Bounds(np.append(-1, far), int(far.max()), int(lengths[0]), last.tolist(), int(need[0]))


@lru_cache(maxsize=16)
def paired(max_rouge: float) -> Paired:
    """All lengths at which a text that is too close shares two tokens or more, up to a moderate number of rare ones."""
    first = _LONGEST
    for m in range(1, _LONGEST):
        of_m = bounds(m, max_rouge, m)
        if of_m.need > 1:
            first = min(first, m)
        if len(of_m.last) > _MOST_RARE:
            return Paired(first, m - 1)
    return Paired(first, _LONGEST - 1)


def f1(lcs: Number, m: int, n: Number) -> Number:
    """F1 in the float operations of rouge_score, whose rounding decides exact ties; `lcs` must not be 0."""
    precision, recall = lcs / n, lcs / m
    return 2 * precision * recall / (precision + recall)
