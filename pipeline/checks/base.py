"""What a check is given, and what it says."""

from dataclasses import dataclass

from pydantic import JsonValue

from pipeline.task import Instance, Task


@dataclass(frozen=True)
class Case:
    """An answer, and the task and instance that it is an answer to.

    Attributes:
        expected: What it is held against, where the check does not take that from the task by itself.
    """

    text: str
    instance: Instance
    task: Task
    expected: JsonValue = None


@dataclass(frozen=True)
class Verdict:
    """Whether an answer passes, why not, and, of a check that grades, its grade."""

    passed: bool
    message: str = "passed"
    grade: float | None = None
