"""How much of a held-out text occurs in another text: the share of its words in common n-grams."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.novelty.tokens import tokens

NGRAM = 8  # words in a row; open-instruct, as for Tulu 3 (arXiv 2411.15124)
MAX_OVERLAP = 0.5  # share of a held-out text that may be in another; open-instruct
Array = npt.NDArray[Any]


class Overlap(NamedTuple):
    """The share, from 0 to 1, and the number of the held-out text; None if they have nothing in common."""

    share: float
    row: int | None


class OverlapIndex:
    """Finds the held-out text that another text covers most.

    A word of a held-out text is covered if it is part of `size` words in a row that also stand in the other text, in
    that order; the share is that of its words. A text of fewer words has no n-gram and is never found by `closest`.

    N-grams are looked up by their hash, so the time to search grows only with the number of texts that have some in
    common with the other one.
    """

    def __init__(self, texts: Sequence[str], size: int = NGRAM) -> None:
        self.size = size
        self._ids: dict[str, int] = {}
        words = [[self._ids.setdefault(word, len(self._ids)) for word in tokens(text)] for text in texts]
        # Words map to random numbers, so that two n-grams collide with probability 2 ** -64.
        self._numbers = np.random.default_rng(0).integers(2**64, size=len(self._ids) + 1, dtype=np.uint64)
        self._lengths = np.array([len(one) for one in words], np.int64)
        self._short: dict[tuple[int, ...], int] = {}
        for row, one in enumerate(words):
            if 0 < len(one) < size:
                self._short.setdefault(tuple(one), row)
        hashed = [self._hashes(np.array(one, np.int64)) for one in words]
        hashes = np.concatenate([np.empty(0, np.uint64), *hashed])
        order = hashes.argsort(kind="stable")
        self._known, self._starts = np.unique(hashes[order], return_index=True)
        self._stops = np.append(self._starts[1:], len(hashes))
        rows = np.repeat(np.arange(len(words)), [len(one) for one in hashed])
        positions = np.concatenate([np.empty(0, np.int64), *(np.arange(len(one)) for one in hashed)])
        self._places = (rows << 32 | positions)[order]  # where each n-gram stands: row and position

    def closest(self, text: str) -> Overlap:
        """The held-out text with the highest share (of equals, the first)."""
        ids = np.array([self._ids.get(word, -1) for word in tokens(text)], np.int64)
        hashes = np.unique(self._hashes(ids))
        if not len(self._known) or not len(hashes):
            return Overlap(0.0, None)
        found = self._known.searchsorted(hashes).clip(max=len(self._known) - 1)
        found = found[self._known[found] == hashes]
        if not len(found):
            return Overlap(0.0, None)
        spans = zip(self._starts[found], self._stops[found], strict=True)
        places = np.sort(np.concatenate([self._places[start:stop] for start, stop in spans]), kind="stable")  # runs
        return self._best(places)

    def same(self, text: str) -> Overlap:
        """The first held-out text of fewer than `size` words that has exactly the words of this one."""
        words = tuple(self._ids.get(word, -1) for word in tokens(text))
        row = self._short.get(words)
        return Overlap(float(row is not None), row)

    def _best(self, places: Array) -> Overlap:
        rows, positions = places >> 32, places & (1 << 32) - 1
        covered = np.full(len(places), self.size)
        same = rows[1:] == rows[:-1]
        covered[:-1][same] = np.minimum(self.size, (positions[1:] - positions[:-1])[same])
        first = np.flatnonzero(np.append(True, ~same))
        shares = np.add.reduceat(covered, first) / self._lengths[rows[first]]
        best = int(shares.argmax())
        return Overlap(float(shares[best]), int(rows[first[best]]))

    def _hashes(self, ids: Array) -> Array:
        """Hashes of the n-grams, in order, without those that contain a word of no held-out text."""
        count = len(ids) - self.size + 1
        if count < 1:
            return np.empty(0, np.uint64)
        numbers = self._numbers[ids]
        hashes = np.zeros(count, np.uint64)
        for place in range(self.size):
            hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + numbers[place : place + count]
        unknown = np.append(0, np.cumsum(ids < 0))
        kept: Array = hashes[unknown[self.size :] == unknown[:count]]
        return kept
