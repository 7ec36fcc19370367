"""Selection against the plain formulas of the papers, and the same on any number of threads."""

import random

import numpy as np
import pytest

from pipeline.novelty.diversity import clusters, drawn, k_center, vote_k
from pipeline.novelty.encoder import Vectors
from pipeline.novelty.lists import on_grid

faiss = pytest.importorskip("faiss", reason="faiss is not installed")


def random_vectors(seed: int, num: int, dim: int = 8) -> Vectors:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((1 + num // 20, dim))
    vectors = centres[rng.integers(len(centres), size=num)] + 0.4 * rng.standard_normal((num, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def plain_k_center(vectors: Vectors, num_kept: int, covered: Vectors) -> list[int]:
    cosines = on_grid(vectors) @ on_grid(np.concatenate([vectors, covered])).T
    distance = 1 - cosines[:, len(vectors) :].max(axis=1)
    chosen: list[int] = []
    for _ in range(num_kept):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, 1 - cosines[:, chosen[-1]])
        distance[chosen] = -9
    return chosen


@pytest.mark.parametrize(("num", "num_kept"), [(1, 1), (2, 1), (50, 50), (300, 100), (2500, 300)])
def test_k_center_chooses_the_farthest_each_time(num: int, num_kept: int) -> None:
    vectors, covered = random_vectors(num, num), random_vectors(1, 3)

    assert k_center(vectors, num_kept, covered)[:num_kept] == plain_k_center(vectors, num_kept, covered)


@pytest.mark.parametrize("random_seed", range(5))
def test_k_center_begins_anywhere_when_nothing_is_covered(random_seed: int) -> None:
    vectors = random_vectors(0, 400)

    first, *others = k_center(vectors, 60, random_seed=random_seed)[:60]

    rest = [row for row in range(400) if row != first]
    assert others == [rest[row] for row in plain_k_center(vectors[rest], 59, vectors[[first]])]


def test_k_center_begins_elsewhere_with_another_random_seed() -> None:
    assert len({k_center(random_vectors(0, 400), 1, random_seed=seed)[0] for seed in range(20)}) > 10


def plain_vote_k(vectors: Vectors, num_kept: int, num_neighbours: int, rho: int) -> list[int]:
    grid = on_grid(vectors)
    cosines = grid @ grid.T
    np.fill_diagonal(cosines, -9)
    voted = np.argsort(-cosines, axis=1, kind="stable")[:, :num_neighbours]
    votes = np.zeros(cosines.shape, bool)
    votes[np.arange(len(grid))[:, None], voted] = True
    chosen: list[int] = []
    for _ in range(num_kept):
        level = votes[:, chosen].sum(axis=1)
        scores = [
            -1
            if u in chosen
            else sum(rho ** (99 - int(level[v])) for v in np.flatnonzero(votes[:, u]) if v not in chosen)
            for u in range(len(grid))
        ]
        chosen.append(scores.index(max(scores)))
    return chosen


@pytest.mark.parametrize(
    ("num", "num_kept", "num_neighbours", "rho"),
    [(1, 1, 150, 10), (2, 2, 150, 10), (20, 20, 12, 10), (150, 60, 10, 10), (90, 90, 20, 2), (200, 30, 30, 3)],
)
def test_vote_k_counts_as_published(num: int, num_kept: int, num_neighbours: int, rho: int) -> None:
    vectors = random_vectors(num, num, dim=24)

    chosen = vote_k(vectors, num_kept, num_neighbours, rho)[:num_kept]

    assert chosen == plain_vote_k(vectors, num_kept, num_neighbours, rho)


def test_vote_k_never_chooses_twice_even_where_all_are_the_same() -> None:
    same = np.tile(random_vectors(0, 1), (400, 1))

    assert sorted(vote_k(same, 400)) == list(range(400))
    assert sorted(k_center(same, 400)) == list(range(400))


@pytest.mark.parametrize("num_kept", [0, 1, 40])
def test_the_rows_that_are_not_chosen_follow_by_how_much_they_are_wanted(num_kept: int) -> None:
    vectors, covered = random_vectors(3, 60), random_vectors(1, 3)
    farthest = k_center(vectors, num_kept, covered)
    near = on_grid(vectors) @ on_grid(np.concatenate([covered, vectors[farthest[:num_kept]]])).T

    assert sorted(farthest) == list(range(60))
    assert (np.diff(near.max(axis=1)[farthest[num_kept:]]) >= 0).all()
    assert sorted(vote_k(vectors, num_kept, 10)) == list(range(60))
    assert vote_k(vectors, num_kept, 10)[: num_kept + 1] == vote_k(vectors, num_kept + 1, 10)[: num_kept + 1]


def test_clusters_are_found_and_numbered_from_0() -> None:
    sizes = [400, 200, 100, 100]
    centres = np.eye(4, 8, dtype=np.float32)
    vectors = np.repeat(centres, sizes, axis=0) + np.random.default_rng(0).uniform(-0.01, 0.01, (800, 8))
    order = np.random.default_rng(1).permutation(800)

    found = [clusters(vectors[order].astype(np.float32), 4, seed) for seed in range(5)]

    assert all(set(one) == {0, 1, 2, 3} for one in found)
    # k-means itself may find another local optimum
    assert any(sorted(np.bincount(one).tolist(), reverse=True) == sizes for one in found)


@pytest.mark.parametrize(("num", "asked", "num_found"), [(0, 5, 0), (77, 5, 1), (78, 5, 2), (400, 5, 5), (400, 1, 1)])
def test_a_cluster_has_room_for_39_rows(num: int, asked: int, num_found: int) -> None:
    assert len(set(clusters(random_vectors(0, num), asked).tolist())) == num_found


def test_the_best_of_what_is_drawn_are_draws_by_the_softmax_of_quality() -> None:
    quality = np.log([1.0, 2.0, 5.0])
    orders = [np.argsort(-drawn(quality, seed)).tolist() for seed in range(1500)]

    assert np.bincount([order[0] for order in orders]) / 1500 == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.05)
    assert sum(order[2] == 0 for order in orders) / 1500 == pytest.approx(2 / 8 * 5 / 6 + 5 / 8 * 2 / 3, abs=0.05)
    even = [int(drawn(np.zeros(4), seed).argmax()) for seed in range(1500)]
    assert np.bincount(even) / 1500 == pytest.approx([1 / 4] * 4, abs=0.05)


def test_the_number_of_threads_changes_nothing() -> None:
    vectors = random_vectors(5, 3000, dim=64)
    before = faiss.omp_get_max_threads()
    chosen = []
    for threads in (1, 2, 3):
        faiss.omp_set_num_threads(threads)
        chosen.append((k_center(vectors, 300), clusters(vectors, 70).tolist(), vote_k(vectors, 300)))
    faiss.omp_set_num_threads(before)

    assert chosen[0] == chosen[1] == chosen[2]


def test_products_on_the_grid_are_exact_in_any_order() -> None:
    grid = on_grid(random_vectors(0, 50, dim=384))
    columns = list(range(384))
    random.Random(0).shuffle(columns)

    products = grid @ grid.T

    assert (products == grid[:, columns] @ grid[:, columns].T).all()
    assert (products == grid.astype(np.float64) @ grid.T.astype(np.float64)).all()
