"""Vectors to search with FAISS: exactly, or in lists around centroids, of which a search reads only the nearest."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.novelty.encoder import Vectors, not_installed

Rows = npt.NDArray[np.int64]

_PER_LIST = 40  # vectors that a centroid is trained on: FAISS wants 39
_ROUNDS = 10
_GRID = 2048


def on_grid(vectors: Vectors) -> Vectors:
    """Round to multiples of 1/2048: every product of two rows is then exact in float32, in whatever order it is summed.

    Its terms are multiples of 2 ** -22, and no partial sum is above 2. So what is chosen by comparing products does not
    depend on batches or on the number of threads. A cosine changes by about 0.0002.
    """
    rounded: Vectors = np.round(vectors * _GRID) / np.float32(_GRID)
    return rounded


class Flat:
    """All vectors, each compared with in a search; on all GPUs that FAISS finds, which is so in its builds for GPUs."""

    def __init__(self, dim: int) -> None:
        faiss = import_faiss()
        self._vectors = faiss.IndexFlatIP(dim)
        has_gpus = getattr(faiss, "get_num_gpus", int)() > 0
        self._searched = faiss.index_cpu_to_all_gpus(self._vectors) if has_gpus else self._vectors

    @property
    def size(self) -> int:
        return int(self._vectors.ntotal)

    def add(self, vectors: Vectors) -> None:
        self._vectors.add(np.ascontiguousarray(vectors))
        if self._searched is not self._vectors:
            self._searched.add(np.ascontiguousarray(vectors))

    def search(self, vectors: Vectors, count: int, every: bool = False) -> Rows:
        """The rows of the nearest `count` vectors of each."""
        rows: Rows = self._searched.search(np.ascontiguousarray(vectors), count)[1]
        return rows

    def vectors(self, rows: Rows) -> Vectors:
        found: Vectors = self._vectors.reconstruct_batch(rows)
        return found


class Lists:
    """FAISS's IVF: vectors in lists around centroids, as many as four times the square root of their number.

    A search reads the `num_probes` lists whose centroids are nearest. Vectors are on the grid, so that all products are
    exact, and what is found is the same on every machine; in float16, which holds all numbers of the grid, in 2 bytes.
    """

    def __init__(self, num_vectors: int, num_probes: int) -> None:
        self.num_lists = min(num_vectors, int(4 * num_vectors**0.5))
        self.step = max(1, num_vectors // (_PER_LIST * self.num_lists))  # of the vectors that train the centroids
        self.num_probes = num_probes
        self._index: Any = None

    def train(self, sample: Vectors) -> None:
        faiss = import_faiss()
        dim, half, metric = sample.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        centroids = _centroids(on_grid(sample), self.num_lists)
        quantizer = faiss.IndexFlatIP(dim)
        quantizer.add(centroids)
        self._index = faiss.IndexIVFScalarQuantizer(quantizer, dim, len(centroids), half, metric, False)
        self._index.train(centroids)

    @property
    def size(self) -> int:
        return int(self._index.ntotal)

    def add(self, vectors: Vectors) -> None:
        self._index.add(on_grid(vectors))

    def search(self, vectors: Vectors, count: int, every: bool = False) -> Rows:
        """The rows of the nearest `count` vectors of each, in `num_probes` lists or in `every` one; -1 if too few."""
        num = self.num_lists if every else min(self.num_probes, self.num_lists)
        how = import_faiss().SearchParametersIVF(nprobe=num)
        rows: Rows = self._index.search(on_grid(vectors), count, params=how)[1]
        return rows


def _centroids(sample: Vectors, count: int) -> Vectors:
    """Spherical k-means from rows evenly spaced, all of whose sums are exact: the same on every machine."""
    faiss = import_faiss()
    centroids: Vectors = sample[np.arange(count) * len(sample) // count]
    for _ in range(_ROUNDS):
        nearest = faiss.knn(sample, centroids, 1, faiss.METRIC_INNER_PRODUCT)[1][:, 0]
        order = np.argsort(nearest, kind="stable")
        used, starts = np.unique(nearest[order], return_index=True)
        sums = np.add.reduceat(sample[order], starts, axis=0, dtype=np.float64)
        norms = np.sqrt((sums**2).sum(axis=1, keepdims=True))
        centroids[used] = on_grid((sums / np.maximum(norms, 1e-9)).astype(np.float32))
    return centroids


def import_faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise not_installed(error) from error
    return faiss
