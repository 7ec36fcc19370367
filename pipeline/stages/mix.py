"""Add tasks of other datasets, in any of the seed formats, with caps and shares."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, Field, model_validator

from pipeline.errors import SproutError
from pipeline.runs.context import Context
from pipeline.runs.store import ids_of
from pipeline.seeds.draw import Draw
from pipeline.stage import Flag, Stage
from pipeline.stages._gate import Gate
from pipeline.stages._pool import all_but
from pipeline.strict import Strict
from pipeline.task import Task

logger = logging.getLogger(__name__)

FIELDS = ("instruction", "input", "output", "id", "name", "is_classification", "prompt", "completion", "messages")


class Dataset(Strict):
    """A dataset that tasks are taken from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1, description="a file, a folder, or a name on the hub, such as name:config@split")
    max_tasks: int | None = Field(default=None, ge=1, description="of it at most, drawn by random_seed; unset: all")
    share: float | None = Field(default=None, gt=0, description="its part of the mix, relative to those of the others")
    licence: str = Field(default="", description="of it, for the card")
    fields: dict[str, str] = Field(
        default={}, description='what it calls a field, such as { input = "context", output = "response" }'
    )


class Mix(Stage):
    """Takes tasks from existing datasets, with the name of the dataset and the number of the row in `meta`.

    Of each it takes all, up to `max_tasks`, or so many that the shares are right: of `num_tasks` altogether or, unless
    that is set, of as many as there are. What is taken is drawn by `random_seed`, and keeps the order of its rows.

    Example:
        >>> Mix(datasets={"dolly": Dataset(path="dolly.jsonl", share=1), "mine": "outputs/mine/dataset:alpaca"})
    """

    adds: ClassVar[bool] = True
    asks: ClassVar[bool] = False
    flags: ClassVar[tuple[Flag, ...]] = (
        Flag("--mix", "NAME=PATH for each dataset", metavar="NAME=PATH", many=True, named=True, setting="datasets"),
    )

    datasets: dict[str, str | Dataset] = Field(
        default={}, description='by a name of yours: a path, or { path = "…", max_tasks = 1000, licence = "…" }'
    )
    num_tasks: int | None = Field(default=None, ge=1, description="altogether, for shares; unset: as many as there are")
    max_rouge: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="ROUGE-L F1 with any instruction of the pool, above which a task is not new; unset: not compared",
    )
    random_seed: int = Field(default=0, description="another number draws others")

    @model_validator(mode="after")
    def _check(self) -> Self:
        without = [name for name, one in self.by_name.items() if one.share is None]
        if 0 < len(without) < len(self.datasets):
            raise ValueError(f"datasets: {without[0]} has no share, and others have one; give all of them one, or none")
        if self.num_tasks and without:
            raise ValueError("num_tasks is for datasets that have a share; give each one, or set max_tasks of each")
        for name, one in self.by_name.items():
            if strange := next((field for field in one.fields if field not in FIELDS), None):
                known = ", ".join(FIELDS)
                raise ValueError(f"datasets.{name}.fields: {strange} is not a field of a task; there are {known}")
        return self

    @property
    def by_name(self) -> dict[str, Dataset]:
        return {name: Dataset(path=one) if isinstance(one, str) else one for name, one in self.datasets.items()}

    def settings(self) -> dict[str, Any]:
        """What is taken, wherever it lies."""
        found = {key: value for key, value in super().settings().items() if key != "datasets"}
        taken = {name: draw.digest(self.counts[name]) for name, draw in self.draws.items()}
        return found | {"tasks": taken}

    def sources(self) -> dict[str, str]:
        return {f"the dataset {name}": one.licence for name, one in self.by_name.items()}

    def wanted(self, num_given: int) -> int:
        return num_given + sum(self.counts.values())

    def requests(self, task: Task) -> tuple[str, ...]:
        return ()

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        known = {*ids_of(done)}
        gate = Gate((), self.max_rouge)
        if self.max_rouge is not None:
            # What is given counts before what is added, and what was rejected does not.
            given = (task for task in done if task.id in context.given)
            for task in chain(context.seeds, given, todo, (one for one in all_but(done, context.given) if one.kept)):
                gate.add(task.instruction)
        yield from todo
        known |= {*ids_of(todo)}
        for name, draw in self.draws.items():
            twice = 0
            for task in draw.take(self.counts[name]):
                if task.id in known:
                    twice += task.id not in context.given and not done
                    continue
                known.add(task.id)
                yield gate.judge(task.update(meta={"dataset": name, **task.meta}))
            if twice:
                logger.warning(
                    "%s: %d tasks of %s are also in an earlier dataset; each is taken once", self.name, twice, name
                )

    def explain(self, task: Task, before: Task | None, completions: Sequence[Any]) -> Iterator[str]:
        if before is None:
            yield f"row {task.meta.get('row')} of {task.meta.get('dataset')}"
            if "nearest" in task.meta:
                yield f"rouge_l {task.scores.get('rouge_l')}, nearest {task.meta['nearest']}"

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        for name, one in self.by_name.items():
            part = f", {one.share:g} parts of the mix" if one.share else ""
            most = f", {one.max_tasks:,} tasks at most" if one.max_tasks else ""
            yield f"takes tasks from {name}{part}{most}; `meta` of each names the dataset and the row."

    @cached_property
    def draws(self) -> dict[str, Draw]:
        """The datasets, each read once.

        Raises:
            SproutError: if there is none, for one that cannot be read, and for one without a task.
        """
        if not self.datasets:
            raise SproutError(
                f"{self.name}: no dataset is named; give some with --mix NAME=PATH, or in {self.name}.datasets"
            )
        found = {name: Draw(one.path, one.fields, self.random_seed) for name, one in self.by_name.items()}
        for name, draw in found.items():
            logger.info("%s: %s tasks in %s", self.name, f"{len(draw):,}", name)
            for remark in draw.remarks():
                logger.warning("%s: %s: %s", self.name, name, remark)
        return found

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many tasks are taken of each dataset.

        Raises:
            SproutError: if a dataset has too few for its share of `num_tasks`.
        """
        there = {name: min(len(draw), self.by_name[name].max_tasks or len(draw)) for name, draw in self.draws.items()}
        shares = {name: one.share for name, one in self.by_name.items() if one.share is not None}
        if not shares:
            return there
        whole = sum(shares.values())
        most = min(int(there[name] * whole / share + 1e-9) for name, share in shares.items())
        counts = in_parts(self.num_tasks or most, shares)
        if short := next((name for name, count in counts.items() if count > there[name]), None):
            raise SproutError(
                f"{self.name}: {short} has {there[short]:,} tasks, and its share of {self.num_tasks or most:,} is "
                f"{counts[short]:,}; set {self.name}.num_tasks to {most:,} at most, or lower the share of {short}"
            )
        return counts


def in_parts(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Whole numbers that add up to the total, as near to the shares as they can be."""
    whole = sum(shares.values())
    exact = {name: total * share / whole for name, share in shares.items()}
    counts = {name: int(part) for name, part in exact.items()}
    left = total - sum(counts.values())
    for name in sorted(exact, key=lambda name: (counts[name] - exact[name], name))[:left]:
        counts[name] += 1
    return counts
