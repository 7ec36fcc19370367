"""Seed tasks: the handful that shows what is wanted."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import SproutError
from pipeline.resources import folder
from pipeline.task import Task, read_tasks

SHIPPED = ("general", "nano")


def read_seeds(path: Path | str) -> list[Task]:
    """Read seed tasks from a JSONL file, or those that ship under the name `general` or `nano`.

    Raises:
        SproutError: for a file that is not there or empty, a line that is not a task, an id that occurs twice, and a
            task without an instruction.
    """
    path = folder("seed_tasks") / f"{path}.jsonl" if str(path) in SHIPPED else Path(path)
    seeds = list(read_tasks(path))
    if not seeds:
        raise SproutError(f"{path}: no seed tasks in it; write one task on each line, see seed_tasks/README.md")
    lines: dict[str, int] = {}
    for number, task in enumerate(seeds, 1):
        if not task.instruction.strip():
            raise SproutError(f"{path}:{number}: the instruction is empty; say what is to be done")
        if (first := lines.setdefault(task.id, number)) != number:
            raise SproutError(
                f"{path}:{number}: the id {task.id} is already that of line {first}; give each task its own"
            )
    return seeds


def labelled(seeds: Sequence[Task], is_classification: bool) -> list[Task]:
    """The seed tasks that are marked as classification, or as not."""
    return [task for task in seeds if task.is_classification is is_classification]
