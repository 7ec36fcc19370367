"""Where to draw the line between yes and no, learned from tasks whose answer is known."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

Known = tuple[float, bool]  # a number, and whether the answer is yes


class Threshold(NamedTuple):
    """Above it the answer is yes.

    Attributes:
        accuracy: On what it was learned from: the mean of the shares of yes and of no that are right.
        accuracy_left_out: Likewise, where each is judged by the threshold learned from all others.
    """

    value: float
    accuracy: float
    accuracy_left_out: float


def learn(known: Sequence[Known]) -> Threshold:
    """The threshold of the highest balanced accuracy; of several, the one with the widest gap around it.

    Args:
        known: At least two of each answer.
    """
    ordered = sorted(known)
    value = _best(ordered)
    judged = [
        (number > _best([*ordered[:place], *ordered[place + 1 :]]), answer)
        for place, (number, answer) in enumerate(ordered)
    ]
    return Threshold(value, _balanced([(number > value, answer) for number, answer in ordered]), _balanced(judged))


def _best(ordered: Sequence[Known]) -> float:
    """Between two neighbours, or below all, or above all."""
    total_yes = sum(answer for _, answer in ordered)
    total_no = len(ordered) - total_yes
    yes_above, no_below = total_yes, 0
    low, high = ordered[0][0] - 1, ordered[-1][0] + 1
    best, value = (yes_above / total_yes, 0.0), low
    for (number, answer), (following, _) in pairwise([*ordered, (high, False)]):
        yes_above, no_below = yes_above - answer, no_below + (not answer)
        score = yes_above / total_yes + no_below / total_no, following - number
        if following > number and score > best:
            best, value = score, (number + following) / 2
    return value


def _balanced(judged: Sequence[tuple[bool, bool]]) -> float:
    shares = [[said is answer for said, answer in judged if answer is kind] for kind in (True, False)]
    return sum(sum(right) / len(right) for right in shares) / 2
