"""Add numbers to tasks by scorers, and reject none."""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
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
from pipeline.scorers.scored import ScoredTask
from pipeline.stage import Flag, Stage
from pipeline.task import Task
from pipeline.text import short

logger = logging.getLogger(__name__)


class Score(Stage):
    """Gives each task one number per scorer, in `scores`; later stages decide what to do with them.

    A score has the name of its scorer and, with an engine other than that of the run, the engine's:
    `likelihood@judge`. A task stays without a score if it has no instances or is too long for the model; the log says
    how many there are.
    """

    optional: ClassVar[bool] = True
    flags: ClassVar[tuple[Flag, ...]] = (Flag("--scorers", "such as likelihood,length", metavar="NAMES", commas=True),)

    scorers: tuple[str, ...] = Field(
        min_length=1, description="what is measured: length, likelihood, ifd, or module:function of your own"
    )
    options: dict[str, dict[str, JsonValue]] = Field(
        default={}, description='settings of scorers, by name, such as { ifd = { form = "perplexity" } }'
    )
    encoding: ZeroShot = Field(
        default="plain", description="of a base model's prompts, as in export: plain, output or examples"
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
        lacks = {name: [task.id for task in done if name not in task.scores] for name in self.by_name()}
        reasons: dict[str, str] = {}
        for scored in self._scored(todo, context.engine):
            for name, reason in scored.lacks.items():
                lacks[name].append(scored.task.id)
                reasons[name] = reasons.get(name) or f"{scored.task.id}: {short(reason)}"
            yield scored.task.score(**{name: scored.numbers[name] for name in lacks if name in scored.numbers})
        for name, ids in lacks.items():
            if ids:
                example = f", the first of now is {reasons[name]}" if name in reasons else ""
                logger.warning(
                    "%s: %d of %d tasks have no %s%s", self.name, len(ids), len(done) + len(todo), name, example
                )

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        yield from super().explain(task, before, completions)
        yield from (f"{name}: there is no number" for name in self.by_name() if name not in task.scores)

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
            yield from (ScoredTask(task, scorers, wording) for task in tasks)
            return
        waiting: deque[ScoredTask] = deque()

        def requests() -> Iterator[ScoreRequest]:
            for task in tasks:
                scored = ScoredTask(task, scorers, wording)
                waiting.append(scored)
                yield from scored.requests.values()

        def complete() -> Iterator[ScoredTask]:
            while waiting and waiting[0].complete:
                yield waiting.popleft()

        for likelihood in engine.score(requests()):
            next(one for one in waiting if likelihood.id in one.requests).take(likelihood)
            yield from complete()
        yield from complete()
