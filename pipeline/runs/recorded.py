"""An engine that remembers: what the journal holds is answered from it, the rest is asked, measured and kept."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing

from pipeline.engines.base import Arrived, Completion, Completions, Engine, Request, template_kwargs
from pipeline.runs.budget import Budget, stop
from pipeline.runs.journal import Journal
from pipeline.runs.outcomes import Outcomes
from pipeline.text import mend

logger = logging.getLogger(__name__)

AHEAD = 4096  # how far to read ahead while all answers are in the journal
SAVE = 1.0  # seconds between two notes of how busy the engine is


class Recorded:
    """An engine around an engine."""

    def __init__(self, engine: Engine, journal: Journal, stage: str, budget: Budget) -> None:
        self.engine, self.journal, self.stage, self.budget = engine, journal, stage, budget
        self.model, self.window = engine.model, engine.window
        self.chat_template_kwargs = template_kwargs(engine)
        self.num_known = 0  # completions that the journal had

    @property
    def chat(self) -> bool:
        return self.engine.chat

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        """As `Engine.generate`.

        Raises:
            BudgetReached: once what is in flight has been handed out.
            SproutError: when the first requests of a stage bring nothing, see `Outcomes.in_turn`.
        """
        source = iter(requests)
        reached: str | None = None
        waiting: deque[Request | Completion] = deque()  # in order: what is known, and what is asked
        meter = Meter(self.journal, self.stage)
        outcomes = Outcomes(self.stage, self.journal.answered(self.stage, self.model))

        def pull() -> Request | None:
            """The next that must be asked, as far as the budget reaches."""
            nonlocal reached
            while len(waiting) < AHEAD and not reached and (request := next(source, None)) is not None:
                known = self.journal.find(self.model, request)
                if known is None and (reached := self.budget.reached()):
                    return None
                waiting.append(known or request)
                if known is None:
                    meter.count(1)
                    return request
                self.num_known += 1
                outcomes.note(request, known)
            return None

        def unknown(request: Request | None) -> Iterator[Request | None]:
            while True:
                yield request
                request = pull()

        def keep(request: Request, completion: Completion) -> None:
            outcomes.note(request, completion)
            if completion.finish_reason != "error":
                self.journal.record(self.stage, self.model, request, completion)
                self.budget.spend(completion.prompt_tokens, completion.completion_tokens)
            meter.count(-1)
            if arrived:
                arrived(request, completion)

        try:
            while True:
                if (first := pull()) is not None:
                    yield from outcomes.checked(_in_turn(waiting, self.engine.generate(unknown(first), keep)))
                elif not waiting:
                    break
                yield from outcomes.checked(_known(waiting))
                yield from outcomes.held()
        finally:
            meter.save()
            for line in outcomes.said():
                logger.warning(line)
        if reached:
            raise stop(reached)

    def close(self) -> None:
        if close := getattr(self.engine, "close", None):
            close()


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


def _in_turn(waiting: deque[Request | Completion], answers: Completions) -> Completions:
    """Hand out each answer after the known completions that come before it."""
    with closing(answers):
        for answer in answers:
            yield from _known(waiting)
            waiting.popleft()
            yield answer.model_copy(update={"text": mend(answer.text)})  # as the journal has it


def _known(waiting: deque[Request | Completion]) -> Completions:
    """Hand out the known completions whose turn it is."""
    while waiting and isinstance(known := waiting[0], Completion):
        waiting.popleft()
        yield known
