"""The semantic index: finds the kept text closest in meaning to a new one. Vectors are searched with FAISS."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.novelty import Nearest
from pipeline.novelty.encoder import BATCH, Encoder, Vectors, batches, not_installed

__all__ = ["BATCH", "EmbeddingIndex", "Encoder", "import_faiss"]

MAX_EXACT = 1_000_000  # texts; from there on an approximate index is 6 times faster (benchmarks/embedding.py)
NUM_PROBES = 64  # of its 4 sqrt(MAX_EXACT) lists: finds all but few of what is too close (the same)
_NEAR = 4  # neighbours that are compared again in float64, so that a score depends on the two texts alone
_ROUNDING = 1e-5  # float32 inner products of unit vectors are less than this off


class EmbeddingIndex:
    """Finds the added text whose vector has the highest cosine.

    The search is exact up to `max_exact` texts. Beyond that, older texts move to an approximate index, and only the
    newest, fewer than a sixteenth of `max_exact`, are searched exactly. Results depend on the texts and their order,
    not on batches.

    Args:
        encode: Turns texts into rows of float32, each of length 1; `Encoder.encode` does.
    """

    def __init__(
        self,
        encode: Callable[[Sequence[str]], Vectors],
        texts: Iterable[str] = (),
        max_cosine: float = 0.9,
        max_exact: int = MAX_EXACT,
    ) -> None:
        self.max_cosine, self.max_exact = max_cosine, max_exact
        self._encode = encode
        self._texts: list[str] = []
        self._old: Any = None  # an IndexIVFFlat of the first rows, once there are more than max_exact
        self._new: Any = None  # an IndexFlatIP of the rows after them
        for block in batches(texts):
            self._append(block, encode(block))

    def __len__(self) -> int:
        return len(self._texts)

    def nearest(self, text: str) -> Nearest:
        """The highest cosine and its text if it is above `max_cosine`; else (0.0, None)."""
        found = self.closest(text)
        return found if found.score > self.max_cosine else Nearest(0.0, None)

    def closest(self, text: str) -> Nearest:
        """The highest cosine and its text, however low it is; (0.0, None) if there are no texts."""
        scores, rows = self._search(self._encode([text]))
        return self._named(scores[0], rows[0])

    def closest_of(self, texts: Iterable[str]) -> Iterator[Nearest]:
        """As `closest`, for many texts, in batches."""
        for batch in batches(texts):
            yield from map(self._named, *self._search(self._encode(batch)))

    def add(self, text: str) -> None:
        self._append([text], self._encode([text]))

    def admit(self, texts: Iterable[str]) -> Iterator[Nearest]:
        """Yield the closest text of each, however far; add those that are not above `max_cosine`, one by one.

        The same as `closest` and `add` in turn, but searched in batches: a batch is matched with the index and with
        itself, then decided in order. So of texts that are all too close to each other the first one wins.
        """
        for batch in batches(texts):
            vectors = self._encode(batch)
            while batch:
                found = self._admit(batch, vectors)
                yield from found
                batch, vectors = batch[len(found) :], vectors[len(found) :]

    def _admit(self, texts: Sequence[str], vectors: Vectors) -> list[Nearest]:
        """Decide the texts in order, up to the next move of rows to the approximate index."""
        scores, rows = self._search(vectors)
        inside = vectors @ vectors.T
        room = self._room()
        found: list[Nearest] = []
        new: list[int] = []
        for i in range(len(texts)):
            best = self._named(scores[i], rows[i])
            if new and (top := (row := inside[i, new]).max()) > scores[i] - _ROUNDING:
                near = [new[k] for k in np.flatnonzero(row >= top - _ROUNDING)]
                within = cosines(vectors[[i] * len(near)], vectors[near])
                if (score := within.max()) > scores[i]:
                    best = Nearest(float(score), texts[near[within.argmax()]])
            found.append(best)
            if best.text is None or best.score <= self.max_cosine:
                new.append(i)
            if len(new) == room:
                break
        self._append([texts[i] for i in new], vectors[new])
        return found

    def _named(self, score: np.float64, row: np.int64) -> Nearest:
        return Nearest(float(score), self._texts[row]) if row >= 0 else Nearest(0.0, None)

    def _search(self, vectors: Vectors) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """The highest cosine and its row (of equals, the first); -2 and -1 if there is none."""
        scores, rows = np.full(len(vectors), -2.0), np.full(len(vectors), -1, np.int64)
        offset = 0
        for index in (self._old, self._new):
            if index is None or not index.ntotal:
                continue
            _, found = index.search(vectors, min(_NEAR, index.ntotal))
            found.sort(axis=1)
            theirs = index.reconstruct_batch(np.maximum(found, 0).ravel())
            ours = np.repeat(vectors, found.shape[1], axis=0)
            exact = np.where(found < 0, -2.0, cosines(ours, theirs).reshape(found.shape))
            best = exact.argmax(axis=1)
            every = np.arange(len(vectors))
            better = exact[every, best] > scores
            scores = np.where(better, exact[every, best], scores)
            rows = np.where(better, found[every, best] + offset, rows)
            offset += index.ntotal
        return scores, rows

    def _room(self) -> int:
        """How many more texts can be added before rows move to the approximate index."""
        full = self.max_exact if self._old is None else max(1, self.max_exact // 16)
        return full - (self._new.ntotal if self._new else 0)

    def _append(self, texts: Sequence[str], vectors: Vectors) -> None:
        while len(texts):
            if self._new is None:
                self._new = import_faiss().IndexFlatIP(vectors.shape[1])
            room = self._room()
            self._new.add(np.ascontiguousarray(vectors[:room]))
            self._texts += texts[:room]
            texts, vectors = texts[room:], vectors[room:]
            if not self._room():
                self._move()

    def _move(self) -> None:
        faiss = import_faiss()
        flat = self._new
        rows = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(-1, flat.d)
        if self._old is None:
            num_lists = int(4 * self.max_exact**0.5)
            self._old = faiss.IndexIVFFlat(faiss.IndexFlatIP(flat.d), flat.d, num_lists, faiss.METRIC_INNER_PRODUCT)
            self._old.nprobe = NUM_PROBES
            self._old.make_direct_map()
            self._old.train(rows)
        self._old.add(rows)
        flat.reset()


def cosines(ours: Vectors, theirs: Vectors) -> npt.NDArray[np.float64]:
    """Cosines, row by row. Two rows score the same in any batch."""
    products: npt.NDArray[np.float64] = np.einsum("ij,ij->i", ours.astype(np.float64), theirs.astype(np.float64))
    return products.clip(max=1.0)


def import_faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise not_installed(error) from error
    return faiss
