"""Seed tasks: the handful that shows what is wanted."""

import logging
import reprlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import SproutError
from pipeline.resources import folder
from pipeline.seeds.columns import in_our_names
from pipeline.seeds.kinds import labelled, looks_like_classification
from pipeline.seeds.own import own_tasks
from pipeline.seeds.records import Records, Wanted, as_object, read_records
from pipeline.seeds.rows import CONTEXT, Row, check_names, layout_of, parse_row
from pipeline.seeds.shapes import CONVERSATIONS
from pipeline.task import Instance, Task, new_id

logger = logging.getLogger(__name__)

SHIPPED = ("general", "nano", "code")
NONE = "none"  # in place of seeds, for a run that needs none


_WANTED = Wanted(
    splits=("train",),
    advice="give the path of a JSONL file of tasks, of another format in seed_tasks/README.md, or the name of seeds "
    "that ship: general, nano, code",
)


class Seeds(NamedTuple):
    """Seed tasks, and what there is to say of how they were read."""

    tasks: list[Task]
    format: str
    inferred: list[str]  # ids of those for which the file does not say whether they are classification
    places: dict[str, str]  # where those are that have an id of our making
    notes: list[str]


def read_seeds(path: Path | str) -> list[Task]:
    """Read seed tasks from a file, a folder or a data set on the hub, or those that ship: `general`, `nano`, `code`.

    `none` stands for no seeds. All formats of seed_tasks/README.md are known by what is in the file. In a stage file of
    another run, the rejected tasks are passed over. What is inferred or not taken is logged, a line each.

    Raises:
        SproutError: for a file that is not there or holds no seed task, a line that is not one, an id that occurs
            twice, and seeds that leave a stage without demos.
    """
    seeds = load_seeds(path)
    for note in [*seeds.notes, *_said_of(seeds)]:
        logger.warning("%s: %s", path, note)
    return seeds.tasks


def load_seeds(path: Path | str) -> Seeds:
    """As `read_seeds`, with what there is to say instead of a log."""
    if str(path) == NONE:
        return Seeds([], NONE, [], {}, [])
    path = folder("seed_tasks") / f"{path}.jsonl" if str(path) in SHIPPED else path
    records = read_records(path, _WANTED)
    records = _in_our_names(records)
    layout = _layout(records)
    if layout:
        seeds = _from_rows(records, layout)
    else:
        tasks = own_tasks(records.records, records.notes)
        for where, task in tasks:
            if problem := problem_of(task):
                raise SproutError(f"{where}: {problem}")
        seeds = Seeds([task for _, task in tasks], f"seed tasks {records.kind}", [], {}, _counted(records.notes))
    if not seeds.tasks:
        why = f" ({'; '.join(seeds.notes)})" if seeds.notes else ""
        raise SproutError(f"{path}: no seed tasks in it{why}; write one task on each line, see seed_tasks/README.md")
    for kind in (True, False):
        if (found := labelled(seeds.tasks, kind)) and not any(task.instances for task in found):
            raise SproutError(
                f"{path}: no seed task with is_classification {str(kind).lower()} has instances, so the stage "
                f"instances has no demo to show; give at least one of them some"
            )
    return seeds


def problem_of(task: Task) -> str | None:
    """What keeps a task from being a seed, in one clause."""
    if not task.instruction.strip():
        return "the instruction is empty; say what is to be done"
    if task.is_classification is None:
        return "is_classification is missing; write true if the answer is always one of a few labels, else false"
    empty = (number for number, instance in enumerate(task.instances) if not instance.output.strip())
    if (number := next(empty, None)) is not None:
        return f"instances.{number}.output is empty; write the right answer, or leave the instance out"
    return None


def _in_our_names(records: Records) -> Records:
    """The rows and their header with our names of fields, where theirs are well-known ones."""
    rows = [
        one._replace(value=in_our_names(one.value, one.where, records.notes)) if isinstance(one.value, dict) else one
        for one in records.records
    ]
    header = records.header
    if header and rows and "messages" in as_object(rows[0], "task").keys() - {*header.names}:
        header = None  # its columns are read as a conversation
    if header:
        header = header._replace(names=[*in_our_names(dict.fromkeys(header.names, "…"), header.where, Counter())])
    return records._replace(records=rows, header=header)


def _layout(records: Records) -> str:
    """How all rows are laid out, as the columns or the first row say; empty if they are our own tasks."""
    if records.header:
        where, names = records.header
        layout = layout_of(names, where, records.kind)
        known = ["messages" if name in CONVERSATIONS else name for name in names]
        check_names([name for name in known if name not in CONTEXT], layout, where, "column")
        return layout
    if not records.records:
        return ""
    first = records.records[0]
    return layout_of(as_object(first, "task"), first.where, records.kind)


def _from_rows(records: Records, layout: str) -> Seeds:
    rows = [
        row
        for record in records.records
        for row in parse_row(as_object(record, "task"), layout, record.where, records.notes)
    ]
    tasks, places = _grouped(rows)
    inferred = [task.id for task in tasks if task.is_classification is None]
    tasks = [
        task.update(is_classification=looks_like_classification(task)) if task.is_classification is None else task
        for task in tasks
    ]
    return Seeds(tasks, f"{layout} {records.kind}", inferred, places, _counted(records.notes))


def _counted(notes: Counter[str]) -> list[str]:
    return [f"{note}: {number:,}" for note, number in notes.items()]


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


def _said_of(seeds: Seeds) -> list[str]:
    if not seeds.inferred:
        return []
    ids = set(seeds.inferred)
    found = sum(bool(task.is_classification) for task in seeds.tasks if task.id in ids)
    return [
        f"tasks without the field is_classification: {len(ids):,}; judging by instruction and outputs, {found:,} of "
        f"them {'is' if found == 1 else 'are'} classification (`sprout seeds check` lists them; set the field to true "
        f"or false where that is wrong)"
    ]
