"""Counts by reason in `meta` of a task, of what stages left out of it."""

from collections import Counter
from collections.abc import Mapping

from pipeline.task import Task


def with_counts(task: Task, key: str, counts: Mapping[str, int]) -> Task:
    """The task with these counts added to those that its `meta` has under the key."""
    if not counts:
        return task
    before = task.meta.get(key)
    total = Counter(before if isinstance(before, dict) else {})
    total.update(counts)
    return task.update(meta=task.meta | {key: dict(total)})
