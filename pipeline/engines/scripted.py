"""An engine that answers from functions: for tests and dry runs."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from pydantic import Field

from pipeline.engines.base import (
    Arrived,
    Completion,
    Completions,
    Engine,
    Likelihood,
    Likelihoods,
    Options,
    Request,
    Scored,
    ScoreRequest,
    at_hand,
)
from pipeline.engines.find import named

R = TypeVar("R", Request, ScoreRequest)
Answer = Callable[[Request], str | Completion]
Score = Callable[[ScoreRequest], float | Sequence[float] | Likelihood]


class ScriptedOptions(Options):
    model: str = Field(default="scripted", description="a name for it")
    answer: str = Field(description="module:function; it takes a pipeline.Request and returns the text")
    likelihood: str | None = Field(
        default=None, description="module:function; it takes a ScoreRequest and returns a log-probability"
    )
    chat: bool = Field(default=False, description="prompts are messages (true) or plain text (false)")
    window: int = Field(default=8, ge=1, description="the most requests in flight")


class Scripted(Engine):
    """Answers each request by a function of yours, without a model.

    `window` requests are in flight at once, as in a real engine, so prompts are built as early as they would be there.

    Args:
        answer: From a request to the text, or to a whole completion; or where this function is, as `module:function`.
        likelihood: From a request to score to a log-probability, to those of its tokens, or to a whole likelihood.

    Example:
        >>> engine = Scripted(lambda request: " a list", likelihood=lambda request: -1.0)
    """

    options = ScriptedOptions

    def __init__(
        self,
        answer: Answer | str,
        model: str = "scripted",
        chat: bool = False,
        window: int = 8,
        likelihood: Score | str | None = None,
    ) -> None:
        self.answer: Answer = named(answer, "engine") if isinstance(answer, str) else answer
        self.likelihood: Score | None = named(likelihood, "engine") if isinstance(likelihood, str) else likelihood
        self.model = model
        self.chat = chat
        self.window = window
        self.can_prefill = True
        self.requests: list[Request] = []

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        for request in self._in_flight(requests, self.requests.append):
            answer = self.answer(request)
            completion = answer if isinstance(answer, Completion) else Completion(id=request.id, text=answer)
            if arrived:
                arrived(request, completion)
            yield completion

    def score(self, requests: Iterable[ScoreRequest | None], arrived: Scored | None = None) -> Likelihoods:
        if self.likelihood is None:
            yield from super().score(requests, arrived)
            return
        for request in self._in_flight(requests):
            found = self.likelihood(request)
            if isinstance(found, (int, float)):
                found = (found,)
            likelihood = found if isinstance(found, Likelihood) else Likelihood(id=request.id, per_token=tuple(found))
            if arrived:
                arrived(request, likelihood)
            yield likelihood

    def _in_flight(self, requests: Iterable[R | None], asked: Callable[[R], None] = lambda _: None) -> Iterator[R]:
        """Each request whose turn it is, once `window` of them have been pulled."""
        source, pending = iter(requests), deque[R]()
        while True:
            for request in islice(at_hand(source), self.window - len(pending)):
                asked(request)
                pending.append(request)
            if not pending:
                return
            yield pending.popleft()
