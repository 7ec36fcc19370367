"""What went wrong with requests: whose fault it is, and what the log says of it."""

from collections import Counter

from pipeline.engines.server.trouble import Trouble

MIN_TRIES = 3  # before a request is set aside that fails while others do not
MAX_BROKEN_OFF = 6  # tries of a request that the server always ends early: one that is short of something recovers
MAX_EMPTY = 3
BUSY_PATIENCE = 10  # patiences; a server too busy for one request says nothing about it


class Failures:
    """What went wrong with one request, and whose fault it is."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.count = self.unreadable = self.alone = 0  # alone: while others were answered
        self.kinds: Counter[str] = Counter()
        self.first = self.last = self.first_alone = 0.0
        self.busy = False
        self.proven = False  # the server answered another request, asked only to find that out

    def add(self, trouble: Trouble, now: float, answered: float) -> None:
        """Count a failure; `answered` is when the server last gave a right answer to any request."""
        self.first = self.first if self.count else now
        if self.count and answered > self.last:
            self.first_alone = self.first_alone if self.alone else now
            self.alone += 1
        self.count += 1
        self.unreadable += trouble.unreadable
        self.kinds[trouble.kind] += 1
        self.last, self.busy = now, trouble.busy

    def own(self, now: float) -> bool:
        """Whether it is this request that can't be answered, as far as patience goes."""
        patience = self.patience * (BUSY_PATIENCE if self.busy else 1)
        return self.alone >= MIN_TRIES and now - self.first_alone >= patience

    @property
    def in_vain(self) -> bool:
        """Whether it was answered, but without a whole text, as often as it is worth to ask."""
        broken_off = self.kinds["answer aborted"]
        if self.alone >= MIN_TRIES:  # else it may be all that the server says
            broken_off += self.unreadable
        return broken_off >= MAX_BROKEN_OFF or self.kinds["answer empty"] >= MAX_EMPTY


class Warnings:
    """Lines for the log: the first trouble at once, then counts by kind, a line a minute for as long as it goes on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self.told = False

    def add(self, kind: str, message: str) -> str | None:
        if self.told:
            self.counts[kind] += 1
            return None
        self.told = True
        return f"{self.name}: {kind}: {message}"

    def sum_up(self, in_flight: int) -> str | None:
        """What came since the last line; after a minute without any, the next trouble is said at once again."""
        kinds = [plural(number, kind) for kind, number in self.counts.most_common()]
        self.counts.clear()
        self.told = bool(kinds)
        return f"{self.name}: {', '.join(kinds)} in the last minute, {in_flight} in flight" if kinds else None


def plural(number: int, kind: str) -> str:
    """ "132 answers 429": the noun comes first."""
    noun, space, rest = kind.partition(" ")
    return f"{number} {noun}{'' if number == 1 else 's'}{space}{rest}"
