"""Puts a few requests of a stage and times them, to estimate the rest."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

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
    at_hand,
)
from pipeline.engines.proxy import Proxy
from pipeline.runs.recorded import Recorded
from pipeline.stage import Stage
from pipeline.task import Task

Q = TypeVar("Q", Request, ScoreRequest)
A = TypeVar("A", Completion, Likelihood)


class Estimate(NamedTuple):
    """The remaining requests, tokens and time of a stage."""

    stage: str
    requests: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float


class Probe(Proxy):
    """Passes a few requests on and times them; if the source ends, counts the remaining ones.

    The first request is not timed: it loads the model.
    """

    def __init__(self, engine: Engine, most: int, endless: bool) -> None:
        super().__init__(engine)
        self.most, self.endless = most, endless
        self.asked = self.left = self.prompt_tokens = self.completion_tokens = 0
        self.pace = 0.0  # seconds per request; 0 until two have been asked
        self.ids: list[str] = []  # of the requests that were answered

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        for completion in self._few(iter(requests), self.engine.generate, arrived):
            self.prompt_tokens += completion.prompt_tokens
            self.completion_tokens += completion.completion_tokens
            yield completion

    def score(self, requests: Iterable[ScoreRequest | None], arrived: Scored | None = None) -> Likelihoods:
        for likelihood in self._few(iter(requests), self.engine.score, arrived):
            self.prompt_tokens += likelihood.prompt_tokens + likelihood.num_tokens
            yield likelihood

    def _few(
        self,
        source: Iterator[Q | None],
        ask: Callable[[Iterator[Q | None], Callable[[Q, A], None]], Iterator[A]],
        arrived: Callable[[Q, A], None] | None,
    ) -> Iterator[A]:
        times: list[float] = []

        def measured(request: Q, answer: A) -> None:
            times.append(time.monotonic())
            if len(times) > 1:
                self.pace = (times[-1] - times[0]) / (len(times) - 1)
            if arrived:
                arrived(request, answer)

        asked = 0
        while (before := asked) < self.most:
            few = self.most - asked if times else 1
            for answer in ask(first(source, few), measured):
                asked += 1
                self.asked += 1
                self.ids.append(answer.id)
                yield answer
            if asked == before:
                break
        if not self.endless:
            self.left += sum(1 for _ in at_hand(source))  # what an answer would lead to is not known


class Probes:
    """The probes of all engines that a stage asks.

    Attributes:
        pace: Seconds per request, where an engine was not asked often enough to tell.
    """

    def __init__(self, most: int, endless: bool, recorded: Callable[[Engine], Recorded]) -> None:
        self.most, self.endless, self.recorded = most, endless, recorded
        self.each: list[tuple[Recorded, Probe]] = []
        self.pace = 0.0

    def add(self, engine: Engine) -> Probe:
        recorded = self.recorded(engine)
        probe = Probe(recorded, self.most, self.endless)
        self.each.append((recorded, probe))
        return probe

    @property
    def asked(self) -> int:
        return sum(probe.asked for _, probe in self.each)

    @property
    def left(self) -> int:
        return sum(probe.left for _, probe in self.each)

    @property
    def all_known(self) -> bool:
        """Whether the journal answered every request."""
        return all(recorded.num_requests == recorded.num_known for recorded, _ in self.each)

    def each_took(self, stage: Stage, decided: Sequence[Task]) -> float:
        """How many requests a decided task took, on average; 0 if none was decided."""
        own = {id for task in decided for id in stage.requests(task)}
        ids = (id for _, probe in self.each for id in probe.ids)
        took = sum(any(f"{id}:"[:end] in own for end in _ends(id)) for id in ids)
        return took / len(decided) if decided else 0.0

    def estimate(self, stage: str, requests: int) -> Estimate:
        """An estimate for this many requests, from the means and speeds of those probed, each engine with its share."""
        prompt_tokens = completion_tokens = seconds = 0.0
        counted = self.asked + self.left
        for _, probe in self.each:
            share = requests * ((probe.asked + probe.left) / counted if counted else 1 / len(self.each))
            prompt_tokens += probe.prompt_tokens * share / max(1, probe.asked)
            completion_tokens += probe.completion_tokens * share / max(1, probe.asked)
            seconds += share * (probe.pace or self.pace)
        return Estimate(stage, requests, round(prompt_tokens), round(completion_tokens), seconds)


def _ends(id: str) -> Iterator[int]:
    """Where the id of what a request belongs to may end."""
    return (place for place, sign in enumerate(f"{id}:") if sign == ":")


def first(source: Iterator[Q | None], most: int) -> Iterator[Q | None]:
    """Up to `most` requests."""
    while most > 0:
        request = next(source, None)
        most -= request is not None
        yield request
