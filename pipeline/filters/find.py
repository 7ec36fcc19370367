"""Filters by name: each public function of a module in this folder, and its name is the reason it rejects with."""

import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from pipeline.engines.find import imported
from pipeline.errors import SproutError, unknown
from pipeline.filters.base import InstanceFilter, InstancesFilter, InstructionFilter, example_of, is_on_request
from pipeline.stage import Reason
from pipeline.task import Instance, Task
from pipeline.text import one_line

PAPER = "paper"  # the module of Self-Instruct's filters, which come first, in their order
Choice = Mapping[str, bool]  # by the name of a filter, whether a run applies it
C = TypeVar("C", bound=Callable[..., str | None])


@dataclass(frozen=True)
class Kind(Generic[C]):
    """What filters look at, by the names of their parameters."""

    parameters: tuple[str, ...]


INSTRUCTION: Kind[InstructionFilter] = Kind(("task",))
INSTANCE: Kind[InstanceFilter] = Kind(("instance", "task"))
INSTANCES: Kind[InstancesFilter] = Kind(("instances", "task"))  # all of a task together


def applied(kind: Kind[C], choice: Choice) -> dict[str, C]:
    """The filters that apply, by name: all but those on request, and otherwise as `choice` says."""
    found: dict[str, C] = dict(_found(kind.parameters))
    return {name: check for name, check in found.items() if choice.get(name, not is_on_request(check))}


def ours(kind: Kind[C]) -> dict[str, C]:
    """The filters that apply by default and are no part of the paper, by name."""
    return {name: check for name, check in applied(kind, {}).items() if not check.__module__.endswith(f".{PAPER}")}


def first_reason(task: Task, checks: Mapping[str, InstructionFilter]) -> str | None:
    """The name of the first filter that objects to an instruction."""
    for name, check in checks.items():
        if check(task) is not None:
            return name
    return None


def instance_reason(instance: Instance, task: Task, checks: Mapping[str, InstanceFilter]) -> str | None:
    """The name of the first filter that objects to an instance."""
    for name, check in checks.items():
        if check(instance, task) is not None:
            return name
    return None


def reasons_of(*kinds: Kind[Any]) -> dict[str, Reason]:
    """What each filter rejects, with an example, as its docstring and its `example` say."""
    return {name: _reason(check) for kind in kinds for name, check in _found(kind.parameters).items()}


def check_choice(choice: Choice, known: Iterable[str]) -> None:
    """Refuse the name of a filter that does not exist.

    Raises:
        SproutError: naming the one that is surely meant, or all there are.
    """
    names = list(known)
    if strange := next((name for name in choice if name not in names), None):
        own = "a stage, as module:Class in stages = […],"
        raise SproutError(f"filters: {unknown('filter', strange, names, own)}")


def _reason(check: Callable[..., str | None]) -> Reason:
    meaning = one_line((inspect.getdoc(check) or "").partition("\n\n")[0])
    task = example_of(check)
    return Reason(meaning, _shown(task) if task else "", not is_on_request(check))


def _shown(task: Task) -> str:
    pairs = (f"{one.input} → {one.output}".strip() for one in task.instances)
    return " / ".join([task.instruction.strip() or "an empty line", *pairs])


@cache
def _found(parameters: tuple[str, ...]) -> Mapping[str, Any]:
    """The functions with just these parameters; those of the paper first, then by module, as they stand there."""
    modules = [found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)])]
    found: dict[str, Any] = {}
    for name in sorted(modules, key=lambda name: (name != PAPER, name)):
        module = imported(f"{__package__}.{name}", "filter")
        for function in vars(module).values():
            own = inspect.isfunction(function) and function.__module__ == module.__name__
            if (
                own
                and not function.__name__.startswith("_")
                and (*inspect.signature(function).parameters,) == parameters
            ):
                found[function.__name__] = function
    return found
