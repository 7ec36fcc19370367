"""What a scorer is: a function that gives a number, may ask models, or looks at all tasks together."""

import inspect
import math
import sys
import typing
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pipeline.engines.base import Likelihood, Request, ScoreRequest
from pipeline.task import Task

Number = float | None  # None: the task has none
ENGINE, TEMPLATE = "names an engine", "names a template"
EngineName = Annotated[str, ENGINE]  # the type of a setting that names a table [engines.NAME], which is asked too
TemplateName = Annotated[str, TEMPLATE]  # and of one that names a template: a name in prompts/, or the path of a file


class Ask(NamedTuple):
    """What a scorer asks; a `Wording` makes it."""

    request: Request | ScoreRequest
    engine: str = ""  # a name of [engines.NAME]; empty: that of the stage


class Work(NamedTuple):
    """What a scorer is given that looks at all tasks."""

    tasks: Iterable[Task]  # or a task for each answer; they can be gone through once
    start: int  # how many of them, the first ones, have their number already
    folder: Path  # of the run, where it may keep files


# It yields what it asks as often as it likes, is sent the answers in the same order, and returns the number.
Scoring = Generator[Sequence[Ask], Sequence[Any], Number]


class NoNumber(Exception):
    """Raised by a scorer that finds none; the message says why."""


@dataclass(frozen=True)
class Scorer:
    """A function that gives a task a number, and its settings: arguments behind a `*`, with a default.

    A candidate answer is scored as a task of one instance.

    Example:
        >>> def exclamations(task):
        ...     return task.instruction.count("!")

        One that asks a model also takes a `Wording`. It yields requests, all those that can be put at once together,
        and is handed the answers: a `Likelihood` or a `Completion` each. What it then still wants it yields next.

        >>> def surprise(task, wording):
        ...     likelihoods = yield [wording.output(task, instance) for instance in task.instances]
        ...     return -likelihoods[0].mean

        One that has to see all tasks takes nothing but `work`, a `Work`. It yields the numbers of the tasks that have
        none yet, in order.

        >>> def rank(work):
        ...     yield from range(work.start, len(list(work.tasks)))
    """

    function: Callable[..., Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    called: str = ""  # the name of its score, if not its own

    @property
    def name(self) -> str:
        return self.called or self.function.__name__

    @property
    def of_all(self) -> bool:
        """Whether it looks at all tasks together."""
        return next(iter(inspect.signature(self.function).parameters), "") == "work"

    @property
    def asks(self) -> bool:
        """Whether it puts requests to a model."""
        return inspect.isgeneratorfunction(self.function) and not self.of_all

    @property
    def engines(self) -> list[str]:
        """The engines that it asks besides that of the stage."""
        return self._settings_of(ENGINE)

    @property
    def templates(self) -> list[str]:
        """The templates that it fills in."""
        return self._settings_of(TEMPLATE)

    @property
    def needs(self) -> dict[str, str]:
        """Packages that it imports at work, with the extra that brings each: `NEEDS` of its module."""
        return dict(getattr(sys.modules.get(self.function.__module__), "NEEDS", {}))

    def _settings_of(self, kind: str) -> list[str]:
        """The values of the settings that have this mark in their type."""
        try:
            types = typing.get_type_hints(self.function, include_extras=True)
        except NameError:  # of an import under TYPE_CHECKING
            return []
        marked = [name for name in self.settings if kind in _marks(types.get(name))]
        values = [self.settings[name] for name in marked]
        return [one for value in values for one in ([value] if isinstance(value, str) else value) if one]


def _marks(type: Any) -> list[object]:
    """What a type says of itself, and what those in a tuple say."""
    return [*getattr(type, "__metadata__", ()), *(mark for inner in typing.get_args(type) for mark in _marks(inner))]


def pooled(likelihoods: Sequence[Likelihood]) -> Number:
    """The mean log-probability of all tokens of several texts; None if there are none."""
    per_token = [one for likelihood in likelihoods for one in likelihood.per_token]
    return math.fsum(per_token) / len(per_token) if per_token else None
