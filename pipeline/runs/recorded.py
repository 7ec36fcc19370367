"""An engine that remembers: what the journal holds is answered from it, the rest is asked, measured and kept."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing

from pipeline.engines.base import Arrived, Completion, Completions, Engine, Proxy, Request
from pipeline.runs.budget import Budget, stop
from pipeline.runs.journal import Journal
from pipeline.text import mend

logger = logging.getLogger(__name__)

AHEAD = 4096  # how far to read ahead while all answers are in the journal
SAVE = 1.0  # seconds between two notes of how busy the engine is


class Recorded(Proxy):
    """An engine around an engine."""

    def __init__(self, engine: Engine, journal: Journal, stage: str, budget: Budget) -> None:
        super().__init__(engine)
        self.journal, self.stage, self.budget = journal, stage, budget
        self.num_known = 0  # completions that the journal had

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        """As `Engine.generate`.

        Raises:
            BudgetReached: once what is in flight has been handed out.
        """
        source = iter(requests)
        reached: str | None = None
        waiting: deque[Request | Completion] = deque()  # in order: what is known, and what is asked
        meter = Meter(self.journal, self.stage)

        def pull() -> Request | None:
            """The next that must be asked, as far as the budget reaches."""
            nonlocal reached
            while len(waiting) < AHEAD and not reached and (request := next(source, None)) is not None:
                known = self.journal.find(self.model, request)
                if known is None and (reached := self.budget.reached()):
                    return None
                waiting.append(known or request)
                self.num_known += known is not None
                if known is None:
                    meter.count(1)
                    return request
            return None

        def unknown(request: Request | None) -> Iterator[Request | None]:
            while True:
                yield request
                request = pull()

        failed: list[str] = []

        def keep(request: Request, completion: Completion) -> None:
            if completion.finish_reason == "error":
                failed.append(f"{request.id}: {completion.text}")
            else:
                self.journal.record(self.stage, self.model, request, completion)
                self.budget.spend(completion.prompt_tokens, completion.completion_tokens)
            meter.count(-1)
            if arrived:
                arrived(request, completion)

        try:
            while True:
                if (first := pull()) is not None:
                    yield from _in_turn(waiting, self.engine.generate(unknown(first), keep))
                elif not waiting:
                    break
                yield from _known(waiting)
        finally:
            meter.save()
            if failed:
                logger.warning("%s: %d requests can't succeed, the first is %s", self.stage, len(failed), failed[0])
        if reached:
            raise stop(reached)


class Meter:
    """How long a stage is at work, and how busy it keeps the engine."""

    def __init__(self, journal: Journal, stage: str) -> None:
        self.journal, self.stage = journal, stage
        self.lock = threading.Lock()
        self.in_flight, self.busy, self.together = 0, 0.0, 0.0
        self.begun = self.last = self.saved = 0.0
        self.id: int | None = None

    def count(self, change: int) -> None:
        """One more request is in flight, or one less."""
        with self.lock:
            now = time.monotonic()
            self.begun = self.begun or now
            if self.in_flight > 0:
                self.busy += now - self.last
                self.together += (now - self.last) * self.in_flight
            self.in_flight += change
            self.last = now
            due = change < 0 and now - self.saved > SAVE
        if due:
            self.save()

    def save(self) -> None:
        if self.begun and not self.journal.closed:
            self.saved = time.monotonic()
            self.id = self.journal.sitting(self.id, self.stage, self.last - self.begun, self.busy, self.together)


def _in_turn(waiting: deque[Request | Completion], answers: Completions) -> Iterator[Completion]:
    """Hand out each answer after the known completions that come before it."""
    with closing(answers):
        for answer in answers:
            yield from _known(waiting)
            waiting.popleft()
            yield answer.model_copy(update={"text": mend(answer.text)})  # as the journal has it


def _known(waiting: deque[Request | Completion]) -> Iterator[Completion]:
    """Hand out the known completions whose turn it is."""
    while waiting and isinstance(known := waiting[0], Completion):
        waiting.popleft()
        yield known
