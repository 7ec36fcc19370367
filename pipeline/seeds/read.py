"""Seed tasks: the handful that shows what is wanted."""

import logging
import re
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import SproutError
from pipeline.resources import folder
from pipeline.runs.store import to_line
from pipeline.seeds.formats import read_rows
from pipeline.seeds.rows import Row
from pipeline.task import Instance, Task, new_id, numbered_tasks

logger = logging.getLogger(__name__)

SHIPPED = ("general", "nano")


class Seeds(NamedTuple):
    """Seed tasks, and what there is to say of how they were read."""

    tasks: list[Task]
    format: str
    inferred: list[str]  # ids of those for which the file does not say whether they are classification
    places: dict[str, str]  # where those are that have an id of our making
    notes: list[str]


def read_seeds(path: Path | str) -> list[Task]:
    """Read seed tasks from a file, a folder or a data set on the hub, or those that ship: `general`, `nano`.

    All formats of seed_tasks/README.md are known by what is in the file. In a stage file of another run, the rejected
    tasks are passed over. What is inferred or not taken is logged, a line each.

    Raises:
        SproutError: for a file that is not there or holds no seed task, a line that is not one, an id that occurs
            twice, and seeds that leave a stage without demos.
    """
    seeds = load_seeds(path)
    for note in seeds.notes:
        logger.warning("%s: %s", path, note)
    return seeds.tasks


def load_seeds(path: Path | str) -> Seeds:
    """As `read_seeds`, with what there is to say instead of a log."""
    path = folder("seed_tasks") / f"{path}.jsonl" if str(path) in SHIPPED else path
    rows = read_rows(path)
    if rows is None:
        seeds = Seeds(_own_tasks(path), "seed tasks JSONL", [], {}, [])
    else:
        tasks, places = _grouped(rows.rows)
        inferred = [task.id for task in tasks if task.is_classification is None]
        tasks = [
            task.update(is_classification=looks_like_classification(task)) if task.is_classification is None else task
            for task in tasks
        ]
        seeds = Seeds(tasks, rows.format, inferred, places, [*rows.notes, *_said_of(inferred, tasks)])
    if not seeds.tasks:
        raise SproutError(f"{path}: no seed tasks in it; write one task on each line, see seed_tasks/README.md")
    for kind in (True, False):
        if (found := labelled(seeds.tasks, kind)) and not any(task.instances for task in found):
            raise SproutError(
                f"{path}: no seed task with is_classification {str(kind).lower()} has instances, so the stage "
                f"instances has no demo to show; give at least one of them some"
            )
    return seeds


def write_seeds(tasks: Sequence[Task], path: Path) -> None:
    """Write seed tasks in our own format; a file that is there already stays as it is."""
    try:
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.writelines(map(to_line, tasks))
    except OSError as error:
        raise SproutError(f"{path}: cannot be written ({error.strerror}); choose another file") from None


def labelled(seeds: Sequence[Task], is_classification: bool) -> list[Task]:
    """The seed tasks that are marked as classification, or as not."""
    return [task for task in seeds if task.is_classification is is_classification]


def looks_like_classification(task: Task) -> bool:
    """Whether all outputs are short and, besides, a sign says that they are labels.

    The signs: they are yes, no, true or false; the instruction names each of them in a choice; it says "classify" or
    "categorize"; or of four instances and more, half the outputs occur before. Held against the seeds of the paper and
    ours, it finds seven in eight and takes none of the others for one.
    """
    labels = [instance.output.strip(_AROUND_LABEL).casefold() for instance in task.instances]
    if not labels or not all(label and len(label) <= 40 and len(label.split()) <= 3 for label in labels):
        return False
    text = task.instruction.casefold()
    named = all(re.search(rf"(?<!\w){re.escape(label)}(?!\w)", text) for label in labels)
    return (
        {*labels} <= {"yes", "no", "true", "false"}
        or (named and bool(_CHOICE.search(text)))
        or bool(_CLASSIFY.search(text))
        or (len(labels) >= 4 and len({*labels}) <= len(labels) / 2)
    )


_AROUND_LABEL = " \n\t.\"'`*"
_CHOICE = re.compile(r"\bor\b|[,/:;(]|\b(?:between|labels?|class(?:es)?|categor(?:y|ies)|options?|one of)\b")
_CLASSIFY = re.compile(r"\b(?:classify|categori[sz]e)\b")


def _own_tasks(path: Path | str) -> list[Task]:
    tasks = []
    for number, task in numbered_tasks(path):
        if task.kept:
            if problem := problem_of(task):
                raise SproutError(f"{path}:{number}: {problem}")
            tasks.append(task)
    return tasks


def problem_of(task: Task) -> str | None:
    if not task.instruction.strip():
        return "the instruction is empty; say what is to be done"
    if task.is_classification is None:
        return "is_classification is missing; write true if the answer is always one of a few labels, else false"
    empty = (number for number, instance in enumerate(task.instances) if not instance.output.strip())
    if (number := next(empty, None)) is not None:
        return f"instances.{number}.output is empty; write the right answer, or leave the instance out"
    return None


def _grouped(rows: Sequence[Row]) -> tuple[list[Task], dict[str, str]]:
    """A task for each instruction, with the instances of all its rows; and where those are that had no id.

    Their ids come from the instruction alone, so that they stay when rows are added.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.instruction, []).append(row)
    first: dict[str, Row] = {}
    tasks, places = [], {}
    for instruction, same in groups.items():
        named = next((row for row in same if row.id), same[0])
        id = named.id or new_id("seed", instruction)
        if (other := first.setdefault(id, named)) is not named:
            raise SproutError(
                f"{named.where}: the id {reprlib.repr(id)} is already that of {other.where}; give each task its own, "
                f"or none"
            )
        if not named.id:
            places[id] = named.where
        tasks.append(
            Task(
                id=id,
                instruction=instruction,
                name=next((row.name for row in same if row.name), ""),
                is_classification=_stated(same),
                instances=tuple(Instance(input=row.input, output=row.output) for row in same),
            )
        )
    return tasks, places


def _stated(rows: Sequence[Row]) -> bool | None:
    """What the rows of a task say of it, if any does."""
    stated = [row for row in rows if row.is_classification is not None]
    for row in stated:
        if row.is_classification != stated[0].is_classification:
            raise SproutError(
                f"{row.where}: is_classification is not what it is in {stated[0].where}, whose instruction is the "
                f"same; make them agree"
            )
    return stated[0].is_classification if stated else None


def _said_of(inferred: Sequence[str], tasks: Sequence[Task]) -> list[str]:
    if not inferred:
        return []
    ids = set(inferred)
    found = sum(bool(task.is_classification) for task in tasks if task.id in ids)
    return [
        f"which tasks are classification is not stated for {len(inferred):,}; taken so by instruction and outputs: "
        f"{found:,} (a field is_classification, true or false, states it; `sprout seeds check` lists them)"
    ]
