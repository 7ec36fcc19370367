"""The inverted index inside `RougeIndex`: finds the rows that share rare tokens with a text."""

from collections.abc import Sequence
from math import isqrt
from typing import NamedTuple

import numpy as np

from pipeline.novelty.bounds import Array, Bounds, Paired

LENGTH = (1 << 32) - 1  # the bits of a key that hold the length of the row

_FACTORS = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F  # odd, without a pattern; 30 bits of the sum of products are used
_PAIR = 1 << 62
_LOW = (1 << 64) - 1
_YOUNG = 64  # rows that may be sorted apart from the others, times their square root: each merge copies all postings
_MANY = 500  # postings from which it pays to look at the lengths of those alone that are near enough for some length
_MOST = 4  # postings of each row that are read, on average, before it is quicker to look at all rows


class _Sorted(NamedTuple):
    keys: Array  # a hash of the tokens << 32 | length of the row
    folded: Array  # signature of the row, folded to 64 bits
    rows: Array

    def merged(self, *added: Array) -> "_Sorted":
        """With postings in any order: their keys, signatures and rows."""
        order = added[0].argsort(kind="stable")
        places = self.keys.searchsorted(added[0][order], side="right") + np.arange(len(order))
        is_old = np.ones(len(self.keys) + len(order), bool)
        is_old[places] = False

        def both(old: Array, new: Array) -> Array:
            column = np.empty(len(is_old), old.dtype)
            column[is_old] = old
            column[places] = new[order]
            return column

        return _Sorted(*map(both, self, added))


_NOTHING = _Sorted(np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.uint32))


class Postings:
    """A posting says that a row has some token, or some two, among its rare ones; `RougeIndex` says which and why.

    They are sorted by a hash of that and by the length of the row; those of the latest rows apart from the others. The
    last few rows wait to be sorted in, and every search looks at all of them.

    Args:
        num_frequent: Tokens with lower ids are frequent.
        paired: The lengths of the rows that are posted under pairs of frequent tokens.
    """

    def __init__(self, num_frequent: int, paired: Paired) -> None:
        self.num_frequent, self.paired = num_frequent, paired
        self.num_rows = self._num_old = 0  # rows that are sorted in, and those that are in `_old`
        self._old = self._young = _NOTHING
        self._waiting, self.num_waiting = _NOTHING, 0  # its keys are lengths alone

    def wait(self, length: int, folded: int, row: int) -> None:
        """Look at the row in each search, until it is sorted in."""
        if self.num_waiting == len(self._waiting.keys):
            self._waiting = _Sorted(*(np.resize(column, 2 * self.num_waiting + 64) for column in self._waiting))
        for column, value in zip(self._waiting, (length, folded, row), strict=True):
            column[self.num_waiting] = value
        self.num_waiting += 1

    def sort_in(self, ids: Array, lengths: Array, folded: Array, num_rare: Array) -> None:
        """Sort in the next rows; none waits after that.

        Args:
            ids: Their token ids, one row after the other.
            lengths: [row] How many of them each has.
            folded: [row] Their signatures, folded to 64 bits.
            num_rare: [row] How many of the tokens, the rarest, are posted.
        """
        keys, row = self._keys(ids, lengths, num_rare)
        self._young = self._young.merged(keys | lengths[row], folded[row], row + self.num_rows)
        self.num_rows += len(lengths)
        if self.num_rows - self._num_old > _YOUNG * isqrt(self.num_rows):
            self._old, self._young, self._num_old = self._old.merged(*self._young), _NOTHING, self.num_rows
        self.num_waiting = 0

    def search(self, ids: Sequence[int], folded: int, bounds: Bounds) -> tuple[Array, Array] | None:
        """Rows with rare tokens, a length and a signature within the bounds, and the bits each may differ in.

        A row that shares several rare tokens comes several times. None: it is quicker to look at all rows.
        """
        edges = np.array(self._edges(ids, bounds), np.int64)
        spans = [(self._waiting, 0, self.num_waiting)]
        for part in (self._old, self._young):
            if len(part.keys):
                at = part.keys.searchsorted(edges).tolist()
                spans += [(part, start, stop) for start, stop in zip(at[::2], at[1::2], strict=True) if start < stop]
        keys = np.concatenate([part.keys[start:stop] for part, start, stop in spans])
        if len(keys) > _MOST * self.num_rows + self.num_waiting:
            return None
        theirs = np.concatenate([part.folded[start:stop] for part, start, stop in spans])
        differ = np.bitwise_count(theirs ^ np.uint64(folded))
        some = (differ <= bounds.farthest).nonzero()[0] if len(keys) > _MANY else slice(None)
        far = bounds.far.take(keys[some] & LENGTH, mode="clip")  # a row too long for the table gets its last entry, -1
        near = (differ[some] <= far).nonzero()[0]
        if not len(near):
            return near, near
        rows = np.concatenate([part.rows[start:stop] for part, start, stop in spans])
        return rows[some][near], far[near]

    def _keys(self, ids: Array, lengths: Array, num_rare: Array) -> tuple[Array, Array]:
        """What to post the rows under, and the row of each of these."""
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
        keys = [ids[alone] << np.uint64(32), _keys_of(ids[twice], ids[twice])]
        rows = [row[alone], row[twice]]
        ids, row = ids[is_first & in_pairs], row[is_first & in_pairs]
        for step in range(1, self.paired.last + 1):
            same = (row[step:] == row[:-step]).nonzero()[0]
            if not len(same):
                break
            keys.append(_keys_of(ids[same], ids[same + step]))
            rows.append(row[same])
        return np.concatenate(keys).view(np.int64), np.concatenate(rows)

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
                key = id << 32
                edges += (key | first, (key | last[position]) + 1)
            if is_frequent and any_paired and times <= 2:
                for other in earlier if times == 1 else [id]:
                    key = _key(other, id)
                    edges += (key | first, (key | last[position - 1]) + 1)
            if is_frequent and times == 1:
                earlier.append(id)
        return edges


def _key(token: int, other: int) -> int:
    """Of a pair: a hash above all ids."""
    return _PAIR | (token * _FACTORS[0] + other * _FACTORS[1] & _LOW) >> 34 << 32


def _keys_of(tokens: Array, others: Array) -> Array:
    """`_key` of each."""
    mixed: Array = tokens * np.uint64(_FACTORS[0]) + others * np.uint64(_FACTORS[1])
    keys: Array = np.uint64(_PAIR) | mixed >> np.uint64(34) << np.uint64(32)
    return keys
