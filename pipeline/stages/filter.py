"""Reject instances that are unfit to train on, and tasks that have none left."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import ClassVar

from pydantic import Field, field_validator

from pipeline.engines.base import Completion
from pipeline.errors import SproutError
from pipeline.filters.base import InstanceFilter, InstancesFilter
from pipeline.filters.find import INSTANCE, INSTANCES, applied, check_choice, instance_reason, reasons_of
from pipeline.runs.context import Context
from pipeline.stage import Reason, Stage
from pipeline.stages._counts import with_counts
from pipeline.task import Instance, Task


class Filter(Stage):
    """Applies the instance filters of Self-Instruct (its published code), in its order, then ours for non-answers.

    A bad instance is removed and counted in `meta["left_out"]`. A task is rejected when its instances contradict each
    other, or when none is left, for the reason of its first one. Duplicate instances are kept once, in their order.
    """

    selects: ClassVar[bool] = True
    reasons: ClassVar[Mapping[str, Reason]] = reasons_of(INSTANCE, INSTANCES) | {
        "no_instances": Reason("There is no instance to look at.", "a task of a file without instances"),
        "repeated": Reason(
            "An instance is there twice; the second is left out, and the task is kept.", "run → noun / run → noun"
        ),
    }

    filters: dict[str, bool] = Field(
        default={},
        description="by reason, whether its filter applies: { not_a_label = false } turns one off; see reasons.md",
    )

    @field_validator("filters")
    @classmethod
    def _check_filters(cls, choice: dict[str, bool]) -> dict[str, bool]:
        return known_filters(choice)

    def objection(self, seed: Task) -> str | None:
        return self.judge(seed).rejected if seed.instances else None

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        given = before or task
        good: list[Instance] = []
        for number, instance in enumerate(before.instances if before else (), 1):
            found = {name: text for name, check in self._each.items() if (text := check(instance, given)) is not None}
            said = ", ".join(f"{name} ({text!r})" for name, text in found.items())
            yield f"instance {number}: {f'rejected by {said}' if found else 'passes'}"
            good += [] if found else [instance]
        for name, check in self._together.items():
            if (text := check(good, given)) is not None:
                yield f"all instances: rejected by {name} ({text!r})"
        yield from super().explain(task, before, completions)

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        for task in todo:
            yield self.judge(task)

    def judge(self, task: Task) -> Task:
        found = [instance_reason(instance, task, self._each) for instance in task.instances]
        good = tuple(i for i, reason in zip(task.instances, found, strict=True) if reason is None)
        first = {(instance.input, instance.output): instance for instance in reversed(good)}
        distinct = tuple(instance for instance in good if first[instance.input, instance.output] is instance)
        if len(distinct) < len(found):
            left_out = Counter(reason for reason in found if reason)
            left_out["repeated"] += len(good) - len(distinct)
            task = with_counts(task, "left_out", +left_out)
        if not good:
            return task.reject(next((reason for reason in found if reason), "no_instances"))
        task = task if len(distinct) == len(found) else task.update(instances=distinct)
        objecting = (name for name, check in self._together.items() if check(distinct, task) is not None)
        reason = next(objecting, None)
        return task.reject(reason) if reason else task

    @cached_property
    def _each(self) -> dict[str, InstanceFilter]:
        return applied(INSTANCE, self.filters)

    @cached_property
    def _together(self) -> dict[str, InstancesFilter]:
        return applied(INSTANCES, self.filters)


def known_filters(choice: dict[str, bool]) -> dict[str, bool]:
    """A choice of filters of instances, for a validator: one whose names there are."""
    try:
        check_choice(choice, reasons_of(INSTANCE, INSTANCES))
    except SproutError as error:
        raise ValueError(str(error).removeprefix("filters: ")) from None
    return choice
