"""An engine with a memory: answers from the journal where it can; asks, measures and stores the rest."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pipeline.engines.base import (
    Arrived,
    Completion,
    Completions,
    Engine,
    Likelihood,
    Likelihoods,
    Request,
    Scored,
    ScoreRequest,
)
from pipeline.engines.proxy import Proxy
from pipeline.runs.budget import Budget, Work, stop
from pipeline.runs.journal import Journal
from pipeline.runs.outcomes import Outcomes
from pipeline.text import mend

logger = logging.getLogger(__name__)

Q = TypeVar("Q", Request, ScoreRequest)
A = TypeVar("A", Completion, Likelihood)
AHEAD = 4096  # known answers to hold at most, while one before them is asked for or all are known
SAVE = 1.0  # seconds between two records of how busy the engine is


class Recorded(Proxy):
    """Wraps an engine; what it asks counts against the budget."""

    def __init__(self, engine: Engine, journal: Journal, stage: str, budget: Budget) -> None:
        super().__init__(engine)
        self.journal, self.stage, self.budget = journal, stage, budget
        self.num_requests = 0  # put to it, in this sitting
        self.num_known = 0  # completions and likelihoods answered from the journal

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        """As `Engine.generate`.

        Raises:
            BudgetReached: after the completions in flight have been yielded.
            SproutError: when the first requests of a stage bring no text; see `Outcomes.in_turn`.
        """

        def keep(request: Request, completion: Completion) -> None:
            if completion.finish_reason != "error":
                self.journal.record(self.stage, self.model, request, completion)
                self.budget.spend(completion.prompt_tokens, completion.completion_tokens)

        def as_kept(completion: Completion) -> Completion:
            text = mend(completion.text)
            return completion if text == completion.text else completion.model_copy(update={"text": text})

        memory = _Memory(self.journal.find, keep, as_kept, lambda completion: completion)
        yield from self._remember(requests, self.engine.generate, memory, arrived)

    def score(self, requests: Iterable[ScoreRequest | None], arrived: Scored | None = None) -> Likelihoods:
        """As `Engine.score`, and as `generate` here."""

        def keep(request: ScoreRequest, likelihood: Likelihood) -> None:
            if not likelihood.error:
                self.journal.record_likelihood(self.stage, self.model, request, likelihood)
                self.budget.spend(likelihood.prompt_tokens + likelihood.num_tokens, 0)

        def as_completion(likelihood: Likelihood) -> Completion:
            reason: Literal["error", "stop"] = "error" if likelihood.error else "stop"
            return Completion(id=likelihood.id, text=likelihood.error or "scored", finish_reason=reason)

        memory = _Memory(self.journal.find_likelihood, keep, lambda likelihood: likelihood, as_completion)
        yield from self._remember(requests, self.engine.score, memory, arrived)

    def _remember(
        self,
        requests: Iterable[Q | None],
        ask: Callable[[Iterator[Q | None], Callable[[Q, A], None]], Generator[A, None, None]],
        memory: "_Memory[Q, A]",
        arrived: Callable[[Q, A], None] | None,
    ) -> Generator[A, None, None]:
        """Answers from the journal and, for the rest, from `ask`, in the order of the requests."""
        source = iter(requests)
        reached: str | None = None
        waiting = _Waiting[A]()
        meter = Meter(self.journal, self.stage)
        work = self.budget.work = Work(self.stage)
        outcomes = Outcomes(self.stage, self.journal.answered(self.stage, self.model), memory.as_completion)

        def pull() -> Q | None:
            """The next requests that must be asked, within the budget."""
            nonlocal reached
            while waiting.num_known < AHEAD and not reached and (request := next(source, None)) is not None:
                self.num_requests += 1
                known = memory.find(self.model, request)
                if known is None and (reached := self.budget.reached()):
                    return None
                waiting.add(known)
                if known is None:
                    meter.count(1)
                    work.in_flight += 1
                    return request
                self.num_known += 1
                outcomes.note(request, known)
            return None

        def unknown(request: Q | None) -> Iterator[Q | None]:
            while True:
                yield request
                request = pull()

        def keep(request: Q, answer: A) -> None:
            outcomes.note(request, answer)
            memory.keep(request, answer)
            meter.count(-1)
            work.in_flight -= 1
            work.answered += 1
            if arrived:
                arrived(request, answer)

        try:
            while True:
                if (first := pull()) is not None:
                    yield from outcomes.checked(waiting.in_turn(ask(unknown(first), keep), memory.as_kept))
                elif not waiting.num_known:
                    break
                yield from outcomes.checked(waiting.known())
                yield from outcomes.held()
        finally:
            work.in_flight = 0
            meter.save()
            for line in outcomes.said():
                logger.warning(line)
        if reached:
            raise stop(reached)


@dataclass
class _Memory(Generic[Q, A]):
    """How one kind of answer is stored."""

    find: Callable[[str, Q], A | None]  # what the journal holds about a request to a model
    keep: Callable[[Q, A], None]  # writes an answer down, unless the request failed
    as_kept: Callable[[A], A]  # an answer as the journal would give it back
    as_completion: Callable[[A], Completion]  # what `Outcomes` looks at


class _Waiting(Generic[A]):
    """Answers whose turn is not yet, in order: a known one, or None for one that was asked for.

    Attributes:
        num_known: How many of them are known.
    """

    def __init__(self) -> None:
        self.answers: deque[A | None] = deque()
        self.num_known = 0

    def add(self, answer: A | None) -> None:
        self.answers.append(answer)
        self.num_known += answer is not None

    def known(self) -> Generator[A, None, None]:
        """The known answers at the front."""
        while self.answers and (answer := self.answers[0]) is not None:
            self.answers.popleft()
            self.num_known -= 1
            yield answer

    def in_turn(self, asked: Generator[A, None, None], as_kept: Callable[[A], A]) -> Generator[A, None, None]:
        """Each answer that was asked for, after the known ones that precede it."""
        with closing(asked):
            for answer in asked:
                yield from self.known()
                self.answers.popleft()
                yield as_kept(answer)


class Meter:
    """Measures how long a stage is at work and how busy it keeps the engine."""

    def __init__(self, journal: Journal, stage: str) -> None:
        self.journal, self.stage = journal, stage
        self.lock = threading.Lock()
        self.in_flight, self.busy, self.together = 0, 0.0, 0.0
        self.begun = self.last = self.saved = 0.0
        self.id: int | None = None

    def count(self, change: int) -> None:
        """Count a request that has started or ended."""
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
