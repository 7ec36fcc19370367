"""Put the tasks in the order of a curriculum: a level rises while groups take turns, or one block follows another."""

import logging
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, JsonValue, field_validator, model_validator

from pipeline.engines.base import Completion
from pipeline.runs.context import Context
from pipeline.stage import Stage
from pipeline.stages._choosing import Joined
from pipeline.stages._ranking import Ints, as_number, as_text
from pipeline.stages.export import Export
from pipeline.stages.train import Train
from pipeline.task import Task

logger = logging.getLogger(__name__)

Mask = npt.NDArray[np.bool_]
Value = tuple[int, float, str]  # how a value of `by`, `blocks` or `groups` compares with others
MISSING: Value = (3, 0.0, "")  # after all others


class Order(Stage):
    """Writes the tasks in another order, and rejects none; later stages work in that order.

    The level, which is what `by` names, rises. With `groups`, groups take turns within each level; with `blocks`, all
    of that happens in one block after another. The orders of CORGI (arXiv 2310.09518), for subjects and concepts:
    interleaving, its best, is `groups = "subject"`; blocking is `blocks = "subject"`; clustering is
    `blocks = ["subject", "concepts"]`; spiral is `blocks = "subject"` with `groups = "concepts"`. `by` alone sorts.

    A dataset keeps the order with `shuffle = false` in `[export]`, and a training with that in `[train]`. Tasks that
    arrive after others were ordered follow these, in an order of their own.

    Example:
        >>> Order(by="level", levels=["remember", "understand", "apply"], groups="subject")
    """

    optional: ClassVar[bool] = True
    needs_all: ClassVar[bool] = True
    asks: ClassVar[bool] = False

    by: tuple[str, ...] = Field(
        default=(), description="the level: a score or a key of `meta`; of several, the first decides before the next"
    )
    levels: tuple[str, ...] = Field(
        default=(), description="values in their order, the lowest first; others come after them, as numbers or letters"
    )
    order: Literal["rising", "falling"] = Field(default="rising", description="whether the lowest level comes first")
    num_levels: int | None = Field(
        default=None, ge=2, description="how many levels of equal size, where `by` is a number"
    )
    groups: tuple[str, ...] = Field(default=(), description="keys of `meta`: tasks of another value each time")
    blocks: tuple[str, ...] = Field(default=(), description="keys of `meta`: all tasks of a value, then of the next")

    @field_validator("by", "groups", "blocks", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def _one_or_several(cls, names: Any) -> Any:
        return (names,) if isinstance(names, str) and names else names or ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (self.by or self.groups or self.blocks):
            raise ValueError("no order is set; set by, groups or blocks")
        if self.num_levels and len(self.by) != 1:
            raise ValueError("num_levels cuts one score into levels; set by to that score alone")
        if twice := {*self.groups} & {*self.blocks}:
            raise ValueError(f"{min(twice)} is in groups and in blocks; its values can take turns or follow in blocks")
        return self

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        for name in dict.fromkeys((*self.blocks, *self.by, *self.groups)):
            yield f"{name}: {'there is none' if (value := _value(task, name)) is None else value}"

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        parts = [f"{self.order} {', '.join(self.by)}"] if self.by else []
        parts += [f"{', '.join(self.groups)} in turn"] if self.groups else []
        blocks = f", one {', '.join(self.blocks)} after another" if self.blocks else ""
        yield f"Tasks are in an order: {', '.join(parts) or 'as they came'}{blocks}. Train on them without shuffling."

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        if not todo:
            return
        self._warn_of_shuffling(context)
        places = Places(self, Joined(done, todo), len(done))
        self._say(places)
        if done and places.key(len(done) - 1) > places.key(places.ordered[0]):
            logger.warning(
                "%s: %d tasks arrived after %d had been ordered, and follow these; delete the file of %s and those "
                "after it to order all", self.name, len(todo), len(done), self.name,
            )  # fmt: skip
        for row in places.ordered:
            yield todo[row - len(done)]

    def _say(self, places: "Places") -> None:
        """Count what has no place of its own."""
        named = {"by": (self.by, "come last"), "groups": (self.groups, "are a group of their own")}
        named["blocks"] = (self.blocks, "are the last block")
        for setting, (names, end) in named.items():
            if lacking := places.lacking[setting]:
                logger.warning(
                    "%s: %d of %d tasks have no %s, and %s", self.name, lacking, len(places.tasks), " or ".join(names),
                    end,
                )  # fmt: skip

    def _warn_of_shuffling(self, context: Context) -> None:
        for stage in context.stages:
            if isinstance(stage, (Export, Train)) and stage.shuffle:
                logger.warning("%s: %s.shuffle is true, so this order is lost there", self.name, stage.name)


class Places:
    """Where each task belongs. Its key is its block, its level, its round in that level, and its group.

    Attributes:
        ordered: The rows behind those that are done, in their order.
        lacking: How many tasks lack a value, by the setting that names it.
    """

    def __init__(self, stage: Order, tasks: Joined, num_done: int) -> None:
        self.tasks = tasks
        self.lacking = {"by": 0, "groups": 0, "blocks": 0}
        ranks = {text: rank for rank, text in enumerate(stage.levels)}
        columns = {"by": stage.by, "groups": stage.groups, "blocks": stage.blocks}
        codes = {name: Codes() for name in columns}
        for task in tasks:
            for name, keys in columns.items():
                values = tuple(_comparable(_value(task, key), ranks) for key in keys)
                self.lacking[name] += MISSING in values
                codes[name].add(values)
        exact = codes["by"].ranks(falling=stage.order == "falling")
        levels = exact if stage.num_levels is None else _cut(exact, codes["by"].missing, stage.num_levels)
        blocks, groups = codes["blocks"].ranks(), codes["groups"].ranks()
        rounds = _rounds((blocks, levels, groups), exact, num_done)
        self._keys = (blocks, levels, rounds, groups)
        order = np.lexsort(self._keys[::-1])
        self.ordered: list[int] = order[order >= num_done].tolist()

    def key(self, row: int) -> tuple[int, ...]:
        return tuple(int(column[row]) for column in self._keys)


class Codes:
    """A small number for each different value, in the order of the values."""

    def __init__(self) -> None:
        self._known: dict[tuple[Value, ...], int] = {}
        self._rows = array("q")

    def add(self, value: tuple[Value, ...]) -> None:
        self._rows.append(self._known.setdefault(value, len(self._known)))

    def ranks(self, falling: bool = False) -> Ints:
        """Of each row; what is missing comes last in either direction."""
        ordered = sorted(self._known)
        for place in reversed(range(len(ordered[0]))) if falling else ():
            ordered.sort(key=lambda value: value[place], reverse=True)
            ordered.sort(key=lambda value: value[place] == MISSING)
        places = np.empty(len(ordered), np.int64)
        for rank, value in enumerate(ordered):
            places[self._known[value]] = rank
        found: Ints = places[self._rows]
        return found

    @property
    def missing(self) -> Mask:
        """Whether each row lacks a value."""
        found: Mask = np.array([MISSING in value for value in self._known], bool)[self._rows]
        return found


def _value(task: Task, name: str) -> JsonValue:
    return task.scores.get(name, task.meta.get(name))


def _comparable(value: JsonValue, ranks: Mapping[str, int]) -> Value:
    if (rank := ranks.get(str(value))) is not None:
        return 0, rank, ""
    number = as_number(value)
    if value is None or (number is not None and math.isnan(number)):
        return MISSING
    return (2, 0.0, as_text(value)) if number is None else (1, number, "")


def _cut(exact: Ints, missing: Mask, num_levels: int) -> Ints:
    """Levels of as many tasks each, by how many have a lower number; equal numbers stay together."""
    counts = np.bincount(exact[~missing], minlength=exact.max() + 1)
    below = counts.cumsum() - counts
    return np.where(missing, num_levels, below[exact] * num_levels // max(1, int(counts.sum())))


def _rounds(cell: Sequence[Ints], exact: Ints, num_done: int) -> Ints:
    """The place of each row in its cell: first those that are done, then the others as their level rises."""
    rows = np.arange(len(exact))
    order = np.lexsort((rows, np.where(rows < num_done, -1, exact), *reversed(cell)))
    same = np.ones(len(rows), bool)
    same[0] = False
    for column in cell:
        same[1:] &= column[order][1:] == column[order][:-1]
    starts = np.maximum.accumulate(np.where(same, 0, rows))
    found = np.empty(len(rows), np.int64)
    found[order] = rows - starts
    return found
