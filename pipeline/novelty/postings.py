"""The inverted index inside `RougeIndex`: finds the rows that share rare tokens with a text."""

from collections.abc import Sequence
from math import isqrt
from typing import NamedTuple

import numpy as np

from pipeline.novelty.bounds import Array, Bounds, Paired

LENGTH = (1 << 32) - 1  # the bits of a key that hold the length of the row; a hash of what it is posted under is above

_FACTORS = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F  # odd, without a pattern; 31 bits of the sum of products are used
_ALONE = LENGTH  # in place of the second token of a pair
_YOUNG = 64  # rows that may be sorted apart from the others, times their square root: each merge copies all postings
_MOST = 4  # postings read for each row that there is, before it is quicker to look at all rows


class _Sorted(NamedTuple):
    keys: Array
    rows: Array

    def merged(self, keys: Array, rows: Array) -> "_Sorted":
        order = keys.argsort(kind="stable")
        places = self.keys.searchsorted(keys[order], side="right") + np.arange(len(keys))
        is_old = np.ones(len(self.keys) + len(keys), bool)
        is_old[places] = False

        def both(old: Array, new: Array) -> Array:
            column = np.empty(len(is_old), old.dtype)
            column[is_old] = old
            column[places] = new[order]
            return column

        return _Sorted(both(self.keys, keys), both(self.rows, rows))


NOTHING = _Sorted(np.empty(0, np.int64), np.empty(0, np.uint32))


class Postings:
    """A posting says that a row has some token, or some two, among its rare ones; `RougeIndex` says which and why.

    They are sorted by a hash of that and by the length of the row; those of the latest rows apart from the others.

    Args:
        num_frequent: Tokens with lower ids are frequent.
        paired: The lengths of the rows that are posted under pairs of frequent tokens.
    """

    def __init__(self, num_frequent: int, paired: Paired) -> None:
        self.num_frequent, self.paired = num_frequent, paired
        self.num_rows = self._num_old = 0  # rows that are sorted in, and those that are in `_old`
        self._old = self._young = NOTHING

    def add(self, ids: Array, lengths: Array, num_rare: Array) -> None:
        """Post the next rows.

        Args:
            ids: Their token ids, one row after the other.
            lengths: [row] How many of them each has.
            num_rare: [row] How many of those, the rarest, are posted.
        """
        row = np.repeat(np.arange(len(lengths)), lengths)
        token = np.sort(row << 32 | LENGTH - ids.astype(np.int64))  # row by row, from the rarest to the most frequent
        position = np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        is_first = np.append(True, token[1:] != token[:-1])
        is_second = np.append(False, is_first[:-1]) & ~is_first
        ids = (LENGTH - (token & LENGTH)).astype(np.uint64)
        in_pairs = (ids < self.num_frequent) & ((lengths >= self.paired.first) & (lengths <= self.paired.last))[row]
        alone = is_first & ~in_pairs & (position < num_rare[row])
        in_pairs &= position <= num_rare[row]
        twice = is_second & in_pairs
        keys = [_hash(ids[alone], np.full(alone.sum(), _ALONE, np.uint64)), _hash(ids[twice], ids[twice])]
        rows = [row[alone], row[twice]]
        ids, row = ids[is_first & in_pairs], row[is_first & in_pairs]
        for step in range(1, self.paired.last + 1):
            same = (row[step:] == row[:-step]).nonzero()[0]
            if not len(same):
                break
            keys.append(_hash(ids[same], ids[same + step]))
            rows.append(row[same])
        row = np.concatenate(rows)
        key = np.concatenate(keys).view(np.int64) | lengths[row]
        self._young = self._young.merged(key, (row + self.num_rows).astype(np.uint32))
        self.num_rows += len(lengths)
        if self.num_rows - self._num_old > _YOUNG * isqrt(self.num_rows):
            self._old, self._young, self._num_old = self._old.merged(*self._young), NOTHING, self.num_rows

    def search(self, ids: Sequence[int], bounds: Bounds) -> list[Array] | None:
        """The rows that share rare tokens with a text and are as long as the bounds allow; some come several times.

        None: so many that it is quicker to look at all rows.
        """
        edges = np.array(self._edges(ids, bounds), np.int64)
        found: list[Array] = []
        for part in (self._old, self._young):
            if len(part.keys):
                at = part.keys.searchsorted(edges).tolist()
                found += [part.rows[start:stop] for start, stop in zip(at[::2], at[1::2], strict=True) if start < stop]
        return found if sum(map(len, found)) <= _MOST * self.num_rows else None

    def _edges(self, ids: Sequence[int], bounds: Bounds) -> list[int]:
        """The keys that are looked up: from the first to the second, which is not included, and so on."""
        last, first = bounds.last, bounds.first
        any_alone = first < self.paired.first or last[0] > self.paired.last  # of the frequent tokens
        any_paired = first <= self.paired.last
        edges: list[int] = []
        earlier: list[int] = []  # frequent tokens
        previous, times = -1, 0
        for position, id in enumerate(sorted(ids, reverse=True)[: len(last) + 1]):
            times = times + 1 if id == previous else 1
            previous = id
            is_frequent = id < self.num_frequent
            if times == 1 and position < len(last) and (any_alone or not is_frequent):
                key = _key(id, _ALONE)
                edges += (key | first, (key | last[position]) + 1)
            if is_frequent and any_paired and times <= 2:
                for other in earlier if times == 1 else [id]:
                    key = _key(other, id)
                    edges += (key | first, (key | last[position - 1]) + 1)
            if is_frequent and times == 1:
                earlier.append(id)
        return edges


def _hash(ids: Array, others: Array) -> Array:
    first, second = (np.uint64(factor) for factor in _FACTORS)
    mixed: Array = ids * first + others * second
    hashed: Array = mixed >> np.uint64(33) << np.uint64(32)
    return hashed


def _key(id: int, other: int) -> int:
    return (id * _FACTORS[0] + other * _FACTORS[1] & 0xFFFFFFFFFFFFFFFF) >> 33 << 32
