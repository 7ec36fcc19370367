"""Add numbers to tasks, or to their answers, by scorers, and reject none."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any, ClassVar, Self

from pydantic import Field, JsonValue, model_validator

from pipeline.asking import templates
from pipeline.asking.converse import question
from pipeline.dataset.encodings import ZeroShot, zero_shot
from pipeline.engines.base import Completion, Engine, Sampling
from pipeline.errors import SproutError
from pipeline.runs.code import digest_of_code
from pipeline.runs.context import Context
from pipeline.scorers.base import NoNumber, Number, Scorer, Work
from pipeline.scorers.find import find_scorer, places_of
from pipeline.scorers.queues import Queues
from pipeline.scorers.scored import Of, ScoredTask, parts, scores_of, with_numbers
from pipeline.scorers.wording import SAMPLING, Wording
from pipeline.stage import Flag, Stage
from pipeline.task import Task
from pipeline.text import short

logger = logging.getLogger(__name__)


class Score(Stage):
    """Gives each task one number per scorer, in `scores`; later stages decide what to do with them.

    A score has the name of its scorer, or the one that stands before it: `"easy=choices"`. With an engine other than
    that of the run it carries the engine's too: `likelihood@judge`. Scorers that ask nothing see the scores of those
    before them in the list. A task stays without a score if it has no instances, is too long for the model, or if the
    model's answer cannot be read; the log says how many there are.

    With `of = "answers"` the numbers go to the candidate answers of each instance instead: each is scored as if it
    were the only output of the task, and `choose` can pick by them.
    """

    optional: ClassVar[bool] = True
    flags: ClassVar[tuple[Flag, ...]] = (Flag("--scorers", "such as likelihood,length", metavar="NAMES", commas=True),)

    scorers: tuple[str, ...] = Field(
        min_length=1, description="what is measured: scorers by name, or module:function of your own"
    )
    of: Of = Field(default="tasks", description="what gets the numbers: tasks, or answers, each candidate answer")
    options: dict[str, dict[str, JsonValue]] = Field(
        default={}, description='settings of scorers, by name, such as { ifd = { form = "perplexity" } }'
    )
    encoding: ZeroShot = Field(
        default="plain", description="of a base model's prompts, as in export: plain, output or examples"
    )
    count_end: bool = Field(default=False, description="the token that ends an output counts too")
    random_seed: int = Field(default=0, description="another number makes other random choices")
    sampling: Sampling = Field(
        default=SAMPLING, description="how a model that rates writes; unless set, `stop` is for base models alone"
    )

    @model_validator(mode="after")
    def _check_scorers(self) -> Self:
        try:
            found = [find_scorer(place, self.options) for place in self.scorers]
        except SproutError as error:
            raise ValueError(str(error)) from None
        names = [scorer.name for scorer in found]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f'scorers: two are called {twice}; give one another name, such as "other={twice}"')
        if strange := next((name for name in self.options if name not in names), None):
            raise ValueError(f"options: {strange} is not among the scorers {', '.join(names)}; delete its settings")
        if same := next((one.name for one in found if self.engine and self.engine in one.engines), None):
            raise ValueError(f"options.{same}: {self.engine} is the engine of the stage itself; name another one")
        return self

    @classmethod
    def deeper(cls, key: str, table: Mapping[str, Any]) -> list[str]:
        given = table.get("scorers")
        return [f"options.{place}" for place in places_of(key, map(str, given))] if isinstance(given, list) else []

    @property
    def other_engines(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for scorer in self.by_name().values() for name in scorer.engines))

    def needs(self) -> dict[str, str]:
        return {package: extra for one in self.by_name().values() for package, extra in one.needs.items()}

    def settings(self) -> dict[str, Any]:
        own = {place: find_scorer(place, self.options).function for place in self.scorers if ":" in place}
        found = {f"code of {place}": digest_of_code(function) for place, function in own.items()}
        used = dict.fromkeys(name for scorer in self.by_name().values() for name in scorer.templates)
        found |= {f"template {name}": templates.digest(name, self) for name in used}
        if self.domain and any(templates.names_domain(name, self) for name in used):
            found["domain"] = self.domain
        return super().settings() | found | ({"engine": self.engine} if self.engine else {})

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        scorers = self.by_name()
        lacks = Lacks(self.of, dict.fromkeys(scorers, 0))
        for task in done:
            lacks.count(task)
        of_all = self.of_all(scorers, todo, done, context)
        for scored in self._scored(todo, scorers, context):
            scored.finish(of_all)
            if not scored.failed:
                task = with_numbers(scored.task, self.of, scored.numbers)
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

    def of_all(
        self, scorers: Mapping[str, Scorer], todo: Sequence[Task], done: Sequence[Task], context: Context
    ) -> dict[str, Iterator[Number | NoNumber]]:
        """The numbers of scorers that look at all tasks, for those that have none yet, one after the other."""
        found = {name: scorer for name, scorer in scorers.items() if scorer.of_all}
        if not found or not todo:
            return {}
        start = sum(len(parts(task, self.of)) for task in done)
        return {
            name: iter(
                scorer.function(
                    Work((part for task in chain(done, todo) for part in parts(task, self.of)), start, context.folder),
                    **scorer.settings,
                )
            )
            for name, scorer in found.items()
        }

    def wording(self, engine: Engine, others: Mapping[str, Engine]) -> Wording:
        prompt = question if engine.chat else partial(zero_shot, encoding=self.encoding)
        return Wording(
            prompt,
            engine.chat,
            engine.chat_template_kwargs,
            self.count_end,
            others={name: self.wording(other, {}) for name, other in others.items()},
            stage=self,
            sampling=self.sampling,
            random_seed=self.random_seed,
        )

    def _scored(self, tasks: Sequence[Task], scorers: Mapping[str, Scorer], context: Context) -> Iterator[ScoredTask]:
        """The tasks in their order; later ones are scored ahead of their turn."""
        if not any(scorer.asks for scorer in scorers.values()):
            nothing = Wording(zero_shot)
            yield from (ScoredTask(task, scorers, nothing, self.of) for task in tasks)
            return
        engines = {name: context.named(name, f"[{self.name}] options") for name in self.other_engines}
        wording = self.wording(context.engine, engines)
        begun = (ScoredTask(task, scorers, wording, self.of) for task in tasks)
        yield from Queues(begun, lambda name: engines[name] if name else context.engine).scored()


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
                example = f", the first this time is {self.reasons[name]}" if name in self.reasons else ""
                yield f"{number} of {self.total} {self.of} have no {name}{example}"
