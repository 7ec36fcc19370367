"""Where the completion of each key is in a journal, without an index in its file."""

import numpy as np
from numpy.typing import NDArray

RECENT = 1 << 16  # keys that are not sorted in yet, or this share of the others, if that is more
SHARE = 1 / 32


class Known:
    """The row of each key, by the first 64 bits of the key: 16 bytes each, however many there are.

    Keys are random, so an index in the file would cost a run more than all else it writes there, and ever more as it
    grows. Of two keys that begin alike only the later is known: whoever reads a row looks whether it is of that key.
    """

    def __init__(self) -> None:
        self._recent: dict[int, int] = {}
        self._keys: NDArray[np.uint64] = np.empty(0, np.uint64)  # sorted
        self._rows: NDArray[np.int64] = np.empty(0, np.int64)

    def add(self, key: str, row: int) -> None:
        self._recent[int(key[:16], 16)] = row
        if len(self._recent) > max(RECENT, len(self._keys) * SHARE):
            self._sort_in()

    def row(self, key: str) -> int | None:
        """The row that was added last for this key, or for one that begins like it; None if there is none."""
        begins = int(key[:16], 16)
        if (row := self._recent.get(begins)) is not None or not len(self._keys):
            return row
        place = int(self._keys.searchsorted(np.uint64(begins), side="right")) - 1
        return int(self._rows[place]) if place >= 0 and self._keys[place] == begins else None

    def _sort_in(self) -> None:
        num = len(self._recent)
        keys = np.concatenate([self._keys, np.fromiter(self._recent, np.uint64, num)])
        rows = np.concatenate([self._rows, np.fromiter(self._recent.values(), np.int64, num)])
        order = keys.argsort(kind="stable")  # of equals, the one added last stays last
        self._keys, self._rows = keys[order], rows[order]
        self._recent.clear()
