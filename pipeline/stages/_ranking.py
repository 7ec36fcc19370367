"""Numbers that tasks are ranked by, bounds for them, and how many of each group are kept."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from pipeline.task import Task

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_QUANTILE = re.compile(r"median|(\d{1,2}(?:\.\d+)?)\s*%")


@dataclass(frozen=True)
class Table:
    """What a selection needs to know of all tasks, in arrays: the tasks themselves stay in their files.

    Attributes:
        numbers: What each is ranked by; NaN if it has none.
        groups: The place of its group in `names`.
        names: The groups, in the order of their first tasks.
    """

    numbers: Floats
    groups: Ints
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.numbers)

    @classmethod
    def of(cls, tasks: Iterable[Task], by: Sequence[str], group: str) -> "Table":
        numbers: list[float] = []
        groups: list[int] = []
        places: dict[str, int] = {}
        for task in tasks:
            number = number_of(task, by)
            numbers.append(math.nan if number is None else number)
            groups.append(places.setdefault(group_of(task, group), len(places)))
        return cls(np.array(numbers, np.float64), np.array(groups, np.int64), tuple(places))


def number_of(task: Task, by: Sequence[str]) -> float | None:
    """The product of the scores, or numbers in `meta`, of these names; None if the task lacks one; 1 for no names."""
    found = [task.scores.get(name, task.meta.get(name)) for name in by]
    numbers = [float(one) for one in found if isinstance(one, (int, float)) and not isinstance(one, bool)]
    product = math.prod(numbers)
    return product if len(numbers) == len(found) and not math.isnan(product) else None


def group_of(task: Task, key: str) -> str:
    """The value of a key of `meta` as text; empty for a task without it."""
    return as_text(task.meta.get(key)) if key else ""


def as_text(value: JsonValue) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)


def share_of(bound: str) -> float | None:
    """The share of scores below a bound such as "median" or "25%"; None for text that is none."""
    found = _QUANTILE.fullmatch(bound.strip())
    return (float(found[1]) / 100 if found[1] else 0.5) if found else None


def quantile(numbers: Floats, share: float) -> float:
    """Linear between the two nearest numbers; of infinite ones, the nearer."""
    ordered = np.sort(numbers)
    place = share * (len(ordered) - 1)
    low, high = float(ordered[math.floor(place)]), float(ordered[math.ceil(place)])
    part = place - math.floor(place)
    if low == high or math.isinf(low) or math.isinf(high):
        return low if part < 0.5 else high
    return low + part * (high - low)


def ranks(worth: Floats, groups: Ints) -> Ints:
    """The rank of each row in its group, from 1: the highest first, of equals the earlier; 0 where worth is NaN."""
    order = np.argsort(-worth, kind="stable")  # NaN comes last
    order = order[np.argsort(groups[order], kind="stable")]
    starts = np.concatenate(([0], np.bincount(groups).cumsum()))[groups[order]] if len(groups) else order
    found = np.zeros(len(worth), np.int64)
    found[order] = np.arange(len(order)) - starts + 1
    found[np.isnan(worth)] = 0
    return found


def in_parts(total: int, weights: Floats, limits: Ints) -> Ints:
    """Whole numbers in proportion to the weights that add up to the total, none above its limit.

    What a limit leaves over goes to the others. The sum is smaller only if the limits do not allow more.
    """
    exact = np.zeros(len(weights))
    rest, left = weights > 0, float(min(total, int(limits[weights > 0].sum())))
    while rest.any():
        parts = np.where(rest, left * weights / weights[rest].sum(), 0.0)
        full = rest & (parts >= limits)
        if not full.any():
            exact = np.where(rest, parts, exact)
            break
        exact[full] = limits[full]
        left -= float(limits[full].sum())
        rest &= ~full
    counts = np.floor(exact + 1e-9).astype(np.int64)
    missing = min(total, int(limits[weights > 0].sum())) - int(counts.sum())
    by_remainder = np.argsort(counts - exact, kind="stable")
    for place in [place for place in by_remainder if counts[place] < limits[place] and weights[place] > 0][:missing]:
        counts[place] += 1
    return counts
