"""Reject instances that are unfit to train on, and tasks that have none left."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pipeline.filters.instances import contradiction, instance_reason
from pipeline.stage import Run, Stage
from pipeline.task import Task


class Filter(Stage):
    """The instance filters of Self-Instruct (its published code), in its order; then ours, for what is no answer.

    A bad instance is left out and counted in `meta["left_out"]`; a task is rejected when its instances contradict each
    other, or when none is left, for the reason of its first. Instances that occur twice are kept once, in their order.
    """

    name: ClassVar[str] = "filter"

    def decide(self, todo: Sequence[Task], done: Sequence[Task], run: Run) -> Iterator[Task]:
        for task in todo:
            yield self.judge(task)

    def judge(self, task: Task) -> Task:
        reasons = [instance_reason(instance, task) for instance in task.instances]
        good = tuple(i for i, reason in zip(task.instances, reasons, strict=True) if reason is None)
        left_out = Counter(reason for reason in reasons if reason)
        distinct = tuple(dict.fromkeys(good))
        left_out["repeated"] += len(good) - len(distinct)
        if left_out := +left_out:
            task = task.update(meta=task.meta | {"left_out": dict(left_out)})
        if not good:
            return task.reject(next((reason for reason in reasons if reason), "no_instances"))
        task = task.update(instances=distinct)
        reason = contradiction(task)
        return task.reject(reason) if reason else task
