"""Reads a list of tasks out of JSON or a table."""

import re

from pydantic import JsonValue

from pipeline.asking.lists.numbers import numbered
from pipeline.asking.markup import column, read_table
from pipeline.asking.phrases import MIN_WORDS
from pipeline.asking.values import read_values
from pipeline.novelty.tokens import count_words


def from_values(text: str) -> list[str] | None:
    """The tasks of a text that is JSON, and an empty one after the last, unless it is cut off; None for another."""
    if not (found := read_values(text)):
        return None
    values, whole = found
    tasks = unmarked([task for value in values for task in _tasks(value)])
    return [*tasks, ""][: None if whole else -1] if tasks else None


def from_table(text: str) -> list[str] | None:
    """The tasks of a text that is a table: the column that is named so, or the one with the most words."""
    if not (found := read_table(text)):
        return None
    header, rows = found
    if (place := column(header, rows, lambda name: any(names.fullmatch(name) for names in NAMES))) is None:
        return None
    return unmarked([row[place] for row in rows if place < len(row)])


def unmarked(tasks: list[str]) -> list[str]:
    """The tasks without numbers, if each begins with one."""
    text = "\n".join(" ".join(task.split()) for task in tasks)
    spans = numbered(text)
    starts = [0, *(place + 1 for place, char in enumerate(text) if char == "\n")]
    if len(tasks) < 2 or [start for start, _ in spans] != starts:
        return tasks
    return [text[end:start].strip() for (_, end), start in zip(spans, [*starts[1:], len(text)], strict=True)]


def _tasks(value: JsonValue, depth: int = 0) -> list[str]:
    """The texts of an array; of an object that which is named a task, or all values whose names hold a number."""
    if isinstance(value, str):
        return [" ".join(value.split())] if any(map(str.isalpha, value)) else []
    if isinstance(value, list) and depth < MAX_DEPTH:
        return [task for one in value for task in _tasks(one, depth + 1)]
    if not isinstance(value, dict):
        return []
    for names in NAMES:
        if texts := [one for name, one in value.items() if names.fullmatch(name.strip()) and isinstance(one, str)]:
            return texts[:1]
    texts = [one for one in value.values() if isinstance(one, str)]
    if len(value) == len(texts) == 1 and count_words(texts[0]) >= MIN_WORDS:
        return texts
    inner = [one for name, one in value.items() if COUNTED.search(name) or isinstance(one, (list, dict))]
    return [task for one in inner for task in _tasks(one, depth + 1)] if depth < MAX_DEPTH else []


MAX_DEPTH = 4
NAMES = [  # from the first that is there
    re.compile(rf"\W*(?:(?:task|new|generated)[ _]?)?(?:{names})\W*", re.IGNORECASE)
    for names in (
        "instructions?|tasks?|prompts?|questions?|query|request|problem|tarea|instrucción|tâche|consigne|aufgabe"
        "|anweisung"
        "|任务|指令|タスク|과제|задача|задание",
        "texts?|content|description|value",
        "title|name",
    )
]
COUNTED = re.compile(r"\d+\W*$")
