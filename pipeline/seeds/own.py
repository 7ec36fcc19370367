"""Seed tasks in the format of our own: one JSON object with all its instances."""

import json
import reprlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from pipeline.errors import SproutError, explain
from pipeline.seeds.conversations import is_masked
from pipeline.seeds.markers import without_marks
from pipeline.seeds.records import as_object
from pipeline.seeds.shapes import Record
from pipeline.seeds.values import id_of, text_of
from pipeline.task import Instance, Task, new_id


def own_tasks(records: Iterable[Record], notes: Counter[str]) -> list[tuple[str, Task]]:
    """The tasks that are kept, each with its place; `notes` gets what was removed from their texts.

    A task without an id gets one that depends on its instruction alone; those of the same instruction are then one.

    Raises:
        SproutError: for a record that is no task, and an id that is there twice.
    """
    found: dict[str, tuple[str, Task]] = {}
    first: dict[str, str] = {}
    for record in records:
        fields = as_object(record, "task")
        if is_masked(fields):
            notes["rows that are marked not to be trained on, and are left out"] += 1
            continue
        task = _task(fields, record.where)
        named = task.id != ""
        task = task if named else task.update(id=new_id("seed", task.instruction))
        if (earlier := first.setdefault(task.id, record.where)) != record.where:
            if named:
                raise SproutError(
                    f"{record.where}: the id {reprlib.repr(task.id)} is already that of {_place(earlier)}; "
                    f"give each task its own, or delete the one that is there twice"
                )
            task = _merged(found.get(task.id), task, record.where)
        if task.kept:
            found[task.id] = (first[task.id], _without_marks(task, notes))
    return [*found.values()]


def _task(fields: dict[str, Any], where: str) -> Task:
    given = dict(fields)
    for key, to_text in (("id", id_of), ("name", text_of), ("instruction", text_of)):
        if (value := given.pop(key, None)) is not None:
            given[key] = to_text(value)
    if isinstance(instances := given.get("instances"), list):
        given["instances"] = [_texts(one) if isinstance(one, dict) else one for one in instances]
    try:
        return Task.model_validate_json(json.dumps({"id": ""} | given))
    except ValidationError as error:
        raise SproutError(f"{where}: not a task: {explain(error, Task)}") from None


def _texts(instance: dict[str, Any]) -> dict[str, Any]:
    return {key: text_of(value) for key, value in instance.items() if value is not None}


def _place(where: str) -> str:
    """`path:7` as "line 7"."""
    number = where.rpartition(":")[2]
    return f"line {number}" if number.isdecimal() else where


def _merged(earlier: tuple[str, Task] | None, task: Task, where: str) -> Task:
    if earlier is None:
        return task
    place, first = earlier
    if first.is_classification is not task.is_classification:
        raise SproutError(
            f"{where}: is_classification is not what it is in {place}, whose instruction is the same; make them agree"
        )
    return first.update(instances=first.instances + task.instances)


def _without_marks(task: Task, notes: Counter[str]) -> Task:
    instruction = without_marks(task.instruction, "", "", notes)[0]
    instances = tuple(_cleaned(instance, instruction, notes) for instance in task.instances)
    changed = instruction != task.instruction or instances != task.instances
    return task.update(instruction=instruction, instances=instances) if changed else task


def _cleaned(instance: Instance, instruction: str, notes: Counter[str]) -> Instance:
    _, input, output = without_marks(instruction, instance.input, instance.output, notes)
    return instance.model_copy(update={"input": input, "output": output})
