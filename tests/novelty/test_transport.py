"""The gradient of optimal transport against the exact cost of moving a little more weight onto each row."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import linprog
from scipy.stats import spearmanr

from pipeline.novelty import transport
from pipeline.novelty.encoder import Vectors
from pipeline.novelty.transport import transport_gradient

pytest.importorskip("faiss", reason="faiss is not installed")


def unit(vectors: npt.NDArray[np.float64]) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def candidates_and_targets() -> tuple[Vectors, Vectors]:
    """20 and 15 directions in 4 dimensions; the targets lean to the first."""
    rng = np.random.default_rng(0)
    ours, theirs = rng.standard_normal((20, 4)), rng.standard_normal((15, 4))
    theirs[:, 0] += 1
    return unit(ours), unit(theirs)


OURS, THEIRS = candidates_and_targets()
COST = 1 - OURS.astype(np.float64) @ THEIRS.astype(np.float64).T


def exact_cost(weights: npt.NDArray[np.float64]) -> float:
    """Of moving weights onto the targets, which weigh the same each."""
    n, m = COST.shape
    leaves, arrives = np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))
    found = linprog(COST.ravel(), A_eq=np.vstack([leaves, arrives]), b_eq=[*weights, *[1 / m] * m], method="highs")
    return float(found.fun)


@pytest.fixture(scope="module")
def differences() -> npt.NDArray[np.float64]:
    """How the exact cost changes when a row weighs a little more, and the others less."""
    even, step = np.full(20, 1 / 20), 1e-4
    moved = [even + step * (np.eye(20)[row] - (1 - np.eye(20)[row]) / 19) for row in range(20)]
    return np.array([(exact_cost(weights) - exact_cost(even)) / step for weights in moved])


def test_the_exact_cost_is_that_of_the_fixture() -> None:
    assert exact_cost(np.full(20, 1 / 20)) == pytest.approx(0.39581576, abs=1e-6)


@pytest.mark.parametrize(("epsilon", "alike"), [(0.1, 0.96), (0.03, 0.98), (0.01, 0.998), (0.003, 0.998)])
def test_rows_are_ranked_as_the_exact_cost_ranks_them(
    differences: npt.NDArray[np.float64], epsilon: float, alike: float
) -> None:
    found = transport_gradient(OURS, THEIRS, epsilon)

    assert {*found.argsort()[:5].tolist()} == {12, 6, 14, 18, 17}
    assert spearmanr(found, differences).statistic > alike
    assert found.mean() == pytest.approx(0, abs=1e-9)
    if epsilon <= 0.01:
        assert found.argsort()[:5].tolist() == [12, 6, 14, 18, 17]
        assert np.abs(found - differences).max() < 0.04


def test_it_is_neither_the_distance_to_the_nearest_target_nor_the_mean_distance() -> None:
    found = transport_gradient(OURS, THEIRS)

    assert spearmanr(found, COST.min(axis=1)).statistic < 0.3
    assert spearmanr(found, COST.mean(axis=1)).statistic < 0.8


@pytest.mark.parametrize(
    ("sizes", "wanted", "unwanted"),
    [([90, 5, 5], 1, None), ([10, 88, 2], 0, None), ([45, 45, 10], None, 2), ([40, 40, 40], None, 2)],
)
def test_rows_of_the_kind_that_is_lacking_come_first_and_of_a_strange_one_last(
    sizes: list[int], wanted: int | None, unwanted: int | None
) -> None:
    rng, kinds = np.random.default_rng(1), np.eye(3, 16)
    ours = unit(np.repeat(kinds, sizes, axis=0) + 0.05 * rng.standard_normal((sum(sizes), 16)))
    theirs = unit(np.repeat(kinds[:2], 20, axis=0) + 0.05 * rng.standard_normal((40, 16)))
    kind = np.repeat(range(3), sizes)

    ordered = kind[transport_gradient(ours, theirs).argsort()].tolist()

    if wanted is not None:
        assert {*ordered[: sizes[wanted]]} == {wanted}
    if unwanted is not None:
        assert {*ordered[-sizes[unwanted] :]} == {unwanted}


def test_of_many_rows_a_sample_gives_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    ours, theirs = unit(rng.standard_normal((3000, 8))), unit(rng.standard_normal((50, 8)) + np.eye(8)[0])
    whole = transport_gradient(ours, theirs, 0.05)
    monkeypatch.setattr(transport, "MAX_PAIRS", 50 * 1000)
    sampled = transport_gradient(ours, theirs, 0.05)
    monkeypatch.setattr(transport, "_BLOCK", 7)

    assert spearmanr(whole, sampled).statistic > 0.97
    assert (transport_gradient(ours, theirs, 0.05) == sampled).all()
    assert (transport_gradient(ours, theirs, 0.05, random_seed=1) != sampled).any()


@pytest.mark.parametrize("num", [0, 1, 2])
def test_hardly_any_rows(num: int) -> None:
    assert transport_gradient(OURS[:num], THEIRS).shape == (num,)


def test_transport_that_does_not_settle_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(transport, "MAX_ROUNDS", 1)
    transport_gradient(OURS, THEIRS, 0.001)

    assert "has not converged after 1 rounds, so ranks are approximate; raise epsilon" in caplog.text
