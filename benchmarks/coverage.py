"""How often 95 % intervals hold the truth, by simulation: `python benchmarks/coverage.py`.

Each line is a population of scores with a known mean, or of paired differences; each column a number of instances.
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.confidence import Comparison, Figure, score_interval
from pipeline.evaluation.metrics import Score

Values = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Values]
SIZES = (6, 10, 30, 100, 688)


def scores(name: str) -> tuple[Draw, float]:
    """Scores of one model between 0 and 1, and their true mean."""
    if name.startswith("right"):
        share = float(name.split()[-1])
        return (lambda rng, n: rng.binomial(1, share, n).astype(float)), share
    if name == "half right, others near":
        return (lambda rng, n: np.where(rng.random(n) < 0.5, 1, rng.beta(2, 3, n))), 0.5 + 0.5 * 0.4
    if name == "mostly 0":
        return (lambda rng, n: np.where(rng.random(n) < 0.7, 0, rng.beta(2, 2, n))), 0.3 * 0.5
    return (lambda rng, n: rng.beta(2, 3, n)), 0.4  # all near each other


def pairs(wins: float, losses: float) -> tuple[Draw, float]:
    """Differences of 1, 0 and -1 between two models."""
    shares = np.array([wins, 1 - wins - losses, losses])
    return (lambda rng, n: np.array([1.0, 0.0, -1.0])[rng.choice(3, n, p=shares / shares.sum())]), wins - losses


SCORES = ("right 0.03", "right 0.1", "right 0.3", "right 0.5", "half right, others near", "mostly 0", "near each other")
PAIRS = ((0.4, 0.1), (0.1, 0.1), (0.05, 0.02), (0.8, 0.1), (0.5, 0.5))


def scored(rouge_l: float, right: float) -> Score:
    return Score(rouge_l=rouge_l, exact_match=right, match=right)


def score_coverage(num: int, draw: Draw, truth: float, repeats: int, metric: str) -> float:
    rng = np.random.default_rng(num)
    held = 0
    for _ in range(repeats):
        found = [scored(value, float(value == 1)) for value in draw(rng, num)]
        held += holds(Comparison({"x": found}, [str(n) for n in range(num)]).score("x")[metric], truth)
    return 100 * held / repeats


def pair_coverage(num: int, draw: Draw, truth: float, repeats: int, metric: str) -> float:
    rng = np.random.default_rng(num)
    held = 0
    for _ in range(repeats):
        signs = draw(rng, num)
        both = [[scored(float(v), float(v)) for v in values] for values in (signs > 0, signs < 0)]
        comparison = Comparison({"x": both[0], "y": both[1]}, [str(n) for n in range(num)])
        held += holds(comparison.difference(["x"], ["y"])[metric], truth)
    return 100 * held / repeats


def judge_coverage(num: int, draw: Draw, truth: float, repeats: int) -> float:
    rng = np.random.default_rng(num)
    held = 0
    for _ in range(repeats):
        signs = draw(rng, num)
        found = score_interval(int((signs > 0).sum()), int((signs == 0).sum()), int((signs < 0).sum()))
        held += found.low - 1e-9 <= truth <= found.high + 1e-9
    return 100 * held / repeats


def holds(figure: Figure, truth: float) -> bool:
    assert figure.low is not None
    assert figure.high is not None
    return figure.low - 1e-4 <= 100 * truth <= figure.high + 1e-4  # figures are rounded to 4 digits


def line(name: str, coverage: Callable[[int], float]) -> None:
    print(f"| {name} | {' | '.join(f'{coverage(num):.1f}' for num in SIZES)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1000)
    repeats = parser.parse_args().repeats
    print(f"| % of intervals that hold the truth | {' | '.join(f'n = {num}' for num in SIZES)} |")
    print("|---" * (len(SIZES) + 1) + "|")
    for name in SCORES:
        known: dict[str, Any] = dict(zip(("draw", "truth"), scores(name), strict=True))
        for metric in ("rouge_l", "exact_match") if name.startswith("right") else ("rouge_l",):
            line(f"score, {name}, {metric}", partial(score_coverage, repeats=repeats, metric=metric, **known))
    for wins, losses in PAIRS:
        known = dict(zip(("draw", "truth"), pairs(wins, losses), strict=True))
        said = f"better {wins}, worse {losses}"
        for metric in ("rouge_l", "exact_match"):
            line(f"difference, {said}, {metric}", partial(pair_coverage, repeats=repeats, metric=metric, **known))
        line(f"judge, {said}", partial(judge_coverage, repeats=repeats, **known))


if __name__ == "__main__":
    main()
