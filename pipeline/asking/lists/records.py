"""Reads a list of tasks out of JSON or a table."""

import re

from pydantic import JsonValue

from pipeline.asking.markup import column, read_table
from pipeline.asking.values import as_text, read_values


def from_values(text: str) -> list[str] | None:
    """The tasks of a text that is JSON, and an empty one after the last, unless it is cut off; None for another."""
    if not (found := read_values(text)):
        return None
    values, whole = found
    tasks = [task for value in values for task in _tasks(value)]
    return [*tasks, ""][: None if whole else -1] if tasks else None


def from_table(text: str) -> list[str] | None:
    """The tasks of a text that is a table: the column that is named so, or the one with the most words."""
    if not (found := read_table(text)):
        return None
    header, rows = found
    if (place := column(header, rows, NAMES.fullmatch)) is None:
        return None
    return [row[place] for row in rows if place < len(row)]


def _tasks(value: JsonValue, depth: int = 0) -> list[str]:
    """The texts of an array; of an object that which is named a task, or all values whose names hold a number."""
    if isinstance(value, str):
        return [" ".join(value.split())]
    if isinstance(value, list) and depth < MAX_DEPTH:
        return [task for one in value for task in _tasks(one, depth + 1)]
    if not isinstance(value, dict):
        return []
    for name, one in value.items():
        if NAMES.fullmatch(name.strip()) and isinstance(one, str):
            return [as_text(one)]
    inner = [one for name, one in value.items() if COUNTED.search(name) or isinstance(one, (list, dict))]
    return [task for one in inner for task in _tasks(one, depth + 1)] if depth < MAX_DEPTH else []


MAX_DEPTH = 4
NAMES = re.compile(
    r"\W*(?:(?:task|new|generated)[ _]?)?(?:instructions?|tasks?|prompts?|questions?|texts?|content|query|request"
    r"|description|problem|title|name|tarea|instrucción|tâche|consigne|aufgabe|anweisung|任务|指令|タスク|과제|задача|задание)\W*",
    re.IGNORECASE,
)
COUNTED = re.compile(r"\d+\W*$")
