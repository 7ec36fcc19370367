"""One task and what scorers make of it, or of its answers: the requests of them all, then a number from each."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Literal

from pipeline.engines.base import Likelihood, ScoreRequest
from pipeline.errors import SproutError
from pipeline.scorers.base import Scorer, Scoring, Wording
from pipeline.task import Instance, Task

Of = Literal["tasks", "answers"]


def parts(task: Task, of: Of) -> list[Task]:
    """What is scored: the task itself, or a task for each of its answers, in order.

    The task of an answer has one instance, whose output is that answer; the other answers to the same input stand
    beside it. It has the scores of the task and, over these, those of the answer.
    """
    if of == "tasks":
        return [task]
    return [
        task.update(instances=(_as_output(instance, n),), scores=task.scores | answer.scores)
        for instance in task.instances
        for n, answer in enumerate(instance.answers)
    ]


def scores_of(task: Task, of: Of) -> list[dict[str, float]]:
    """The scores of the task, or those of each answer."""
    return [task.scores] if of == "tasks" else [one.scores for i in task.instances for one in i.answers]


def with_numbers(task: Task, of: Of, numbers: Sequence[Mapping[str, float]]) -> Task:
    """The task with the numbers of each of its `parts`."""
    if of == "tasks":
        return task.score(**numbers[0])
    rest = iter(numbers)
    instances = []
    for instance in task.instances:
        answers = [one.model_copy(update={"scores": one.scores | dict(next(rest))}) for one in instance.answers]
        instances.append(instance.model_copy(update={"answers": tuple(answers)}))
    return task.update(instances=tuple(instances))


def _as_output(instance: Instance, number: int) -> Instance:
    others = instance.answers[:number] + instance.answers[number + 1 :]
    return instance.model_copy(update={"output": instance.answers[number].text, "answers": others})


class ScoredTask:
    """A task that is being scored, as a whole or each of its answers.

    Attributes:
        requests: What has to be asked, by id. What is needed twice is there once.
        numbers: Of each of its `parts`, by the name of the score, once it is known.
        lacks: Why there is no number, likewise.

    Raises:
        SproutError: for a scorer that fails, or that returns something other than a number.
    """

    def __init__(self, task: Task, scorers: Mapping[str, Scorer], wording: Wording, of: Of = "tasks") -> None:
        self.task = task
        self.requests: dict[str, ScoreRequest] = {}
        self.parts = parts(task, of)
        self.numbers: list[dict[str, float]] = [{} for _ in self.parts]
        self.lacks: list[dict[str, str]] = [{} for _ in self.parts]
        self._answers: dict[str, Likelihood] = {}
        self._waiting: list[tuple[int, str, Scoring, list[str]]] = []  # for the answers to these requests
        for part in range(len(self.parts)):
            for name, scorer in scorers.items():
                try:
                    self._begin(part, name, scorer, wording)
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

    def _begin(self, part: int, name: str, scorer: Scorer, wording: Wording) -> None:
        if not scorer.asks:
            self._note(part, name, scorer.function(self.parts[part], **scorer.settings))
            return
        scoring = scorer.function(self.parts[part], wording, **scorer.settings)
        try:
            requests = next(scoring)
        except StopIteration as end:
            self._note(part, name, end.value)
            return
        ids = [_id(self.task, request) for request in requests]
        new = (request.model_copy(update={"id": id}) for id, request in zip(ids, requests, strict=True))
        self.requests |= {request.id: request for request in new}
        self._waiting.append((part, name, scoring, ids))

    def _end_if_complete(self) -> None:
        for part, name, scoring, ids in self._waiting if self.complete else ():
            try:
                self._end(part, name, scoring, [self._answers[id] for id in ids])
            except Exception as error:
                raise self._failed(name, error) from error

    def _end(self, part: int, name: str, scoring: Scoring, answers: Sequence[Likelihood]) -> None:
        if error := next((answer.error for answer in answers if answer.error), None):
            scoring.close()
            self.lacks[part][name] = error
            return
        try:
            scoring.send(answers)
        except StopIteration as end:
            self._note(part, name, end.value)
        else:
            raise TypeError("it yields a second time; all requests belong into the first yield")

    def _note(self, part: int, name: str, number: object) -> None:
        if number is None or (isinstance(number, float) and math.isnan(number)):
            self.lacks[part][name] = "it has nothing to measure"
        elif isinstance(number, (int, float)):
            self.numbers[part][name] = float(number)
        else:
            raise TypeError(f"it returns {number!r}, which is no number")

    def _failed(self, name: str, error: Exception) -> SproutError:
        return SproutError(f"the scorer {name} fails on task {self.task.id} ({type(error).__name__}: {error}); mend it")


def _id(task: Task, request: ScoreRequest) -> str:
    """By what is asked, so that an answer that was recorded is never taken for that to another request."""
    asked = [request.prompt, request.continuation, request.count_end, request.chat_template_kwargs]
    return f"{task.id}:{hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:8]}"
