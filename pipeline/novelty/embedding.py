"""The semantic index: finds the kept text closest in meaning to a new one. Vectors are searched with FAISS."""

import logging
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.novelty import Nearest
from pipeline.novelty.encoder import BATCH, Encoder, Vectors, batches
from pipeline.novelty.lists import Flat, Lists

__all__ = ["BATCH", "EmbeddingIndex", "Encoder"]

logger = logging.getLogger(__name__)

MAX_EXACT = 65_536  # texts, from which on lists are faster than comparing with all (benchmarks/embedding.py)
_GROWTH = 4  # new lists are made each time that there are so many times the texts
_NEW = 16  # a part of MAX_EXACT: that many texts together go into lists
_NEAR = 4  # neighbours that are compared again in float64, so that a score depends on the two texts alone
_ROUNDING = 1e-5  # float32 inner products of unit vectors are less than this off


class Admitted(NamedTuple):
    """The closest text and its cosine; where lists are searched, for a sample also the highest cosine there is."""

    score: float
    text: str | None
    highest: float | None = None


class EmbeddingIndex:
    """Finds the added text whose vector has the highest cosine.

    The search is exact, and uses all GPUs if FAISS finds any. With `num_probes` it is exact up to `max_exact` texts;
    beyond that, vectors lie in lists around centroids, and only the nearest `num_probes` lists and the newest vectors,
    fewer than a sixteenth of `max_exact`, are compared with. Lists are made of the first `max_exact` texts, and again
    of all when there are four times as many. So results depend on the texts and their order, not on batches, threads,
    or where a run was interrupted.

    Args:
        encode: Turns texts into rows of float32, each of length 1; `Encoder.encode` does. With lists it is also asked
            for the vectors of texts that were added, as lists hold them rounded.
    """

    def __init__(
        self,
        encode: Callable[[Sequence[str]], Vectors],
        texts: Iterable[str] = (),
        max_cosine: float = 0.9,
        num_probes: int | None = None,
        max_exact: int = MAX_EXACT,
    ) -> None:
        self.max_cosine, self.num_probes, self.max_exact = max_cosine, num_probes, max_exact
        self._encode = encode
        self._texts: list[str] = []
        self._lists: Lists | None = None  # of the first rows
        self._new: Flat | None = None  # of the rows after them
        self._next = max_exact  # so many texts make new lists
        self._load(texts)

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

    def admit(self, texts: Iterable[str]) -> Iterator[Admitted]:
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

    def _admit(self, texts: Sequence[str], vectors: Vectors) -> list[Admitted]:
        """Decide the texts in order, up to the next move of rows to the lists."""
        scores, rows = self._search(vectors)
        highest = self._highest(texts, vectors)
        inside = vectors @ vectors.T
        room = self._room()
        found: list[Admitted] = []
        new: list[int] = []
        for i in range(len(texts)):
            best = self._named(scores[i], rows[i])
            if new and (top := (row := inside[i, new]).max()) > scores[i] - _ROUNDING:
                near = [new[k] for k in np.flatnonzero(row >= top - _ROUNDING)]
                within = cosines(vectors[[i] * len(near)], vectors[near])
                if (score := within.max()) > scores[i]:
                    best = Nearest(float(score), texts[near[within.argmax()]])
            found.append(Admitted(*best, max(highest[i], best.score) if i in highest else None))
            if best.text is None or best.score <= self.max_cosine:
                new.append(i)
            if len(new) == room:
                break
        self._append([texts[i] for i in new], vectors[new])
        return found

    def _highest(self, texts: Sequence[str], vectors: Vectors) -> dict[int, float]:
        """For a sample, where lists are searched: the highest cosine to any text in the index.

        A text is in the sample for what it is, not for where it stands. The sample is smaller where there is more to
        compare it with, so that this takes about a tenth of the time.
        """
        if self._lists is None:
            return {}
        step = max(1, self._lists.num_lists // 4)
        sample = [
            place for place, text in enumerate(texts) if not zlib.crc32(text.encode("utf-8", "surrogatepass")) % step
        ]
        scores, _ = self._search(vectors[sample], every=True)
        return dict(zip(sample, scores.tolist(), strict=True))

    def _named(self, score: np.float64, row: np.int64) -> Nearest:
        return Nearest(float(score), self._texts[row]) if row >= 0 else Nearest(0.0, None)

    def _search(self, vectors: Vectors, every: bool = False) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """The highest cosine and its row (of equals, the first); -2 and -1 if there is none."""
        scores, rows = np.full(len(vectors), -2.0), np.full(len(vectors), -1, np.int64)
        offset = 0
        for index in (self._lists, self._new):
            if index is None or not index.size or not len(vectors):
                continue
            found = np.sort(index.search(vectors, min(_NEAR, index.size), every), axis=1)
            theirs = self._vectors(index, np.maximum(found, 0).ravel())
            ours = np.repeat(vectors, found.shape[1], axis=0)
            exact = np.where(found < 0, -2.0, cosines(ours, theirs).reshape(found.shape))
            best = exact.argmax(axis=1)
            every_row = np.arange(len(vectors))
            better = exact[every_row, best] > scores
            scores = np.where(better, exact[every_row, best], scores)
            rows = np.where(better, found[every_row, best] + offset, rows)
            offset += index.size
        return scores, rows

    def _vectors(self, index: Flat | Lists, rows: npt.NDArray[np.int64]) -> Vectors:
        if isinstance(index, Flat):
            return index.vectors(rows)
        used, places = np.unique(rows, return_inverse=True)
        return self._encode([self._texts[row] for row in used.tolist()])[places]

    def _room(self) -> int | None:
        """How many more texts can be added before rows move to the lists; None: any number."""
        if self.num_probes is None:
            return None
        full = self.max_exact if self._lists is None else max(1, self.max_exact // _NEW)
        return full - (self._new.size if self._new else 0)

    def _load(self, texts: Iterable[str]) -> None:
        """Add many texts, without making lists that would be made again."""
        if self.num_probes is not None:
            texts = list(texts)
            while self._next * _GROWTH <= len(texts):
                self._next *= _GROWTH
            if self._next <= len(texts):
                self._texts, texts = texts[: self._next], texts[self._next :]
                self._make_lists(self.num_probes)
        for block in batches(texts):
            self._append(block, self._encode(block))

    def _append(self, texts: Sequence[str], vectors: Vectors) -> None:
        while len(texts):
            if self._new is None:
                self._new = Flat(vectors.shape[1])
            room = self._room()
            self._new.add(vectors[:room])
            self._texts += texts[:room]
            if self.num_probes is None:
                return
            texts, vectors = texts[room:], vectors[room:]
            if not self._room():
                self._move(self.num_probes)

    def _move(self, num_probes: int) -> None:
        """Put the newest texts into the lists, or all into new ones."""
        if self._lists is None or len(self._texts) >= self._next:
            self._make_lists(num_probes)
        elif self._new:
            self._lists.add(self._new.vectors(np.arange(self._new.size)))
        self._new = None

    def _make_lists(self, num_probes: int) -> None:
        self._lists = None  # so that old and new ones are not in memory together
        self._next *= _GROWTH
        lists = Lists(len(self._texts), num_probes)
        logger.info("%s texts are put into %s lists", f"{len(self._texts):,}", f"{lists.num_lists:,}")
        lists.train(self._encode(self._texts[:: lists.step]))
        for block in batches(self._texts):
            lists.add(self._encode(block))
        self._lists = lists


def cosines(ours: Vectors, theirs: Vectors) -> npt.NDArray[np.float64]:
    """Cosines, row by row. Two rows score the same in any batch."""
    products: npt.NDArray[np.float64] = np.einsum("ij,ij->i", ours.astype(np.float64), theirs.astype(np.float64))
    return products.clip(max=1.0)
