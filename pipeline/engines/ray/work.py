"""The requests of one call of an engine: which wait for a replica, which are answered."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from pipeline.engines.base import refused
from pipeline.engines.ray.replica import Answer, Asked

MAX_LOST = 5  # replicas that a request may be lost with; after that, it is what they die of


class Work:
    """Requests by their numbers, which say their order.

    Args:
        arrived: Called with each request and its answer, once.
    """

    def __init__(self, arrived: Callable[[Any, Any], None] | None) -> None:
        self.arrived = arrived
        self.open: dict[int, Asked] = {}  # not answered yet
        self.done: dict[int, Answer] = {}  # answered, not handed out yet
        self._queue: list[int] = []  # a heap: open, and with no replica
        self._lost = Counter[int]()

    def add(self, number: int, request: Asked) -> None:
        self.open[number] = request
        heapq.heappush(self._queue, number)

    def take(self, most: int) -> list[tuple[int, Asked]]:
        """Up to so many requests that have no replica, the oldest first."""
        numbers = [heapq.heappop(self._queue) for _ in range(min(most, len(self._queue)))]
        return [(number, self.open[number]) for number in numbers]

    def answer(self, number: int, answer: Answer) -> None:
        """Note an answer. One to a request that is answered, or that is none of these, counts for nothing."""
        if (request := self.open.pop(number, None)) is None:
            return
        self.done[number] = answer
        if self.arrived:
            self.arrived(request, answer)

    def lose(self, numbers: Iterable[int]) -> None:
        """Queue requests again whose replica is dead."""
        for number in numbers:
            self._lost[number] += 1
            if number not in self.open:
                continue
            if self._lost[number] < MAX_LOST:
                heapq.heappush(self._queue, number)
            else:
                self.answer(number, refused(self.open[number], f"{MAX_LOST} replicas died while they had this request"))
