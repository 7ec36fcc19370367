"""95 % intervals of scores and of their differences, over held-out instances or over whole tasks."""

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
MIN_UNITS = 6  # with fewer, even unanimous units occur by chance once in 2 ** (units - 1) times, more than 5 %
SEED = 0
RATES = ("exact_match", "match")  # 0 or 1 on each instance
_BLOCK = 1 << 20  # draws in one batch
_SAME = 1e-9  # units that differ by less are the same


class Figure(BaseModel):
    """A figure in percent with its 95 % interval; None for fewer than `MIN_UNITS` units."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float | None
    high: float | None


class Difference(Figure):
    """A difference with a verdict: whether its interval excludes no difference."""

    verdict: Literal["better", "worse", "unclear"]  # "better" or "worse" only if the interval excludes no difference


class Interval(NamedTuple):
    """A figure and the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    def figure(self) -> Figure:
        return Figure.model_validate(self._rounded())

    def difference(self, none: float = 0.0) -> Difference:
        """This interval with a verdict; `none` is the value that means no difference."""
        verdict = "better" if self.low > none else "worse" if self.high < none else "unclear"
        return Difference.model_validate(self._rounded() | {"verdict": verdict})

    def _rounded(self) -> dict[str, float | None]:
        return {key: round(end, 4) if np.isfinite(end) else None for key, end in self._asdict().items()}


def resample(values: npt.ArrayLike, groups: Sequence[str] = (), num_resamples: int = NUM_RESAMPLES) -> Array:
    """Bootstrap: means of the columns over instances drawn with replacement; the last row holds the observed means.

    Each draw takes the same instances for all columns, so the difference of two columns is paired. The draws depend
    only on the number of instances, so they do not change with the models compared.

    Args:
        values: [instances, columns].
        groups: The task of each instance, to draw whole tasks, because instances of one task are correlated.

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
    """The values, or their means by group, of shape [units, columns]; arguments as in `resample`."""
    table = np.asarray(values, np.float64)
    rows, num_units = _units(table, groups)
    sums = np.zeros((num_units, table.shape[1]))
    np.add.at(sums, rows, table)
    means: Array = sums / np.bincount(rows)[:, None]
    return means


def interval(means: Array, units: Array, ends: tuple[float, float]) -> Interval:
    """The interval of one column or of a difference of two; infinite for fewer than `MIN_UNITS` units.

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
    """A rate in percent with its Clopper-Pearson interval; infinite for fewer than `MIN_UNITS` units."""
    from scipy.stats import binomtest

    if count < MIN_UNITS:
        return Interval(100 * right / count, -np.inf, np.inf)
    found = binomtest(right, count).proportion_ci(LEVEL)
    return Interval(100 * right / count, float(100 * found.low), float(100 * found.high))


def score_interval(wins: int, ties: int, losses: int) -> Interval:
    """Wins minus losses as a share of all, from -1 to 1; infinite for fewer than `MIN_UNITS` units.

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
        """Positive if a true difference of this size is too far from the observed one."""
        linear = (2 * count - wins + losses) * difference - wins - losses
        root = np.sqrt(max(0.0, linear**2 + 8 * count * losses * difference * (1 - difference)))
        lost = (root - linear) / (4 * count)  # the likeliest share of losses, given the difference
        return float((value - difference) ** 2 * count - square * (2 * lost + difference * (1 - difference)))

    near = 1e-9  # at the value itself, the excess is 0 where all units agree
    low = brentq(excess, -1, value - near) if value > -1 else -1.0
    high = brentq(excess, value + near, 1) if value < 1 else 1.0
    return Interval(value, float(low), float(high))


def pool(means: Array) -> Array:
    """The mean of several columns that differ in the random seed alone, as one column.

    Each resample is shifted by a draw of Student's t, with one degree of freedom less than there are random seeds,
    times the standard error of their mean. Resampling three random seeds instead would miss a third of the variance and
    all of its tails.

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
        scores: The scores of each model, by name, all in the order of the instances.
        tasks: The task of each instance.
        unit: What to resample: instances or whole tasks. Unset: tasks, if they have several instances each and there
            are at least `MIN_UNITS` of them.
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
        """The interval of each metric for a model, or for the mean of several that differ in the random seed alone."""
        return {metric: self._score(names, number).figure() for number, metric in enumerate(METRICS)}

    def difference(self, ours: Sequence[str], theirs: Sequence[str]) -> dict[str, Difference]:
        """How much higher one model scores than another, by metric, with a verdict.

        Either side may be several models that differ in the random seed; equal numbers of them are paired.
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
        """Whether each unit is one instance of one model with a metric of 0 or 1."""
        return [*METRICS][metric] in RATES and self.unit == "instance" and all(len(names) == 1 for names in models)

    def _of(self, table: Array, names: Sequence[str], metric: int) -> Array:
        """[rows, models]"""
        chosen: Array = table[:, [self.names.index(name) for name in names], metric]
        return chosen


def _units(table: Array, groups: Sequence[str]) -> tuple[npt.NDArray[np.intp], int]:
    """The unit that each row belongs to, as a number, and the count of units."""
    rows = np.unique(np.asarray(groups), return_inverse=True)[1] if groups else np.arange(len(table))
    num_units = int(rows.max(initial=-1)) + 1
    if not num_units:
        raise ValueError("there are no instances to draw from")
    return rows, num_units


def default_unit(tasks: Sequence[str]) -> Unit:
    """Tasks, if they have several instances each and there are enough of them for an interval."""
    return "task" if MIN_UNITS <= len(set(tasks)) < len(tasks) else "instance"


def figure_text(figure: Figure | Mapping[str, Any], sign: bool = True) -> str:
    """A figure with its interval, such as "+3.1 (0.4 to 5.9)"."""
    figure = Figure.model_validate(figure)
    value, low, high = (f"{round(end or 0, 1) + 0:.1f}" for end in (figure.value, figure.low, figure.high))  # no "-0.0"
    shown = f"+{value}" if sign and not value.startswith("-") else value
    return f"{shown} (too few to say)" if figure.low is None else f"{shown} ({low} to {high})"


def difference_text(difference: Difference | Mapping[str, Any] | None) -> str:
    """A difference with its interval and verdict, such as "+3.1 (0.4 to 5.9) better"; empty if there is none."""
    return f"{figure_text(difference)} {Difference.model_validate(difference).verdict}" if difference else ""
