"""How sure a figure or a difference is: 95 % intervals over held-out instances, or over whole tasks."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from pipeline.evaluation.metrics import METRICS, Score

Array = npt.NDArray[np.float64]
Unit = Literal["instance", "task"]

LEVEL = 0.95
NUM_RESAMPLES = 2000
MIN_UNITS = 6  # fewer cannot be sure at 95 %: even if all of them agree, chance does so once in 2 ** (units - 1) times
SEED = 0
RATES = ("exact_match", "match")  # 0 or 1 on each instance
_BLOCK = 1 << 20  # draws made at once
_SAME = 1e-9  # units that differ by less are the same


class Figure(BaseModel):
    """A figure in percent with its 95 % interval, which is None where there are fewer than `MIN_UNITS` units."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float | None
    high: float | None


class Difference(Figure):
    """A figure that is compared with what it would be if nothing differed."""

    verdict: Literal["better", "worse", "unclear"]  # "better" or "worse" only where the interval is clear of that


class Interval(NamedTuple):
    """A figure and what it may be with 95 % confidence."""

    value: float
    low: float
    high: float

    def figure(self) -> Figure:
        return Figure.model_validate(self._rounded())

    def difference(self, none: float = 0.0) -> Difference:
        """The same with a verdict; `none` is the value that stands for no difference."""
        verdict = "better" if self.low > none else "worse" if self.high < none else "unclear"
        return Difference.model_validate(self._rounded() | {"verdict": verdict})

    def _rounded(self) -> dict[str, float | None]:
        return {key: round(end, 4) if np.isfinite(end) else None for key, end in self._asdict().items()}


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
    rows, num_units = _units(table, groups)
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


def unit_means(values: npt.ArrayLike, groups: Sequence[str] = ()) -> Array:
    """[units, columns]: the values as they are, or their means over each group; the arguments are as in `resample`."""
    table = np.asarray(values, np.float64)
    rows, num_units = _units(table, groups)
    sums = np.zeros((num_units, table.shape[1]))
    np.add.at(sums, rows, table)
    means: Array = sums / np.bincount(rows)[:, None]
    return means


def interval(means: Array, units: Array, ends: tuple[float, float]) -> Interval:
    """The interval of one column, or of a difference of two; without end for fewer than `MIN_UNITS` units.

    Each end is the farther of two. The quantiles of the resampled means are those of a bootstrap that is expanded to
    the width of Student's t, because it draws from too narrow a distribution where there are few units (Hesterberg
    2015, arXiv 1411.5279). And a bootstrap never draws what it has not seen, so the other quantiles are those with one
    more unit on either side (as Bonett and Price 2012 do for paired rates, Journal of Educational and Behavioral
    Statistics 37: 479-488): as far from the mean as the farthest that was seen, or, where all units are the same, as
    far as the scale goes.

    Args:
        means: [resamples + 1], from `resample`, the last one as it is.
        units: The values, or means of tasks, that were drawn.
        ends: The lowest and highest value that a unit can have.
    """
    from scipy.stats import norm, t

    value, count = float(means[-1]), len(units)
    if count < MIN_UNITS:
        return Interval(value, -np.inf, np.inf)
    tail = (1 - LEVEL) / 2
    expanded = norm.cdf(np.sqrt(count / (count - 1)) * t.ppf(tail, count - 1))
    low, high = np.quantile(means[:-1], [expanded, 1 - expanded])
    reach = np.inf if np.ptp(units) < _SAME else np.abs(units - value).max()
    sides = np.clip([value - reach, value + reach], *ends)
    rng, total = np.random.default_rng(SEED + 2), count + 2
    shares = rng.multinomial(total, [1 / total, 1 / total, count / total], size=len(means) - 1) / total
    low_with, high_with = np.quantile(shares[:, :2] @ sides + shares[:, 2] * means[:-1], [tail, 1 - tail])
    return Interval(value, float(min(low, low_with)), float(max(high, high_with)))


def exact_interval(right: int, count: int) -> Interval:
    """A rate in percent with the interval of Clopper and Pearson; without end for fewer than `MIN_UNITS`."""
    from scipy.stats import binomtest

    if count < MIN_UNITS:
        return Interval(100 * right / count, -np.inf, np.inf)
    found = binomtest(right, count).proportion_ci(LEVEL)
    return Interval(100 * right / count, float(100 * found.low), float(100 * found.high))


def score_interval(wins: int, ties: int, losses: int) -> Interval:
    """Wins less losses, as a share of all, between -1 and 1; without end for fewer than `MIN_UNITS`.

    The score interval for paired rates (Tango 1998, Statistics in Medicine 17: 891-908); without ties, that of Wilson.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    count = wins + ties + losses
    value = (wins - losses) / count
    if count < MIN_UNITS:
        return Interval(value, -np.inf, np.inf)
    square = norm.ppf((1 + LEVEL) / 2) ** 2

    def excess(difference: float) -> float:
        """Above 0 where a true difference like this one is too far from what was seen."""
        linear = (2 * count - wins + losses) * difference - wins - losses
        root = np.sqrt(max(0.0, linear**2 + 8 * count * losses * difference * (1 - difference)))
        lost = (root - linear) / (4 * count)  # the likeliest share of losses, given the difference
        return float((value - difference) ** 2 * count - square * (2 * lost + difference * (1 - difference)))

    near = 1e-9  # at the value itself, the excess is 0 where all units agree
    low = brentq(excess, -1, value - near) if value > -1 else -1.0
    high = brentq(excess, value + near, 1) if value < 1 else 1.0
    return Interval(value, float(low), float(high))


def pool(means: Array) -> Array:
    """One column from several that stand for the same thing with other random seeds: their mean.

    Each resample is moved by what a mean of so few random seeds may be off: by a draw of Student's t with one degree of
    freedom less than there are, times its standard error. To draw the random seeds again would miss a third of the
    variance of three, and all of its tails.

    Args:
        means: [resamples + 1, random seeds], from `resample`.
    """
    from scipy.stats import t

    count = means.shape[1]
    pooled: Array = means.mean(axis=1)
    if count > 1:
        error = means[-1].std(ddof=1) / np.sqrt(count)
        shares = (np.arange(len(means) - 1) + 0.5) / (len(means) - 1)
        pooled[:-1] += error * np.random.default_rng(SEED + 1).permutation(t.ppf(shares, count - 1))
    return pooled


class Comparison:
    """Models that answered the same held-out instances.

    Args:
        scores: Of each model, by name; of all instances, in the same order.
        tasks: The task of each instance.
        unit: What the intervals draw again: instances or whole tasks. Unset: tasks where they have several instances,
            which go right or wrong together, if there are at least `MIN_UNITS` of them.
    """

    def __init__(self, scores: Mapping[str, Sequence[Score]], tasks: Sequence[str], unit: Unit | None = None) -> None:
        self.names = list(scores)
        self.unit = unit or default_unit(tasks)
        columns = [[getattr(score, metric) for score in scores[name]] for name in self.names for metric in METRICS]
        values, groups = 100 * np.array(columns).T, tasks if self.unit == "task" else ()
        shape = (-1, len(self.names), len(METRICS))
        self.units = unit_means(values, groups).reshape(shape)
        self.means = resample(values, groups).reshape(shape)

    def score(self, *names: str) -> dict[str, Figure]:
        """The interval of each metric for a model; for several that stand for the same thing, of their mean."""
        return {metric: self._score(names, number).figure() for number, metric in enumerate(METRICS)}

    def difference(self, ours: Sequence[str], theirs: Sequence[str]) -> dict[str, Difference]:
        """For each metric how much higher one model scores than another, with what may be said of it.

        Several models stand for one: with random seeds of their own, which are paired where there are as many of both.
        """
        if len({len(ours), len(theirs)} - {1}) > 1:
            raise ValueError(f"{len(ours)} models cannot be paired with {len(theirs)}")
        return {metric: self._difference(ours, theirs, number).difference() for number, metric in enumerate(METRICS)}

    def _score(self, names: Sequence[str], metric: int) -> Interval:
        units, means = (self._of(table, names, metric) for table in (self.units, self.means))
        if self._is_rate(metric, names):
            return exact_interval(int((units > 0).sum()), len(units))
        return interval(pool(means), units.mean(axis=1), (0.0, 100.0))

    def _difference(self, ours: Sequence[str], theirs: Sequence[str], metric: int) -> Interval:
        units, means = (
            self._of(table, ours, metric) - self._of(table, theirs, metric) for table in (self.units, self.means)
        )
        if self._is_rate(metric, ours, theirs):
            wins, losses = int((units > 0).sum()), int((units < 0).sum())
            return Interval(*(100 * end for end in score_interval(wins, len(units) - wins - losses, losses)))
        return interval(pool(means), units.mean(axis=1), (-100.0, 100.0))

    def _is_rate(self, metric: int, *models: Sequence[str]) -> bool:
        """Whether each unit is one instance of one model, on which the metric is 0 or 1."""
        return [*METRICS][metric] in RATES and self.unit == "instance" and all(len(names) == 1 for names in models)

    def _of(self, table: Array, names: Sequence[str], metric: int) -> Array:
        """[rows, models]"""
        chosen: Array = table[:, [self.names.index(name) for name in names], metric]
        return chosen


def _units(table: Array, groups: Sequence[str]) -> tuple[npt.NDArray[np.intp], int]:
    """The number of the unit each row belongs to, and how many units there are."""
    rows = np.unique(np.asarray(groups), return_inverse=True)[1] if groups else np.arange(len(table))
    num_units = int(rows.max(initial=-1)) + 1
    if not num_units:
        raise ValueError("there are no instances to draw from")
    return rows, num_units


def default_unit(tasks: Sequence[str]) -> Unit:
    """Whole tasks where they have several instances, if there are enough of them for an interval."""
    return "task" if MIN_UNITS <= len(set(tasks)) < len(tasks) else "instance"


def written(figure: Figure | Mapping[str, Any], sign: bool = True) -> str:
    """A figure, or one from a record, with its interval, such as "+3.1 (0.4 to 5.9)"."""
    figure = Figure.model_validate(figure)
    value, low, high = (f"{round(end or 0, 1) + 0:.1f}" for end in (figure.value, figure.low, figure.high))  # no "-0.0"
    shown = f"+{value}" if sign and not value.startswith("-") else value
    return f"{shown} (too few to say)" if figure.low is None else f"{shown} ({low} to {high})"
