"""What a scorer is: a function that gives a number, may ask models, or looks at all tasks together."""

import inspect
import math
import typing
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NewType

from pipeline.engines.base import Likelihood, Request, ScoreRequest

Number = float | None  # None: the task has none
EngineName = NewType("EngineName", str)  # a setting of this type names a table [engines.NAME] that is asked too
TemplateName = NewType("TemplateName", str)  # and of this one a template: a name in prompts/, or the path of a file


class Ask(NamedTuple):
    """What a scorer asks; a `Wording` makes it."""

    request: Request | ScoreRequest
    engine: str = ""  # a name of [engines.NAME]; empty: that of the stage


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

        One that has to see all tasks takes these, how many of them have their number already, and a folder where it
        may keep files. It yields a number for each of the others, in order.

        >>> def rank(tasks, start, folder):
        ...     yield from list(range(len(list(tasks))))[start:]
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
        return next(iter(inspect.signature(self.function).parameters), "") == "tasks"

    @property
    def asks(self) -> bool:
        """Whether it puts requests to a model."""
        return inspect.isgeneratorfunction(self.function) and not self.of_all

    @property
    def engines(self) -> list[str]:
        """The engines that it asks besides that of the stage."""
        return self._settings_of(EngineName)

    @property
    def templates(self) -> list[str]:
        """The templates that it fills in."""
        return self._settings_of(TemplateName)

    def _settings_of(self, kind: object) -> list[str]:
        try:
            types = typing.get_type_hints(self.function)
        except NameError:  # of an import under TYPE_CHECKING
            return []
        return [str(value) for name, value in self.settings.items() if types.get(name) is kind and value]


def pooled(likelihoods: Sequence[Likelihood]) -> Number:
    """The mean log-probability of all tokens of several texts; None if there are none."""
    per_token = [one for likelihood in likelihoods for one in likelihood.per_token]
    return math.fsum(per_token) / len(per_token) if per_token else None
