"""Add numbers to tasks, or to their answers, by scorers, and reject none."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Self

from pydantic import Field, JsonValue, model_validator

from pipeline.dataset.encodings import ZeroShot, question, zero_shot
from pipeline.engines.base import Completion, Engine, ScoreRequest
from pipeline.errors import SproutError
from pipeline.runs.code import digest_of_code
from pipeline.runs.context import Context
from pipeline.scorers.base import Scorer, Wording
from pipeline.scorers.find import find_scorer
from pipeline.scorers.scored import Of, ScoredTask, parts, scores_of, with_numbers
from pipeline.stage import Flag, Stage
from pipeline.task import Task
from pipeline.text import short

logger = logging.getLogger(__name__)


class Score(Stage):
    """Gives each task one number per scorer, in `scores`; later stages decide what to do with them.

    A score has the name of its scorer and, with an engine other than that of the run, the engine's:
    `likelihood@judge`. A task stays without a score if it has no instances or is too long for the model; the log says
    how many there are.

    With `of = "answers"` the numbers go to the candidate answers of each instance instead: each is scored as if it
    were the only output of the task, and `choose` can pick by them.
    """

    optional: ClassVar[bool] = True
    flags: ClassVar[tuple[Flag, ...]] = (Flag("--scorers", "such as likelihood,length", metavar="NAMES", commas=True),)

    scorers: tuple[str, ...] = Field(
        min_length=1, description="what is measured: length, likelihood, ifd, or module:function of your own"
    )
    of: Of = Field(default="tasks", description="what gets the numbers: tasks, or answers, each candidate answer")
    options: dict[str, dict[str, JsonValue]] = Field(
        default={}, description='settings of scorers, by name, such as { ifd = { form = "perplexity" } }'
    )
    encoding: ZeroShot = Field(
        default="plain", description='how a base model is asked: plain, or output (ends in "Output:"), as in evaluate'
    )
    count_end: bool = Field(default=False, description="the token that ends an output counts too")

    @model_validator(mode="after")
    def _check_scorers(self) -> Self:
        try:
            names = [find_scorer(place, self.options).name for place in self.scorers]
        except SproutError as error:
            raise ValueError(str(error)) from None
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"scorers: two are called {twice}; give each a name of its own")
        if strange := next((name for name in self.options if name not in names), None):
            raise ValueError(f"options: {strange} is not among the scorers {', '.join(names)}; delete its settings")
        return self

    def settings(self) -> dict[str, Any]:
        own = {place: find_scorer(place, self.options).function for place in self.scorers if ":" in place}
        code = {f"code of {place}": digest_of_code(function) for place, function in own.items()}
        return super().settings() | code | ({"engine": self.engine} if self.engine else {})

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        names = list(self.by_name())
        lacks = Lacks(self.of, dict.fromkeys(names, 0))
        for task in done:
            lacks.count(task)
        for scored in self._scored(todo, context.engine):
            task = with_numbers(
                scored.task, self.of, [{name: own[name] for name in names if name in own} for own in scored.numbers]
            )
            lacks.count(task, scored.lacks)
            yield task
        for line in lacks.said():
            logger.warning("%s: %s", self.name, line)

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        yield from super().explain(task, before, completions)
        names = self.by_name()
        for part, scores in zip(parts(task, self.of), scores_of(task, self.of), strict=True):
            told = ""
            if self.of == "answers":
                told = f" for the answer {short(part.instances[0].output, 60)!r}"
                yield from (f"{name} {scores[name]}{told}" for name in names if name in scores)
            yield from (f"{name}: there is no number{told}" for name in names if name not in scores)

    def by_name(self) -> dict[str, Scorer]:
        """The scorers by the names of their scores."""
        found = [find_scorer(place, self.options) for place in self.scorers]
        return {f"{one.name}@{self.engine}" if one.asks and self.engine else one.name: one for one in found}

    def wording(self, engine: Engine) -> Wording:
        prompt = question if engine.chat else partial(zero_shot, encoding=self.encoding)
        return Wording(prompt, engine.chat, engine.chat_template_kwargs, self.count_end)

    def _scored(self, tasks: Sequence[Task], engine: Engine) -> Iterator[ScoredTask]:
        """The tasks in their order; later ones are scored ahead of their turn."""
        scorers, wording = self.by_name(), self.wording(engine)
        if not any(scorer.asks for scorer in scorers.values()):
            yield from (ScoredTask(task, scorers, wording, self.of) for task in tasks)
            return
        waiting: deque[ScoredTask] = deque()

        def requests() -> Iterator[ScoreRequest]:
            for task in tasks:
                scored = ScoredTask(task, scorers, wording, self.of)
                waiting.append(scored)
                yield from scored.requests.values()

        def complete() -> Iterator[ScoredTask]:
            while waiting and waiting[0].complete:
                yield waiting.popleft()

        for likelihood in engine.score(requests()):
            next(one for one in waiting if likelihood.id in one.requests).take(likelihood)
            yield from complete()
        yield from complete()


@dataclass
class Lacks:
    """Counts the tasks, or answers, that have no number of a scorer."""

    of: Of
    without: dict[str, int]  # by the name of the score
    total: int = 0
    num_tasks: int = 0
    empty: int = 0  # tasks without answers
    reasons: dict[str, str] = field(default_factory=dict)  # the first of this run

    def count(self, task: Task, lacks: Sequence[Mapping[str, str]] = ()) -> None:
        """Count a task; `lacks` says why its parts have no number, if that is known."""
        found = scores_of(task, self.of)
        self.num_tasks += 1
        self.empty += not found
        self.total += len(found)
        for name in self.without:
            self.without[name] += sum(name not in scores for scores in found)
        for name, reason in (pair for part in lacks for pair in part.items()):
            self.reasons.setdefault(name, f"{task.id}: {short(reason)}")

    def said(self) -> Iterator[str]:
        """A line for each score that some lack."""
        if self.empty:
            yield f"{self.empty} of {self.num_tasks} tasks have no answers, so nothing of theirs is scored"
        for name, number in self.without.items():
            if number:
                example = f", the first of now is {self.reasons[name]}" if name in self.reasons else ""
                yield f"{number} of {self.total} {self.of} have no {name}{example}"
