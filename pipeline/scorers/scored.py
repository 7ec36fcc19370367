"""One task and what scorers make of it, or of its answers: what they ask, round after round, then their numbers."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from pipeline.asking.ask import is_empty
from pipeline.engines.base import Completion, Likelihood, Request
from pipeline.errors import SproutError
from pipeline.runs.outcomes import OF_LENGTH
from pipeline.scorers.base import Ask, NoNumber, Number, Scorer, Scoring
from pipeline.scorers.wording import Wording
from pipeline.task import Instance, Task

Of = Literal["tasks", "answers"]
DECIMALS = 9  # of a number: beyond these, in float64, is what the company of a text in a batch may change


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
        open: What is asked and not answered yet, by id. What is needed twice is there once.
        failed: A request for a completion failed in a way that another run may not meet.
        numbers: Of each of its `parts`, by the name of the score; all are there after `finish`.
        lacks: Why there is no number, likewise.

    Raises:
        SproutError: for a scorer that fails, or that returns something other than a number.
    """

    def __init__(self, task: Task, scorers: Mapping[str, Scorer], wording: Wording, of: Of = "tasks") -> None:
        self.task, self.scorers = task, scorers
        self.open: dict[str, Ask] = {}
        self.failed = False
        self.parts = parts(task, of)
        self.numbers: list[dict[str, float]] = [{} for _ in self.parts]
        self.lacks: list[dict[str, str]] = [{} for _ in self.parts]
        self._new: list[str] = []  # ids of what is open and not put to an engine
        self._answers: dict[str, Likelihood | Completion] = {}
        self._found: list[dict[str, object]] = [{} for _ in self.parts]  # what scorers that ask have returned
        self._waiting: list[_Waiting] = []
        for part, own in enumerate(self.parts):
            for name, scorer in scorers.items():
                if scorer.asks:
                    self._go_on(_Waiting(part, name, scorer.function(own, wording, **scorer.settings)))

    @property
    def complete(self) -> bool:
        return not self.open

    def new_requests(self) -> Iterator[tuple[str, Ask]]:
        """What is to be asked and was not handed out before, with the id it is to have."""
        new, self._new = self._new, []
        return ((id, self.open[id]) for id in new)

    def take(self, id: str, answer: Likelihood | Completion) -> None:
        """Note the answer to one of the requests: scorers that waited for it go on."""
        del self.open[id]
        self._answers[id] = answer
        ready = [one for one in self._waiting if not self.open.keys() & one.ids]
        self._waiting = [one for one in self._waiting if one not in ready]
        for one in ready:
            self._go_on(one)

    def finish(self, of_all: Mapping[str, Iterator[Number | NoNumber]] | None = None) -> None:
        """Bring all numbers together, in the order of the scorers: one that asks nothing sees those before it.

        Args:
            of_all: The numbers of scorers that look at all tasks, for this task and those after it.
        """
        for part, own in enumerate(self.parts):
            for name, scorer in self.scorers.items():
                if name in self.lacks[part]:
                    continue
                try:
                    if scorer.asks:
                        number = self._found[part][name]
                    elif scorer.of_all:
                        number = _next_of(of_all or {}, name)
                    else:
                        number = scorer.function(own.score(**self.numbers[part]), **scorer.settings)
                    self._note(part, name, number)
                except NoNumber as error:
                    self.lacks[part][name] = str(error)
                except SproutError:
                    raise
                except Exception as error:
                    raise self._failed(name, error) from error

    def _go_on(self, waiting: "_Waiting") -> None:
        """Hand a scorer its answers, and note what it asks next, until it has to wait for one."""
        part, name = waiting.part, waiting.name
        while True:
            answers = [self._answers[id] for id in waiting.ids]
            if lack := self._lack_of(answers):
                waiting.scoring.close()
                self.lacks[part][name] = lack
                return
            try:
                asked = waiting.next(answers)
            except StopIteration as end:
                self._found[part][name] = end.value
                return
            except NoNumber as error:
                self.lacks[part][name] = str(error)
                return
            except SproutError:
                raise
            except Exception as error:
                raise self._failed(name, error) from error
            waiting.ids = self._open(asked)
            if self.open.keys() & waiting.ids:
                self._waiting.append(waiting)
                return

    def _open(self, asked: Iterable[Ask]) -> list[str]:
        """The ids of what is asked; what was not asked before is open from now on."""
        ids = []
        for one in asked:
            ids.append(id := _id(self.task, one))
            if id not in self._answers and id not in self.open:
                self.open[id] = one._replace(request=one.request.model_copy(update={"id": id}))
                self._new.append(id)
        return ids

    def _lack_of(self, answers: Sequence[Likelihood | Completion]) -> str:
        """Why these answers say nothing; empty if they do."""
        for answer in answers:
            if isinstance(answer, Likelihood):
                if answer.error:
                    return answer.error
            elif answer.finish_reason == "error":
                self.failed |= not OF_LENGTH.search(answer.text)
                return answer.text
            elif is_empty(answer):
                return "the model said nothing"
        return ""

    def _note(self, part: int, name: str, number: object) -> None:
        if isinstance(number, NoNumber):
            self.lacks[part][name] = str(number)
        elif number is None or (isinstance(number, float) and math.isnan(number)):
            self.lacks[part][name] = "it has nothing to measure"
        elif isinstance(number, (int, float)):
            self.numbers[part][name] = round(float(number), DECIMALS)
        else:
            raise TypeError(f"it returns {number!r}, which is not a number")

    def _failed(self, name: str, error: Exception) -> SproutError:
        return SproutError(
            f"the scorer {name} fails on task {self.task.id} ({type(error).__name__}: {error}); correct it"
        )


class _Waiting:
    """A scorer at work on one part of a task, and the ids of what it waits for."""

    def __init__(self, part: int, name: str, scoring: Scoring) -> None:
        self.part, self.name, self.scoring = part, name, scoring
        self.ids: list[str] = []
        self._begun = False

    def next(self, answers: Sequence[Likelihood | Completion]) -> Sequence[Ask]:
        """What it asks next, in view of the answers to what it asked last."""
        begun, self._begun = self._begun, True
        return self.scoring.send(answers) if begun else next(self.scoring)


def _next_of(of_all: Mapping[str, Iterator[Number | NoNumber]], name: str) -> Number | NoNumber:
    for number in of_all[name]:
        return number
    raise TypeError("it yields fewer numbers than there are tasks")


def _id(task: Task, ask: Ask) -> str:
    """By what is asked, so that an answer that was recorded is never taken for that to another request."""
    request = ask.request
    if isinstance(request, Request):
        asked: list[object] = [ask.engine, request.model_dump(mode="json", exclude={"id"})]
    else:
        asked = [request.prompt, request.continuation, request.count_end, request.chat_template_kwargs]
        asked += [ask.engine] if ask.engine else []
    return f"{task.id}:{hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:8]}"
