"""Numbers that tasks are ranked by, bounds for them, and how many of each group are kept."""

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from pipeline.errors import SproutError
from pipeline.seeds.values import once
from pipeline.task import Task

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?", re.ASCII)
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
    numbers = [as_number(task.scores.get(name, task.meta.get(name))) for name in by]
    known = [number for number in numbers if number is not None]
    product = math.prod(known)
    return product if len(known) == len(numbers) and not math.isnan(product) else None


def as_number(value: JsonValue) -> float | None:
    """A number, or the text of one, such as a difficulty that a model stated; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    return float(value) if not isinstance(value, str) or _NUMBER.fullmatch(value.strip()) else None


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


def quotas(total: int, weights: Floats, limits: Ints) -> Ints:
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


def most_in_proportion(weights: Floats, limits: Ints) -> int:
    """The largest total whose parts are in proportion to the weights, with none above its limit."""
    part = weights > 0
    return int((limits[part] * (weights.sum() / weights[part])).min() + 1e-9) if part.any() else 0


def learned(worth: Floats, groups: Ints, weights: Floats) -> Floats:
    """New weights: each group's times the exponential of its mean worth; they add up to 1 (DivConquer, 2409.11378)."""
    known = ~np.isnan(worth)
    counts = np.bincount(groups[known], minlength=len(weights))
    there = (counts > 0) & (weights > 0)
    if not there.any():
        return weights
    with np.errstate(invalid="ignore"):  # infinite scores less infinite ones
        means = np.bincount(groups[known], worth[known], minlength=len(weights)) / np.maximum(counts, 1)
        means = np.where(np.isnan(means), 0, means)
        highest = means[there].max()
        raised = np.where(there, weights * np.where(means == highest, 1, np.exp(means - highest)), 0)
    found: Floats = raised / raised.sum()
    return found


def read_weights(path: str) -> dict[str, float]:
    """The weight of each group, from a JSON or TOML file.

    Raises:
        SproutError: for a file that cannot be read, or that holds something other than a number for each group.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        found = tomllib.loads(text) if Path(path).suffix == ".toml" else json.loads(text, object_pairs_hook=once)
    except OSError as error:
        raise SproutError(f"{path}: cannot be read ({error.strerror}); give a JSON or TOML file of weights") from None
    except (ValueError, RecursionError) as error:
        raise SproutError(f'{path}: neither JSON nor TOML ({error}); write {{"maths": 2, "code": 1}}') from None
    if not isinstance(found, dict):
        raise SproutError(f'{path}: holds no weights by group; write {{"maths": 2, "code": 1}}')
    if problem := problem_of_weights(found):
        raise SproutError(f"{path}: {problem}")
    return {name: float(weight) for name, weight in found.items()}


def problem_of_weights(weights: Mapping[str, object]) -> str | None:
    """What is wrong with them, as a clause."""
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight < math.inf:
            return f"the weight of {name} is {weight!r}; give a number, 0 or more"
    return None if any(weights.values()) else "no group has a weight above 0"
