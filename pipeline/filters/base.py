"""What a filter is: a function that looks at a task or an instance and returns what it objects to, or None."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from pipeline.task import Instance, Task

InstructionFilter = Callable[[Task], str | None]
InstanceFilter = Callable[[Instance, Task], str | None]
InstancesFilter = Callable[[Sequence[Instance], Task], str | None]

F = TypeVar("F", bound=Callable[..., str | None])


def example(instruction: str, *instances: tuple[str, str], is_classification: bool | None = None) -> Callable[[F], F]:
    """Give a filter the task that the docs show for it; a test holds the filter to it.

    Args:
        instances: Input and output of each.
    """
    task = Task(
        id="example",
        instruction=instruction,
        is_classification=is_classification,
        instances=tuple(Instance(input=input, output=output) for input, output in instances),
    )

    def marked(check: F) -> F:
        vars(check)["example"] = task
        return check

    return marked


def on_request(check: F) -> F:
    """Mark a filter that a run applies only if its settings turn it on."""
    vars(check)["on_request"] = True
    return check


def example_of(check: Callable[..., str | None]) -> Task | None:
    found = vars(check).get("example")
    return found if isinstance(found, Task) else None


def is_on_request(check: Callable[..., str | None]) -> bool:
    return bool(vars(check).get("on_request"))
