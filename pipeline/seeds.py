"""Seed tasks: the handful that shows what is wanted."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import SproutError
from pipeline.resources import folder
from pipeline.task import Task, numbered_tasks

SHIPPED = ("general", "nano")


def read_seeds(path: Path | str) -> list[Task]:
    """Read seed tasks from a JSONL file, or those that ship under the name `general` or `nano`.

    In a stage file of another run, the rejected tasks are passed over.

    Raises:
        SproutError: for a file that is not there or holds no seed task, a line that is not one, an id that occurs
            twice, and seeds that leave a stage without demos.
    """
    path = folder("seed_tasks") / f"{path}.jsonl" if str(path) in SHIPPED else Path(path)
    seeds = []
    for number, task in numbered_tasks(path):
        if task.kept:
            if problem := _problem(task):
                raise SproutError(f"{path}:{number}: {problem}")
            seeds.append(task)
    if not seeds:
        raise SproutError(f"{path}: no seed tasks in it; write one task on each line, see seed_tasks/README.md")
    for kind in (True, False):
        if (tasks := labelled(seeds, kind)) and not any(task.instances for task in tasks):
            raise SproutError(
                f"{path}: no seed task with is_classification {str(kind).lower()} has instances, so the stage "
                f"instances has no demo to show; give at least one of them some"
            )
    return seeds


def labelled(seeds: Sequence[Task], is_classification: bool) -> list[Task]:
    """The seed tasks that are marked as classification, or as not."""
    return [task for task in seeds if task.is_classification is is_classification]


def _problem(task: Task) -> str | None:
    if not task.instruction.strip():
        return "the instruction is empty; say what is to be done"
    if task.is_classification is None:
        return "is_classification is missing; write true if the answer is always one of a few labels, else false"
    empty = (number for number, instance in enumerate(task.instances) if not instance.output.strip())
    if (number := next(empty, None)) is not None:
        return f"instances.{number}.output is empty; write the right answer, or leave the instance out"
    return None
