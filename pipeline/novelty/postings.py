"""The inverted index inside `RougeIndex`: finds the rows that share a rare token with a text."""

from collections.abc import Sequence
from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LENGTH = (1 << 32) - 1  # the bits of a key that hold the length of the row; the token id is above them
_SPARE = 512  # rows that may wait to be sorted in, besides 1 in 128 of the others,
_SPARE_OF_MANY = 8  # or this times their square root: each search reads the waiting rows, each merge all postings


class Bounds(NamedTuple):
    """What a text of m tokens allows one of n tokens that is too close to it."""

    far: Array  # [n]: the most signature bits they may differ in; -1: no text of n tokens can be too close
    first: int  # the least n that can
    last: list[int]  # [i]: the largest n that can if the rarest shared token is at position i


class Postings:
    """A posting says that a row has some token among its rare ones; sorted by token id and length of the row.

    After the sorted ones comes one posting, which every search reads, for each row that waits to be sorted in.
    """

    def __init__(self) -> None:
        self.keys: Array = np.empty(_SPARE, np.int64)  # token id << 32 | length; of a waiting row, the length alone
        self.folded: Array = np.empty(_SPARE, np.uint64)
        self.rows: Array = np.empty(_SPARE, np.uint32)
        self.num_sorted = self.size = 0
        self.num_rows = 0  # rows below this one are sorted in

    @property
    def full(self) -> bool:
        return self.size == len(self.keys)

    def append(self, length: int, folded: int, row: int) -> None:
        self.keys[self.size], self.folded[self.size], self.rows[self.size] = length, folded, row
        self.size += 1

    def merge(self, num_rows: int, keys: Array, folded: Array, rows: Array) -> None:
        """Sort in the postings of all rows below `num_rows` that are not yet; nothing waits after that."""
        order = keys.argsort(kind="stable")
        places = self.keys[: self.num_sorted].searchsorted(keys[order], side="right") + np.arange(len(keys))
        is_old = np.ones(self.num_sorted + len(keys), bool)
        is_old[places] = False
        capacity = len(is_old) + _SPARE + min(num_rows // 128, _SPARE_OF_MANY * isqrt(num_rows))

        def merged(old: Array, new: Array) -> Array:
            column = np.empty(capacity, old.dtype)
            column[: len(is_old)][is_old] = old[: self.num_sorted]
            column[places] = new[order]
            return column

        self.keys = merged(self.keys, keys)
        self.folded = merged(self.folded, folded)
        self.rows = merged(self.rows, rows)
        self.num_sorted = self.size = len(is_old)
        self.num_rows = num_rows

    def search(self, ids: Sequence[int], folded: int, bounds: Bounds) -> tuple[Array, Array]:
        """Rows with a rare token, a length and a signature within the bounds, and the bits each may differ in.

        A row that shares several rare tokens comes several times.
        """
        edges, previous = [], -1
        for id, last in zip(sorted(ids, reverse=True), bounds.last, strict=False):
            if id != previous:
                edges += [id << 32 | bounds.first, id << 32 | last + 1]
            previous = id
        found = self.keys[: self.num_sorted].searchsorted(edges).tolist()
        spans = [(start, stop) for start, stop in zip(found[::2], found[1::2], strict=True) if start < stop]
        spans.append((self.num_sorted, self.size))
        keys = np.concatenate([self.keys[start:stop] for start, stop in spans])
        theirs = np.concatenate([self.folded[start:stop] for start, stop in spans])
        far = bounds.far.take(keys & LENGTH, mode="clip")  # a row too long for the table gets its last entry, -1
        near = (np.bitwise_count(theirs ^ np.uint64(folded)) <= far).nonzero()[0]
        if not len(near):
            return near, near
        rows = np.concatenate([self.rows[start:stop] for start, stop in spans])
        return rows[near], far[near]
