"""Which tasks to keep within a budget: those whose vectors cover most, searched with FAISS."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.novelty.encoder import Vectors
from pipeline.novelty.lists import import_faiss, on_grid

MIN_ROWS = 39  # of a cluster, on average: FAISS wants so many
MAX_ROWS = 256  # of a cluster, on average, that its centre is found by
ROUNDS = 25  # of k-means
_FRONT, _BLOCK = 1024, 128  # of k_center: the farthest rows that are kept up to date, and the most chosen at once


def k_center(vectors: Vectors, num_kept: int, covered: Vectors | None = None, random_seed: int = 0) -> list[int]:
    """All rows: first those chosen, each time the one farthest from all chosen before and from `covered`.

    K-center greedy, Sener and Savarese 2018 (arXiv 1708.00489, algorithm 1), by cosine. With nothing covered the first
    one is random. The rows that are not chosen follow by their distance from those that are, the farthest first.
    """
    faiss = import_faiss()
    vectors = on_grid(vectors)
    closest = np.full(len(vectors), -2, np.float32)  # the highest cosine to what is chosen or covered
    if covered is not None and len(covered):
        closest = faiss.knn(vectors, on_grid(covered), 1, faiss.METRIC_INNER_PRODUCT)[0][:, 0]
    elif num_kept:
        closest[random.Random(f"{random_seed}:k_center").randrange(len(vectors))] = -3
    chosen: list[int] = []
    while len(chosen) < num_kept:
        block = _farthest(vectors, closest, min(_BLOCK, num_kept - len(chosen)))
        cosines = faiss.knn(vectors, vectors[block], 1, faiss.METRIC_INNER_PRODUCT)[0][:, 0]
        closest = np.maximum(closest, cosines)
        chosen += block
        closest[chosen] = 2
    others: list[int] = closest.argsort(kind="stable").tolist()
    return chosen + others[: len(vectors) - len(chosen)]


def _farthest(vectors: Vectors, closest: npt.NDArray[np.float32], most: int) -> list[int]:
    """The next rows to choose, as many as the front of the farthest rows determines.

    A cosine to what is chosen only ever grows, so a row of the front that is farther than any other row was at the
    start is the farthest of all. Thus the many other rows are compared once a block, not once a choice.
    """
    block = [int(closest.argmin())]
    size = min(_FRONT, len(closest) - 1)
    order = np.argpartition(closest, size)
    front, limit = np.sort(order[:size]), closest[order[size]]
    if not size:
        return block
    near = closest[front]
    while len(block) < most:
        near = np.maximum(near, vectors[front] @ vectors[block[-1]])
        near[front == block[-1]] = 2
        best = int(near.argmin())
        if near[best] >= limit:
            break
        block.append(int(front[best]))
    return block


def clusters(vectors: Vectors, num_clusters: int, random_seed: int = 0) -> npt.NDArray[np.int64]:
    """The number of the cluster of each row, by k-means: as many clusters as asked, or fewer of at least 39 rows.

    The centres move `ROUNDS` times over at most `MAX_ROWS` rows a cluster, drawn at random; then every row goes to the
    nearest. Both numbers are the defaults of FAISS.
    """
    num_clusters = min(num_clusters, len(vectors) // MIN_ROWS)
    if num_clusters < 2:
        return np.zeros(len(vectors), np.int64)
    faiss = import_faiss()
    seed = random.Random(f"{random_seed}:clusters").getrandbits(31)
    with _one_thread(faiss):
        kmeans = faiss.Kmeans(vectors.shape[1], num_clusters, niter=ROUNDS, max_points_per_centroid=MAX_ROWS, seed=seed)
        kmeans.train(vectors)
        nearest: npt.NDArray[np.int64] = kmeans.index.search(vectors, 1)[1][:, 0]
    return nearest


def drawn(quality: npt.NDArray[np.float64], random_seed: int = 0) -> npt.NDArray[np.float64]:
    """Numbers whose highest is a draw with p = softmax(quality), the second highest the next draw, and so on.

    So the best rows of any subset are draws from that subset without replacement (the Gumbel-top-k trick).
    """
    rng = random.Random(f"{random_seed}:k_means")
    waits = np.log([max(rng.expovariate(1), 1e-300) for _ in range(len(quality))])
    numbers: npt.NDArray[np.float64] = quality - waits  # the smallest of Exp(1) / exp(quality) is a softmax draw
    return numbers


@contextmanager
def _one_thread(faiss: Any) -> Iterator[None]:
    # With more, FAISS rounds differently, and clusters differ between machines with different numbers of cores.
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def vote_k(vectors: Vectors, num_kept: int, num_neighbours: int = 150, rho: int = 10) -> list[int]:
    """All rows: first those chosen by fast vote-k (arXiv 2209.01975, section 2.1), which most others are close to.

    Each row votes for its `num_neighbours` nearest. A vote counts rho ** -s, where s is how many that its row votes for
    are chosen, and nothing once its row is chosen. The published code counts s in a JSON cache whose keys are text, so
    on a second run no row is ever found to be chosen; here nothing is cached. All pairs are compared: time grows with
    the square of the number of rows. The rows that are not chosen follow by their votes.
    """
    n = len(vectors)
    if n < 2:
        return list(range(n))
    voted = _neighbours(on_grid(vectors), min(num_neighbours, n - 1))
    voters = np.argsort(voted, axis=None, kind="stable") // max(1, voted.shape[1])
    starts = np.concatenate(([0], np.bincount(voted.ravel(), minlength=n).cumsum()))
    weights = _weights(rho, n)
    scores = np.diff(starts) * weights[0]
    level = np.zeros(n, np.int64)  # of a row: how many it votes for are chosen
    open_rows = np.ones(n, bool)
    chosen: list[int] = []
    for _ in range(num_kept):
        best = int(np.where(open_rows, scores, -1).argmax())
        chosen.append(best)
        open_rows[best] = False
        scores[voted[best]] -= weights[level[best]]
        losing = voters[starts[best] : starts[best + 1]]
        losing = losing[open_rows[losing]]
        lost = weights[level[losing]]
        level[losing] = np.minimum(level[losing] + 1, len(weights) - 1)
        lost = lost - weights[level[losing]]
        np.subtract.at(scores, voted[losing].ravel(), np.repeat(lost, voted.shape[1]))
    others: list[int] = np.argsort(-np.where(open_rows, scores, -1), kind="stable").tolist()
    return chosen + others[: n - len(chosen)]


def _neighbours(vectors: Vectors, count: int) -> npt.NDArray[np.int64]:
    """The nearest rows of each row, without itself."""
    faiss = import_faiss()
    n = len(vectors)
    near: npt.NDArray[np.int64] = faiss.knn(vectors, vectors, count + 1, faiss.METRIC_INNER_PRODUCT)[1]
    other = near != np.arange(n)[:, None]
    other[other.all(axis=1), -1] = False  # among many duplicates, a row may be missing from its own nearest
    neighbours: npt.NDArray[np.int64] = near[other].reshape(n, count)
    return neighbours


def _weights(rho: int, n: int) -> npt.NDArray[np.int64]:
    """rho ** -s as whole numbers, so that sums are exact: the largest that n votes fit in 64 bits, and 0 at the end."""
    powers = [1]
    while powers[-1] * rho * n < 2**62 and len(powers) < 64:
        powers.append(powers[-1] * rho)
    return np.array([*reversed(powers), 0], np.int64)
