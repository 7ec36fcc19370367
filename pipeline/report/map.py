"""The map of a dataset: clusters of vectors, their names, and a place in the plane for each."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.novelty.encoder import Vectors
from pipeline.report.verbs import Pair

Places = npt.NDArray[np.float32]  # a row for each vector: x and y
Rows = npt.NDArray[np.int64]

MAX_CLUSTERS = 12
_MOST = 4_000  # vectors that are laid out among each other; the others go where their nearest are
_NEIGHBOURS = 12
_ROUNDS = 200
_A, _B = 1.577, 0.895  # UMAP (arXiv 1802.03426) with min_dist 0.1: how closeness falls with distance in the plane


def clusters(vectors: Vectors) -> Rows:
    """The number of each vector's cluster by k-means, by cosine; the largest cluster is 0."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    distinct = len(np.unique(vectors, axis=0))
    count = max(1, min(MAX_CLUSTERS, len(vectors) // 25, distinct))
    with threadpool_limits(1):  # more threads add up in another order, which can move a vector to another cluster
        nearest = KMeans(count, n_init=4, random_state=0).fit_predict(vectors)
    sizes = np.bincount(nearest, minlength=count)
    ranks = np.empty(count, np.int64)
    ranks[np.argsort(-sizes, kind="stable")] = np.arange(count)
    numbers: Rows = ranks[nearest]
    return numbers


def names(pairs: Sequence[Pair | None], cluster: Rows) -> list[str]:
    """Each cluster by its typical verb and nouns: frequent in it, and more so than elsewhere."""
    total: Counter[str] = Counter(word for pair in pairs if pair for word in _words(pair))
    found: list[str] = []
    for number in range(int(cluster.max()) + 1):
        inside = [pair for pair, own in zip(pairs, cluster, strict=True) if own == number and pair]
        verbs, nouns = Counter(pair[0] for pair in inside), Counter(pair[1] for pair in inside if pair[1])
        typical = _typical(verbs, total, "v:", 1) + _typical(nouns, total, "n:", 2)
        name = " · ".join(dict.fromkeys(typical)) or "without a verb"
        found.append(name if name not in found else f"{name} ({found.count(name) + number + 1})")
    return found


def _words(pair: Pair) -> list[str]:
    return [f"v:{pair[0]}", f"n:{pair[1]}"]


def _typical(counts: Counter[str], total: Counter[str], kind: str, most: int) -> list[str]:
    scores = {word: count * count / total[kind + word] for word, count in counts.items() if count > 1}
    return sorted(scores, key=lambda word: (-scores[word], word))[:most]


def layout(vectors: Vectors) -> Places:
    """Places in the plane where near vectors are near: neighbours attract, random others repel, from PCA on.

    This is the idea of UMAP (arXiv 1802.03426) with all pulls of a round at once.
    """
    rows = np.unique(np.linspace(0, len(vectors) - 1, min(_MOST, len(vectors))).astype(np.int64))
    chosen = vectors[rows]
    places = _pca(chosen)
    if len(rows) > _NEIGHBOURS + 1:
        near, cosines = _nearest(chosen, chosen, _NEIGHBOURS + 1)
        places = _attract(places, near[:, 1:], cosines[:, 1:], np.random.default_rng(0))
    if len(rows) == len(vectors):
        return places
    near, cosines = _nearest(vectors, chosen, 4)
    weights = np.maximum(cosines, 0.01)[:, :, None] ** 8
    placed: Places = ((places[near] * weights).sum(axis=1) / weights.sum(axis=1)).astype(np.float32)
    placed[rows] = places
    return placed


def _pca(vectors: Vectors) -> Places:
    """The two directions of the widest spread, from -10 to 10; all in one place where all are the same."""
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    places: Places = np.zeros((len(vectors), 2), np.float32)
    if len(vectors) > 1 and np.ptp(vectors, axis=0).any():
        with threadpool_limits(1):
            flat = PCA(min(2, *vectors.shape), svd_solver="full").fit_transform(vectors)
        places[:, : flat.shape[1]] = 10 * flat / max(float(np.abs(flat).max()), 1e-9)
    return places


def _nearest(vectors: Vectors, others: Vectors, count: int) -> tuple[Rows, Vectors]:
    """The nearest of the others for each vector, nearest first, and their cosines."""
    from sklearn.neighbors import NearestNeighbors
    from threadpoolctl import threadpool_limits

    search = NearestNeighbors(n_neighbors=count, metric="cosine", algorithm="brute")
    with threadpool_limits(1):
        distances, near = search.fit(others).kneighbors(vectors)
    return near.astype(np.int64), (1 - distances).astype(np.float32)


def _attract(places: Places, near: Rows, cosines: Vectors, rng: np.random.Generator) -> Places:
    count = len(places)
    tails, heads = np.repeat(np.arange(count), near.shape[1]), near.ravel()
    distance = 1 - cosines
    beyond = distance - distance[:, :1]
    chance = np.exp(-beyond / np.maximum(beyond.mean(axis=1, keepdims=True), 1e-6)).ravel()
    places = places + rng.normal(0, 0.05, places.shape).astype(np.float32)  # the same vectors, the same place: apart
    for number in range(_ROUNDS):
        pull = rng.random(len(tails)) < chance
        one, other = tails[pull], heads[pull]
        steps = np.zeros_like(places)
        gap = places[one] - places[other]
        square = (gap * gap).sum(axis=1, keepdims=True) + 1e-6
        force = np.clip(-2 * _A * _B * square ** (_B - 1) / (1 + _A * square**_B) * gap, -4, 4)
        _add(steps, one, force)
        _add(steps, other, -force)
        for _ in range(3):
            gap = places[one] - places[rng.integers(count, size=len(one))]
            square = (gap * gap).sum(axis=1, keepdims=True)
            _add(steps, one, np.clip(2 * _B / ((0.001 + square) * (1 + _A * square**_B)) * gap, -4, 4))
        places = places + np.clip(0.3 * (1 - number / _ROUNDS) * steps, -1, 1)
    return np.asarray(places - places.mean(axis=0), np.float32)


def _add(steps: Places, rows: Rows, forces: Places) -> None:
    for axis in range(2):
        steps[:, axis] += np.bincount(rows, weights=forces[:, axis], minlength=len(steps)).astype(np.float32)
