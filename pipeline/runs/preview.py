"""A few tasks from start to finish, as a run would make them, without a run."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pipeline.errors import BudgetReached, SproutError
from pipeline.runs.budget import Budget
from pipeline.runs.context import Context
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.recorded import Recorded
from pipeline.runs.run import check_packages, first_tasks
from pipeline.stage import Product, Stage
from pipeline.task import Task
from pipeline.text import short

NUM_TASKS = 5
SECONDS = 60.0  # after which nothing more is asked
MAX_LISTED = 10  # of the other tasks that were not kept
MAX_INSTANCES = 3  # of a task


class Fate(NamedTuple):
    """A task as the last stage that decided it left it."""

    task: Task
    stage: str


@dataclass
class Tried:
    """What came of the stages."""

    fates: dict[str, Fate] = field(default_factory=dict)  # by id, in the order in which tasks came up
    stopped: str = ""  # why it ended early
    last: str = ""  # the last stage that decided a task
    tokens: int = 0


def preview(stages: Sequence[Stage | Product], context: Context, num_tasks: int = NUM_TASKS) -> str:
    """Have each stage decide a few tasks, and show them; products are not made, and no folder is left.

    Raises:
        SproutError: if the first stage cannot do anything, as `run`.
    """
    only = [stage for stage in stages if isinstance(stage, Stage)]
    check_packages(only)
    with TemporaryDirectory(prefix="sprout-") as folder:
        tried = _try(only, replace(context, folder=Path(folder)), num_tasks)
    return "\n\n".join(filter(None, _shown(tried, only, num_tasks)))


def _try(stages: Sequence[Stage], context: Context, num_tasks: int) -> Tried:
    tried, budget = Tried(), Budget(max_time=SECONDS)
    tasks: Sequence[Task] = first_tasks(stages, context.seeds)[:num_tasks]
    with Journal(context.folder / FILE) as journal:
        for stage in stages:
            own = context.of(stage)
            given = frozenset(task.id for task in tasks) if stage.adds else frozenset[str]()
            own = own.wrapped(stage, partial(Recorded, journal=journal, stage=stage.name, budget=budget))
            own = replace(own, given=given)
            decided: list[Task] = []
            try:
                for task in stage.few(num_tasks).decide(tasks, (), own):
                    decided.append(task)
                    tried.fates[task.id] = Fate(task, stage.name)
                    tried.last = stage.name
            except BudgetReached:
                tried.stopped = f"after {SECONDS:.0f} s at {stage.name}, nothing more was asked"
            except SproutError as error:
                if not tried.fates:
                    raise
                tried.stopped = f"{stage.name}: {str(error).removeprefix(f'{stage.name}: ').rstrip('.')}"
            tasks = [task for task in decided if task.kept]
            if tried.stopped or not tasks:
                break
        tried.tokens = sum(used.prompt_tokens + used.completion_tokens for used in journal.usage().values())
    return tried


def _shown(tried: Tried, stages: Sequence[Stage], num_tasks: int) -> Iterator[str]:
    first = [fate for fate in tried.fates.values() if fate.task.kept or fate.stage != stages[0].name]
    others = [fate for fate in tried.fates.values() if fate not in first]
    shown = (first + others)[:num_tasks]
    for number, fate in enumerate(shown, 1):
        yield "\n".join(_whole(number, fate, stages))
    yield _list([fate for fate in first + others if fate not in shown])
    if tried.stopped:
        yield f"Stopped early: {tried.stopped}."
    kept = sum(fate.task.kept for fate in tried.fates.values())
    if not kept:
        yield "\n".join(_advice(tried, stages))
    paid = f" It took {tried.tokens:,} tokens." if tried.tokens else ""
    yield f"{kept} of {len(tried.fates)} tasks would be kept. Nothing was written.{paid}"


def _whole(number: int, fate: Fate, stages: Sequence[Stage]) -> Iterator[str]:
    """A task with what each stage added, and its end."""
    task = fate.task
    where = "" if task.rejected or fate.stage == stages[-1].name else f" up to {fate.stage}"
    yield f"{number}. {f'rejected by {fate.stage}: {_reason(fate, stages)}' if task.rejected else f'kept{where}'}"
    yield _field("instruction", task.instruction or "(empty)")
    if task.is_classification is not None:
        yield _field("classification", "yes" if task.is_classification else "no")
    for instance in task.instances[:MAX_INSTANCES]:
        yield _field("input", instance.input or "(none)")
        yield _field("output", instance.output or "(empty)")
    if more := len(task.instances) - MAX_INSTANCES:
        yield from [f"   and {more} more"] if more > 0 else []
    if nearest := task.meta.get("nearest"):
        yield _field("close to", str(nearest))
    if isinstance(left_out := task.meta.get("left_out"), dict):
        counts = ", ".join(f"{reason} {count}" for reason, count in left_out.items())
        yield _field("left out", f"instances: {counts}")


def _field(name: str, text: str) -> str:
    return f"   {name:<15} " + text.strip().replace("\n", "\n" + " " * 19)


def _reason(fate: Fate, stages: Sequence[Stage]) -> str:
    stage = next(stage for stage in stages if stage.name == fate.stage)
    found = stage.reasons.get(fate.task.rejected or "")
    return f"{fate.task.rejected}{f' ({found.meaning})' if found else ''}"


def _list(fates: Sequence[Fate]) -> str:
    if not fates:
        return ""
    lines = [
        f"   {fate.task.rejected or 'kept':<20} {short(fate.task.instruction, 90) or '(empty)'}"
        for fate in fates[:MAX_LISTED]
    ]
    more = [f"   and {len(fates) - MAX_LISTED} more"] if len(fates) > MAX_LISTED else []
    return "\n".join(["Also written:", *lines, *more])


def _advice(tried: Tried, stages: Sequence[Stage]) -> Iterator[str]:
    reasons = Counter(f"{fate.stage}: {fate.task.rejected}" for fate in tried.fates.values())
    yield f"No task would be kept ({', '.join(f'{reason} {count}' for reason, count in reasons.most_common())})."
    yield "Read above what the model wrote. If these are no tasks, or have no examples, the model does not follow the"
    yield "prompts: use a larger one, or one that is tuned for chat. If they are good, `sprout settings` shows what"
    yield "rejects them, and `sprout seeds check` whether it objects to your seeds too."
