"""One task and what scorers make of it: the requests of them all, then a number from each."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence

from pipeline.engines.base import Likelihood, ScoreRequest
from pipeline.errors import SproutError
from pipeline.scorers.base import Scorer, Scoring, Wording
from pipeline.task import Task


class ScoredTask:
    """A task that is being scored.

    Attributes:
        requests: What has to be asked, by id. What two scorers need is there once.
        numbers: By the name of the score, once it is known.
        lacks: Why there is no number, by the name of the score.

    Raises:
        SproutError: for a scorer that fails, or that returns something other than a number.
    """

    def __init__(self, task: Task, scorers: Mapping[str, Scorer], wording: Wording) -> None:
        self.task = task
        self.requests: dict[str, ScoreRequest] = {}
        self.numbers: dict[str, float] = {}
        self.lacks: dict[str, str] = {}
        self._answers: dict[str, Likelihood] = {}
        self._waiting: dict[str, tuple[Scoring, list[str]]] = {}  # for the answers to these requests
        for name, scorer in scorers.items():
            try:
                self._begin(name, scorer, wording)
            except Exception as error:
                raise self._failed(name, error) from error
        self._end_if_complete()

    @property
    def complete(self) -> bool:
        return len(self._answers) == len(self.requests)

    def take(self, likelihood: Likelihood) -> None:
        """Note the answer to one of the requests; with the last one come the numbers."""
        self._answers[likelihood.id] = likelihood
        self._end_if_complete()

    def _begin(self, name: str, scorer: Scorer, wording: Wording) -> None:
        if not scorer.asks:
            self._note(name, scorer.function(self.task, **scorer.settings))
            return
        scoring = scorer.function(self.task, wording, **scorer.settings)
        try:
            requests = next(scoring)
        except StopIteration as end:
            self._note(name, end.value)
            return
        ids = [_id(self.task, request) for request in requests]
        new = (request.model_copy(update={"id": id}) for id, request in zip(ids, requests, strict=True))
        self.requests |= {request.id: request for request in new}
        self._waiting[name] = scoring, ids

    def _end_if_complete(self) -> None:
        for name, (scoring, ids) in self._waiting.items() if self.complete else ():
            try:
                self._end(name, scoring, [self._answers[id] for id in ids])
            except Exception as error:
                raise self._failed(name, error) from error

    def _end(self, name: str, scoring: Scoring, answers: Sequence[Likelihood]) -> None:
        if error := next((answer.error for answer in answers if answer.error), None):
            scoring.close()
            self.lacks[name] = error
            return
        try:
            scoring.send(answers)
        except StopIteration as end:
            self._note(name, end.value)
        else:
            raise TypeError("it yields a second time; all requests belong into the first yield")

    def _note(self, name: str, number: object) -> None:
        if number is None or (isinstance(number, float) and math.isnan(number)):
            self.lacks[name] = "it has nothing to measure"
        elif isinstance(number, (int, float)):
            self.numbers[name] = float(number)
        else:
            raise TypeError(f"it returns {number!r}, which is no number")

    def _failed(self, name: str, error: Exception) -> SproutError:
        return SproutError(f"the scorer {name} fails on task {self.task.id} ({type(error).__name__}: {error}); mend it")


def _id(task: Task, request: ScoreRequest) -> str:
    """By what is asked, so that an answer that was recorded is never taken for that to another request."""
    asked = [request.prompt, request.continuation, request.count_end, request.chat_template_kwargs]
    return f"{task.id}:{hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:8]}"
