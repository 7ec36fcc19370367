"""Which keys a journal may hold, without a search in it."""

from collections.abc import Iterable

BITS = 1 << 25  # 4 MiB: of the keys of a million tasks, one in 16 that is new looks as if it were known


class Known:
    """Keys in one bit each: it never misses one, and may take another key for one of them (a Bloom filter).

    Nearly all that a run asks for is new, and a search that finds nothing takes 20 times as long.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._bits = bytearray(BITS >> 3)
        for key in keys:
            self.add(key)

    def add(self, key: str) -> None:
        place = int(key[:8], 16) % BITS
        self._bits[place >> 3] |= 1 << (place & 7)

    def may_hold(self, key: str) -> bool:
        place = int(key[:8], 16) % BITS
        return bool(self._bits[place >> 3] & 1 << (place & 7))
