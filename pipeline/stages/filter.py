"""Reject instances that are unfit to train on, and tasks that have none left."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pipeline.engines.base import Completion
from pipeline.filters.instances import INSTANCE_FILTERS, OUR_FILTERS, contradiction, instance_reason
from pipeline.runs.context import Context
from pipeline.stage import Stage
from pipeline.task import Task


class Filter(Stage):
    """Applies the instance filters of Self-Instruct (its published code), in its order, then ours for non-answers.

    A bad instance is removed and counted in `meta["left_out"]`. A task is rejected when its instances contradict each
    other, or when none is left, for the reason of its first. Duplicate instances are kept once, in their order.
    """

    selects: ClassVar[bool] = True

    def objection(self, seed: Task) -> str | None:
        return self.judge(seed).rejected if seed.instances else None

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        for number, instance in enumerate(before.instances if before else (), 1):
            objections = [check.__name__ for check in INSTANCE_FILTERS if check(instance)]
            objections += [check.__name__ for check in OUR_FILTERS if check(instance, before or task)]
            yield f"instance {number}: {'rejected by ' + ', '.join(objections) if objections else 'passes'}"
        if contradiction(task):
            yield "the same input has two different outputs"
        yield from super().explain(task, before, completions)

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        for task in todo:
            yield self.judge(task)

    def judge(self, task: Task) -> Task:
        reasons = [instance_reason(instance, task) for instance in task.instances]
        good = tuple(i for i, reason in zip(task.instances, reasons, strict=True) if reason is None)
        left_out = Counter(reason for reason in reasons if reason)
        first = {(instance.input, instance.output): instance for instance in reversed(good)}
        distinct = tuple(instance for instance in good if first[instance.input, instance.output] is instance)
        left_out["repeated"] += len(good) - len(distinct)
        if left_out := +left_out:
            task = task.update(meta=task.meta | {"left_out": dict(left_out)})
        if not good:
            return task.reject(next((reason for reason in reasons if reason), "no_instances"))
        task = task.update(instances=distinct)
        reason = contradiction(task)
        return task.reject(reason) if reason else task
