"""Intervals: as wide as they should be, paired, the same every time, and silent where there is too little to say."""

import time

import numpy as np
import pytest

from pipeline.evaluation.confidence import (
    MIN_UNITS,
    NUM_RESAMPLES,
    Comparison,
    Difference,
    Interval,
    difference_text,
    figure_text,
    interval,
    pool,
    resample,
    score_interval,
    unit_means,
)
from pipeline.evaluation.metrics import Score


def scores(*values: float) -> list[Score]:
    return [Score(rouge_l=value, exact_match=float(value == 1), match=float(value == 1)) for value in values]


def compare(
    ours: list[Score], theirs: list[Score], tasks: list[str] | None = None, **options: str
) -> dict[str, Difference]:
    return Comparison({"x": ours, "y": theirs}, tasks or ["t"] * len(ours), **options).difference(["x"], ["y"])


def of(values: np.ndarray, **options: int) -> Interval:
    """The interval of a mean of values between -100 and 100."""
    return interval(resample(values, **options)[:, 0], values[:, 0], (-100, 100))


def test_an_interval_is_that_of_the_normal_approximation_where_it_holds():
    values = np.random.default_rng(7).normal(0.3, 2, size=(900, 1))
    found = of(values)
    error = 1.96 * values.std() / 30

    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.02)
    assert found.high == pytest.approx(values.mean() + error, abs=0.02)


def test_95_of_100_intervals_hold_the_true_difference():
    rng = np.random.default_rng(1)
    found = [of(rng.binomial(1, 0.4, (120, 1)), num_resamples=500) for _ in range(300)]

    assert 0.91 <= np.mean([one.low <= 0.4 <= one.high for one in found]) <= 0.985


@pytest.mark.parametrize(("num_seeds", "spread"), [(2, 0.02), (3, 0.02), (5, 0.05)])
def test_few_random_seeds_do_not_make_a_difference_of_chance_clear(num_seeds, spread):
    rng = np.random.default_rng(num_seeds)
    clear = 0
    for _ in range(200):
        luck = rng.normal(0, spread, 2 * num_seeds)  # of each training: there is no true difference
        scores = rng.binomial(1, 0.5 + luck, (400, 2 * num_seeds))
        means = resample(scores, num_resamples=500)
        means, units = (both[:, :num_seeds] - both[:, num_seeds:] for both in (means, scores))
        clear += interval(pool(means), units.mean(axis=1), (-1, 1)).difference().verdict != "unclear"

    assert clear / 200 <= 0.07


def test_the_same_instances_are_drawn_for_both_models():
    rng = np.random.default_rng(2)
    hard = rng.uniform(0, 0.9, 200)  # some instances are hard for both
    found = compare(scores(*(hard + 0.02)), scores(*hard))["rouge_l"]

    assert (found.value, found.verdict) == (2.0, "better")
    assert found.high - found.low < 4  # all are the same: only what was not seen leaves a doubt
    assert np.ptp(resample(hard[:, None])) > 0.05  # while each model's own figure is not at all sure


@pytest.mark.parametrize(
    ("right", "wrong", "verdict"), [(30, 5, "better"), (5, 30, "worse"), (20, 15, "unclear"), (3, 0, "unclear")]
)
def test_better_is_said_only_where_the_interval_is_clear_of_zero(right, wrong, verdict):
    ours = scores(*[1] * right, *[0] * wrong, *[1] * 100)
    theirs = scores(*[0] * right, *[1] * wrong, *[1] * 100)
    found = compare(ours, theirs)["exact_match"]

    assert found.verdict == verdict
    assert (found.low > 0, found.high < 0) == (verdict == "better", verdict == "worse")


def test_the_same_figures_give_the_same_interval_whatever_else_is_compared():
    rng = np.random.default_rng(3)
    x, y, z = (scores(*rng.uniform(0, 1, 50)) for _ in range(3))
    alone = Comparison({"x": x, "y": y}, ["t"] * 50)
    among = Comparison({"z": z, "y": y, "x": x}, ["t"] * 50)

    assert alone.difference(["x"], ["y"]) == among.difference(["x"], ["y"])
    assert alone.score("x") == among.score("x")


def test_a_model_against_itself_is_unclear():
    x = scores(0, 1, 0.5, 0.25, 1, 0, 1)

    for found in compare(x, x).values():
        assert (found.value, found.verdict) == (0, "unclear")
        assert found.low < -10  # seven instances do not say that they are alike on all


def test_few_instances_say_nothing_however_they_agree():
    few, enough = MIN_UNITS - 1, MIN_UNITS
    found = compare(scores(*[1] * few), scores(*[0] * few))

    assert found["rouge_l"].model_dump() == {"value": 100, "low": None, "high": None, "verdict": "unclear"}
    assert found["exact_match"] == found["rouge_l"]
    assert compare(scores(*[1] * enough), scores(*[0] * enough))["rouge_l"].verdict == "better"
    with pytest.raises(ValueError, match="no instances"):
        resample(np.empty((0, 1)))


@pytest.mark.parametrize("metric", ["rouge_l", "exact_match"])
@pytest.mark.parametrize("num", [6, 10, 100])
def test_instances_that_all_agree_leave_a_doubt_and_fewer_of_them_more(metric, num):
    right, wrong = scores(*[1] * num), scores(*[0] * num)
    score = Comparison({"x": right}, ["t"] * num).score("x")[metric]
    difference = compare(right, wrong)[metric]

    assert score.value == score.high == difference.value == 100
    assert 100 - 400 / num < score.low < 100 - 200 / num
    assert 100 - 900 / num < difference.low < 100 - 400 / num
    assert difference.verdict == "better"


@pytest.mark.parametrize(
    ("right", "wrong", "low", "high"), [(6, 0, 0.54074, 1), (99, 1, 0.94554, 0.99975), (3, 7, 0.06674, 0.65245)]
)
def test_the_interval_of_a_rate_is_exact(right, wrong, low, high):
    found = Comparison({"x": scores(*[1] * right, *[0.5] * wrong)}, ["t"] * (right + wrong)).score("x")["exact_match"]

    assert (found.low, found.high) == pytest.approx((100 * low, 100 * high), abs=0.01)


@pytest.mark.parametrize(
    ("wins", "ties", "losses"), [(32, 55, 1), (0, 44, 0), (1, 4, 1), (6, 30, 2), (5, 1, 0), (8, 0, 0)]
)
def test_the_ends_of_paired_rates_are_where_the_score_test_says_95_percent(wins, ties, losses):
    found, count = score_interval(wins, ties, losses), wins + ties + losses
    mirrored = score_interval(losses, ties, wins)

    def score(difference: float) -> float:
        """(what was seen - what is assumed) / standard error, at the likeliest shares that differ so much."""
        lost = np.linspace(max(0, -difference), (1 - difference) / 2, 200_001)[1:-1]
        won = lost + difference
        likely = wins * np.log(won) + losses * np.log(lost) + ties * np.log(1 - won - lost)
        best = likely.argmax()
        return ((wins - losses) / count - difference) / np.sqrt((won[best] + lost[best] - difference**2) / count)

    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))
    assert score(found.low) == pytest.approx(1.96, abs=0.01)
    assert found.high == 1 or score(found.high) == pytest.approx(-1.96, abs=0.01)


POPULATIONS = {
    "right or wrong": (lambda rng, n: rng.binomial(1, 0.1, n), 0.1),
    "half right, others near": (lambda rng, n: np.where(rng.random(n) < 0.5, 1, rng.beta(2, 3, n)), 0.7),
    "mostly 0": (lambda rng, n: np.where(rng.random(n) < 0.7, 0, rng.beta(2, 2, n)), 0.15),
    "near each other": (lambda rng, n: rng.beta(2, 3, n), 0.4),
}


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize("num", [6, 10, 30, 100])
def test_intervals_of_few_instances_hold_the_true_mean_as_often_as_they_say(name, num):
    draw, truth = POPULATIONS[name]
    rng = np.random.default_rng(num)
    held = 0
    for _ in range(150):
        values = draw(rng, num)[:, None].astype(float)
        found = interval(resample(values, num_resamples=500)[:, 0], values[:, 0], (0, 1))
        held += found.low - 1e-9 <= truth <= found.high + 1e-9

    assert held / 150 >= 0.9  # 95 % less three standard errors of 150


@pytest.mark.parametrize("num", [6, 10, 30])
def test_intervals_over_few_tasks_hold_the_true_difference(num):
    rng = np.random.default_rng(num)
    held = 0
    for _ in range(150):
        easy = np.repeat(rng.uniform(-0.2, 0.4, num), 5)  # instances of a task are alike
        values, groups = (easy + rng.uniform(-0.1, 0.1, 5 * num))[:, None], np.repeat(np.arange(num), 5).tolist()
        means, units = resample(values, groups, num_resamples=500)[:, 0], unit_means(values, groups)[:, 0]
        found = interval(means, units, (-1, 1))
        held += found.low <= 0.1 <= found.high

    assert held / 150 >= 0.9


def test_where_tasks_have_several_instances_they_are_what_is_drawn_if_there_are_enough():
    x = scores(*[0.5] * 20)

    assert Comparison({"x": x}, [f"t{n // 2}" for n in range(20)]).unit == "task"
    assert Comparison({"x": x}, [f"t{n}" for n in range(20)]).unit == "instance"
    assert Comparison({"x": x}, [f"t{n % 5}" for n in range(20)]).unit == "instance"
    assert Comparison({"x": x}, [f"t{n // 2}" for n in range(20)], "instance").unit == "instance"


def test_whole_tasks_are_drawn_if_wanted_which_is_less_sure():
    rng = np.random.default_rng(4)
    good = np.repeat(rng.binomial(1, 0.6, 20), 10)  # a task is solved as a whole, or not at all
    tasks = [f"t{n // 10}" for n in range(200)]
    ours, theirs = scores(*good), scores(*[0.5] * 200)
    by_instance, by_task = (compare(ours, theirs, tasks, unit=unit)["rouge_l"] for unit in ("instance", "task"))

    def width(found: Difference) -> float:
        return found.high - found.low

    assert by_task.value == by_instance.value
    assert width(by_task) > 2 * width(by_instance)


def test_tasks_weigh_as_many_instances_as_they_have():
    tasks = ["big"] * 90 + [f"t{n}" for n in range(10)]
    found = resample(np.array([[1.0]] * 90 + [[0.0]] * 10), tasks)

    assert found[-1, 0] == 0.9
    assert np.quantile(found, 0.02) == 0  # a draw without the big task


def test_random_seeds_that_differ_widen_the_interval():
    rng = np.random.default_rng(5)
    base = rng.uniform(0, 0.5, 100)
    names = {f"x{n}": scores(*(base + up)) for n, up in enumerate((0.0, 0.2, 0.4))}
    comparison = Comparison(names | {"base": scores(*base)}, ["t"] * 100)
    found = comparison.difference([*names], ["base"])["rouge_l"]

    assert found.value == 20
    assert (20 - found.low, found.high - 20) == pytest.approx([4.303 * 20 / 3**0.5] * 2, rel=0.08)  # t, 2 degrees
    alone = comparison.difference(["x1"], ["base"])["rouge_l"]
    assert alone.high - alone.low < (found.high - found.low) / 5
    assert pool(np.ones((5, 3))).tolist() == [1] * 5
    with pytest.raises(ValueError, match="cannot be paired"):
        comparison.difference(["x0", "x1"], ["x0", "x1", "x2"])


def test_a_figure_is_shown_with_its_interval():
    assert figure_text({"value": 3.14, "low": -0.4, "high": 5.9}) == "+3.1 (-0.4 to 5.9)"
    assert figure_text({"value": 3.14, "low": 1.0, "high": 5.9}, sign=False) == "3.1 (1.0 to 5.9)"
    assert figure_text({"value": -0.02, "low": -5.0, "high": -0.01}) == "+0.0 (-5.0 to 0.0)"
    assert figure_text({"value": -1.0, "low": None, "high": None}) == "-1.0 (too few to say)"
    assert difference_text({"value": 3.14, "low": 0.4, "high": 5.9, "verdict": "better"}) == "+3.1 (0.4 to 5.9) better"
    assert difference_text(None) == ""


def test_twelve_thousand_instances_take_seconds():
    start = time.monotonic()
    found = resample(np.random.default_rng(6).uniform(0, 1, (12_000, 16)))

    assert found.shape == (NUM_RESAMPLES + 1, 16)
    assert time.monotonic() - start < 20
