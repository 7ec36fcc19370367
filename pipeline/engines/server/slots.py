"""How many requests are in flight: as many as the server takes well, and the oldest request first."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf

START = 4  # requests in flight before anything is known of the server, which may take one at a time
STEP = 1 / 8  # growth once a limit was met, of what is in flight, per round trip


class Slots:
    """How many requests may be in flight, learned from what becomes of them.

    It doubles with each round trip until the server first has enough, and grows slowly from there. Where the server
    tells how many requests wait in it, whoever asked them, that decides: nothing waits, it grows; some wait, it shrinks
    by the share that does. Otherwise right answers make it grow. Signs of too much halve it in any case.
    """

    def __init__(self, most: int, blind: int | None = None) -> None:
        self.most = most
        self.blind = most if blind is None else blind  # the most while the server does not tell what waits in it
        self.limit = float(min(START, most))
        self.in_flight = 0
        self.measured = False  # the server tells what waits
        self.steep = True
        self.answered_since_cut = True
        self.cut_at = -inf
        self.closed_until = 0.0  # by the clock of the loop; 0 while it is open
        self.aside = False  # the server is left aside
        self.share = 0.0  # of the requests in the server that waited, when last told

    @property
    def free(self) -> bool:
        return self.in_flight < int(self.limit)

    @property
    def open(self) -> bool:
        return self.free and not self.closed_until and not self.aside

    def restart(self) -> None:
        """Forget what was learned, of a server that has come back."""
        self.limit, self.steep, self.answered_since_cut, self.cut_at = float(min(START, self.most)), True, True, -inf
        self.measured, self.closed_until = False, 0.0

    def answered(self, slowly: bool = False) -> None:
        """A right answer came; its request is still counted as in flight. After a slow one, nothing grows."""
        self.answered_since_cut = True
        if not (self.measured or slowly):
            self._grow(1 if self.steep else max(1 / self.limit, STEP))

    def crowded(self, began: float, now: float) -> bool:
        """A request that `began` then met a sign of too much: 429, 503, a time-out. One round trip counts once.

        True says that no request at all was answered since the last such sign. That is no question of how many are in
        flight: the server takes none for a while.
        """
        if began < self.cut_at:
            return False
        if not self.answered_since_cut:
            return True
        self.steep, self.answered_since_cut, self.cut_at = False, False, now
        self.limit = max(1.0, self.limit / 2)
        return False

    def observed(self, running: float, waiting: float) -> None:
        """What the server tells, about once a second. A queue counts if it is there twice in a row."""
        self.measured = True
        share = waiting / (running + waiting) if waiting else 0.0
        lasting, self.share = min(share, self.share), share
        if lasting:
            self.steep = False
            self.limit = max(1.0, min(self.limit, self.in_flight * max(0.5, 1 - lasting)))
        elif not waiting:
            self._grow(self.limit if self.steep else max(1.0, self.limit * STEP))

    def _grow(self, step: float) -> None:
        if not self.free:  # otherwise the limit is not what holds requests back
            most = self.most if self.measured else self.blind
            self.limit = max(self.limit, min(float(most), self.limit + step))  # what was learned stays


class Turns:
    """Lets so many in at once, in the order in which they came.

    `asyncio.Semaphore` does as well, but for each that leaves it looks at all that were let in and have not run since:
    a tenth of the time of a client with a thousand answers a second.
    """

    def __init__(self, most: int) -> None:
        self.free = most
        self.waiting: deque[asyncio.Future[None]] = deque()  # none while one is free

    async def __aenter__(self) -> None:
        if self.free:
            self.free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1


class Gate:
    """Lets requests through where there are slots, those with the lowest numbers first.

    Of several servers, each with slots of its own, the one with the fewest requests in flight is next.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *slots: Slots) -> None:
        self.loop, self.slots = loop, [*slots]
        self.waiting: list[tuple[int, asyncio.Future[Slots]]] = []

    @asynccontextmanager
    async def slot(self, number: int) -> AsyncIterator[Slots]:
        """A slot, of the server whose slots these are."""
        turn = self.loop.create_future()
        heapq.heappush(self.waiting, (number, turn))
        self.let_in()
        try:
            yield await turn
        finally:
            if turn.done() and not turn.cancelled() and not turn.exception():
                turn.result().in_flight -= 1
                self.let_in()

    def close_for(self, slots: Slots, seconds: float) -> None:
        """Let none through to this server for a while."""
        until = self.loop.time() + seconds
        if seconds and until > slots.closed_until:
            slots.closed_until = until
            self.loop.call_at(until, self._open, slots, until)

    def _open(self, slots: Slots, until: float) -> None:
        if until == slots.closed_until:  # it was not closed for longer in the meantime
            slots.closed_until = 0.0
            self.let_in()

    def let_in(self) -> None:
        while self.waiting and (free := [slots for slots in self.slots if slots.open]):
            _, turn = heapq.heappop(self.waiting)
            if not turn.done():
                fewest = min(free, key=lambda slots: slots.in_flight)
                fewest.in_flight += 1
                turn.set_result(fewest)

    def fail(self, error: Exception) -> None:
        """Let none through any more: who waits gets the error."""
        for _, turn in self.waiting:
            if not turn.done():
                turn.set_exception(error)
        self.waiting.clear()
