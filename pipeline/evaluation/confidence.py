"""How sure a difference between two models is: paired bootstrap intervals over held-out instances, or over tasks."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.metrics import METRICS, Score

Array = npt.NDArray[np.float64]
Unit = Literal["instance", "task"]

LEVEL = 0.95
NUM_RESAMPLES = 2000
MIN_UNITS = 6  # fewer cannot be sure at 95 %: even if all of them agree, chance does so once in 2 ** (units - 1) times
SEED = 0
_BLOCK = 1 << 20  # draws made at once
_MANY = 1 << 18  # draws that stand for a distribution


class Interval(NamedTuple):
    """A figure, and the middle 95 % of what it is when the instances are drawn again."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What may be said of a difference: "better" or "worse" only where the interval is clear of zero."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "unclear"


def resample(values: npt.ArrayLike, groups: Sequence[str] = (), num_resamples: int = NUM_RESAMPLES) -> Array:
    """Means of the columns over instances that are drawn again with replacement, and last the means as they are.

    The same instances are drawn for all columns, which is what makes the difference of two columns a paired one. What
    is drawn depends on the number of instances alone, so it is the same whatever else is compared.

    Args:
        values: [instances, columns].
        groups: The task of each instance, to draw whole tasks, as instances of one task go right or wrong together.

    Returns:
        [num_resamples + 1, columns]
    """
    table = np.asarray(values, np.float64)
    rows = np.unique(np.asarray(groups), return_inverse=True)[1] if groups else np.arange(len(table))
    num_units = int(rows.max(initial=-1)) + 1
    if not num_units:
        raise ValueError("there are no instances to draw from")
    sums = np.zeros((num_units, table.shape[1]))
    np.add.at(sums, rows, table)
    sizes = np.bincount(rows).astype(np.float64)
    rng = np.random.default_rng(SEED)
    block = max(1, _BLOCK // num_units)
    means = []
    for start in range(0, num_resamples, block):
        count = min(block, num_resamples - start)
        drawn = rng.integers(num_units, size=(count, num_units)) + num_units * np.arange(count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=count * num_units).reshape(count, num_units).astype(np.float64)
        means.append(times @ sums / (times @ sizes)[:, None])
    return np.concatenate([*means, table.mean(axis=0, keepdims=True)])


def interval(means: Array, num_units: int) -> Interval:
    """The interval of one column, or of a difference of two; without end for fewer than `MIN_UNITS` units."""
    value = float(means[-1])
    if num_units < MIN_UNITS:
        return Interval(value, -np.inf, np.inf)
    low, high = np.quantile(means[:-1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


def pool(means: Array) -> Array:
    """One column from several that stand for the same thing with other random seeds: their mean.

    Each resample is moved by what a mean of so few random seeds may be off: by a draw of Student's t with one degree of
    freedom less than there are, times its standard error. To draw the random seeds again would miss a third of the
    variance of three, and all of its tails.

    Args:
        means: [resamples + 1, random seeds], from `resample`.
    """
    count = means.shape[1]
    pooled: Array = means.mean(axis=1)
    if count > 1:
        error = means[-1].std(ddof=1) / np.sqrt(count)
        rng, shares = np.random.default_rng(SEED + 1), (np.arange(len(means) - 1) + 0.5) / (len(means) - 1)
        pooled[:-1] += error * rng.permutation(np.quantile(rng.standard_t(count - 1, size=_MANY), shares))
    return pooled


class Comparison:
    """Models that answered the same held-out instances.

    Args:
        scores: Of each model, by name; of all instances, in the same order.
        tasks: The task of each instance.
        unit: What is drawn: instances, or whole tasks.
    """

    def __init__(self, scores: Mapping[str, Sequence[Score]], tasks: Sequence[str], unit: Unit = "instance") -> None:
        self.names = list(scores)
        self.unit = unit
        self.num_units = len(set(tasks)) if unit == "task" else len(tasks)
        columns = [[getattr(one, metric) for one in scores[name]] for name in self.names for metric in METRICS]
        means = 100 * resample(np.array(columns).T, tasks if unit == "task" else ())
        self.means = means.reshape(len(means), len(self.names), len(METRICS))

    def score(self, *names: str) -> dict[str, Any]:
        """The interval of each metric for a model; for several that stand for the same thing, of their mean."""
        return self._shown(self._of(names))

    def difference(self, ours: Sequence[str], theirs: Sequence[str]) -> dict[str, Any]:
        """For each metric how much higher one model scores than another, with what may be said of it.

        Several models stand for one: with random seeds of their own, which are paired where there are as many of both.
        """
        if len({len(ours), len(theirs)} - {1}) > 1:
            raise ValueError(f"{len(ours)} models cannot be paired with {len(theirs)}")
        return self._shown(self._of(ours) - self._of(theirs), verdict=True)

    def _of(self, names: Sequence[str]) -> Array:
        """[resamples + 1, models, metrics]"""
        chosen: Array = self.means[:, [self.names.index(name) for name in names]]
        return chosen

    def _shown(self, means: Array, verdict: bool = False) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for number, metric in enumerate(METRICS):
            found = interval(pool(means[:, :, number]), self.num_units)
            known = self.num_units >= MIN_UNITS
            shown[metric] = {
                "value": round(found.value, 4),
                "low": round(found.low, 4) if known else None,
                "high": round(found.high, 4) if known else None,
            } | ({"verdict": found.verdict} if verdict else {})
        return shown


def written(figure: Mapping[str, Any], sign: bool = True) -> str:
    """A figure with its interval, such as "+3.1 (0.4 to 5.9)"."""
    value, low, high = (f"{round(figure[key] or 0, 1) + 0:.1f}" for key in ("value", "low", "high"))  # no "-0.0"
    shown = f"+{value}" if sign and not value.startswith("-") else value
    return f"{shown} (too few to say)" if figure["low"] is None else f"{shown} ({low} to {high})"
