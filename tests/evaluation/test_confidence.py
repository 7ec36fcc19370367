"""Intervals: as wide as they should be, paired, the same every time, and silent where there is too little to say."""

import json
import time

import numpy as np
import pytest

from pipeline.evaluation.confidence import MIN_UNITS, NUM_RESAMPLES, Comparison, interval, pool, resample, written
from pipeline.evaluation.metrics import Score


def scores(*values: float) -> list[Score]:
    return [Score(rouge_l=value, exact_match=float(value == 1), match=float(value == 1)) for value in values]


def compare(ours: list[Score], theirs: list[Score], tasks: list[str] | None = None, **options: str) -> dict:
    return Comparison({"x": ours, "y": theirs}, tasks or ["t"] * len(ours), **options).difference(["x"], ["y"])


def test_an_interval_is_that_of_the_normal_approximation_where_it_holds():
    values = np.random.default_rng(7).normal(0.3, 2, size=(900, 1))
    found = interval(resample(values)[:, 0], 900)
    error = 1.96 * values.std() / 30

    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.02)
    assert found.high == pytest.approx(values.mean() + error, abs=0.02)


def test_95_of_100_intervals_hold_the_true_difference():
    rng = np.random.default_rng(1)
    found = [interval(resample(rng.binomial(1, 0.4, (120, 1)), num_resamples=500)[:, 0], 120) for _ in range(300)]

    assert 0.91 <= np.mean([one.low <= 0.4 <= one.high for one in found]) <= 0.985


@pytest.mark.parametrize(("num_seeds", "spread"), [(2, 0.02), (3, 0.02), (5, 0.05)])
def test_few_random_seeds_do_not_make_a_difference_of_chance_clear(num_seeds, spread):
    rng = np.random.default_rng(num_seeds)
    clear = 0
    for _ in range(200):
        luck = rng.normal(0, spread, 2 * num_seeds)  # of each training: there is no true difference
        scores = rng.binomial(1, 0.5 + luck, (400, 2 * num_seeds))
        means = resample(scores, num_resamples=500)
        clear += interval(pool(means[:, :num_seeds] - means[:, num_seeds:]), 400).verdict != "unclear"

    assert clear / 200 <= 0.07


def test_the_same_instances_are_drawn_for_both_models():
    rng = np.random.default_rng(2)
    hard = rng.uniform(0, 0.9, 200)  # some instances are hard for both
    found = compare(scores(*(hard + 0.02)), scores(*hard))["rouge_l"]

    assert found == {"value": 2.0, "low": 2.0, "high": 2.0, "verdict": "better"}
    assert np.ptp(resample(hard[:, None])) > 0.05  # while each model's own figure is not at all sure


@pytest.mark.parametrize(
    ("right", "wrong", "verdict"), [(30, 5, "better"), (5, 30, "worse"), (20, 15, "unclear"), (3, 0, "unclear")]
)
def test_better_is_said_only_where_the_interval_is_clear_of_zero(right, wrong, verdict):
    ours = scores(*[1] * right, *[0] * wrong, *[1] * 100)
    theirs = scores(*[0] * right, *[1] * wrong, *[1] * 100)
    found = compare(ours, theirs)["exact_match"]

    assert found["verdict"] == verdict
    assert (found["low"] > 0, found["high"] < 0) == (verdict == "better", verdict == "worse")


def test_the_same_figures_give_the_same_interval_whatever_else_is_compared():
    rng = np.random.default_rng(3)
    x, y, z = (scores(*rng.uniform(0, 1, 50)) for _ in range(3))
    alone = Comparison({"x": x, "y": y}, ["t"] * 50)
    among = Comparison({"z": z, "y": y, "x": x}, ["t"] * 50)

    assert alone.difference(["x"], ["y"]) == among.difference(["x"], ["y"])
    assert alone.score("x") == among.score("x")


def test_a_model_against_itself_is_unclear():
    x = scores(0, 1, 0.5, 0.25, 1, 0, 1)

    assert compare(x, x)["rouge_l"] == {"value": 0, "low": 0, "high": 0, "verdict": "unclear"}


def test_few_instances_say_nothing_however_they_agree():
    few, enough = MIN_UNITS - 1, MIN_UNITS
    found = compare(scores(*[1] * few), scores(*[0] * few))["rouge_l"]

    assert found == {"value": 100, "low": None, "high": None, "verdict": "unclear"}
    assert json.dumps(found)
    assert compare(scores(*[1] * enough), scores(*[0] * enough))["rouge_l"]["verdict"] == "better"
    with pytest.raises(ValueError, match="no instances"):
        resample(np.empty((0, 1)))


def test_whole_tasks_are_drawn_if_wanted_which_is_less_sure():
    rng = np.random.default_rng(4)
    good = np.repeat(rng.binomial(1, 0.6, 20), 10)  # a task is solved as a whole, or not at all
    tasks = [f"t{n // 10}" for n in range(200)]
    ours, theirs = scores(*good), scores(*[0.5] * 200)
    by_instance, by_task = (compare(ours, theirs, tasks, unit=unit)["rouge_l"] for unit in ("instance", "task"))

    def width(found: dict) -> float:
        return found["high"] - found["low"]

    assert by_task["value"] == by_instance["value"]
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

    assert found["value"] == 20
    assert (20 - found["low"], found["high"] - 20) == pytest.approx([4.303 * 20 / 3**0.5] * 2, rel=0.03)  # t, 2 degrees
    assert comparison.difference(["x1"], ["base"])["rouge_l"]["low"] == 20
    assert pool(np.ones((5, 3))).tolist() == [1] * 5
    with pytest.raises(ValueError, match="cannot be paired"):
        comparison.difference(["x0", "x1"], ["x0", "x1", "x2"])


def test_a_figure_is_written_with_its_interval():
    assert written({"value": 3.14, "low": -0.4, "high": 5.9}) == "+3.1 (-0.4 to 5.9)"
    assert written({"value": 3.14, "low": 1.0, "high": 5.9}, sign=False) == "3.1 (1.0 to 5.9)"
    assert written({"value": -0.02, "low": -5.0, "high": -0.01}) == "+0.0 (-5.0 to 0.0)"
    assert written({"value": -1.0, "low": None, "high": None}) == "-1.0 (too few to say)"


def test_twelve_thousand_instances_take_seconds():
    start = time.monotonic()
    found = resample(np.random.default_rng(6).uniform(0, 1, (12_000, 16)))

    assert found.shape == (NUM_RESAMPLES + 1, 16)
    assert time.monotonic() - start < 20
