"""A run is a list of stages and a folder with one file per stage."""

import logging
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from pipeline.engines.base import Engine
from pipeline.errors import SproutError
from pipeline.resources import install
from pipeline.runs.budget import Budget, stop
from pipeline.runs.context import Context
from pipeline.runs.journal import FILE as JOURNAL
from pipeline.runs.journal import Journal
from pipeline.runs.lock import only_writer
from pipeline.runs.notebook import progress_here
from pipeline.runs.recorded import Recorded
from pipeline.runs.reviews import reviewed
from pipeline.runs.settings import check_left_out, check_settings, file_names
from pipeline.runs.store import Store, Stored, ids_of, without
from pipeline.runs.view import Tasks
from pipeline.stage import Product, Stage
from pipeline.task import Task
from pipeline.text import counted, short

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a stage has come."""

    stage: str
    decided: int
    kept: int
    done: int  # of `wanted`: tasks decided, or kept if the stage adds tasks
    wanted: int


@dataclass(frozen=True)
class RunOptions:
    """Optional arguments of `run`.

    Attributes:
        engines: Further engines by name, for stages that name one (`engine="judge"`).
        open_engine: Opens an engine on another model, for products that compare models.
        progress: Called after each decided task.
        budget: What may be spent.

    Example:
        run(stages, seeds, engine, "outputs/mine", RunOptions(budget=Budget(max_tokens=1_000_000)))
    """

    engines: Mapping[str, Engine] = field(default_factory=dict)
    open_engine: Callable[[str], Engine] | None = None
    progress: Callable[[Progress], None] | None = None
    budget: Budget = field(default_factory=Budget)


def run(
    stages: Sequence[Stage | Product],
    seeds: Sequence[Task],
    engine: Engine,
    folder: Path | str,
    options: RunOptions | None = None,
) -> Tasks:
    """Run the stages in order and return the tasks that all of them and all reviewers keep, as a lazy view.

    The same call again continues where the last one stopped, and returns at once when all is done. Every completion is
    written to the journal of the folder on arrival. The first stage is given the seed tasks, unless it adds
    tasks of its own making. In a notebook it shows how far it is, unless the options have a `progress`.

    Raises:
        SproutError: for settings, seeds or a model other than those `folder` was begun with, before the model is
            loaded; for a folder another process is at work in; for a stage that keeps nothing, with the reasons; and
            for whatever stops a stage.
        BudgetReached: after what was in flight is decided.
        EngineUnreachable: when no request can succeed any more.
    """
    check_given(stages, seeds, engine)
    options = options or RunOptions()
    context = Context(seeds, engine, Path(folder), options.engines, options.open_engine, options.budget, stages)
    files = file_names(stages)
    check_left_out(files, context.folder)
    progress = options.progress or progress_here()
    tasks = run_stages(stages, files, first_tasks(stages, seeds), context, progress)
    return Tasks(reviewed(tasks, context.folder))


def check_given(stages: object, seeds: object, engine: object) -> None:
    """Refuse arguments of the wrong kind, before they fail in words that do not say so.

    Raises:
        SproutError: naming what it expects.
    """
    if not isinstance(stages, Sequence) or not all(isinstance(one, Stage | Product) for one in stages):
        raise SproutError("stages: expected a list of stages, such as [Instructions(), Classify()]")
    if not isinstance(seeds, Sequence) or not all(isinstance(one, Task) for one in islice(seeds, 1)):
        raise SproutError("seeds: expected a list of tasks; read_seeds makes one from a file or a name")
    if isinstance(engine, str | type):
        raise SproutError('engine: expected an engine, such as Server("my-model"), not its name')


def first_tasks(stages: Sequence[Stage | Product], seeds: Sequence[Task]) -> Sequence[Task]:
    """The input of the first stage: the seeds, unless it adds tasks that are not made from those it is given."""
    first = next((stage for stage in stages if isinstance(stage, Stage)), None)
    return () if first and first.adds and not first.of_given else seeds


def run_stages(
    stages: Sequence[Stage | Product],
    files: Mapping[str, str],
    tasks: Sequence[Task],
    context: Context,
    progress: Callable[[Progress], None] | None = None,
) -> Sequence[Task]:
    """Run some stages on any tasks, under the same rules as a whole run.

    Args:
        files: What each stage writes, by its name.

    Raises:
        SproutError: for whatever a stage lacks, and for a stage that keeps no task; `BudgetReached` at a limit, and
            `EngineUnreachable` when an engine cannot be reached.
    """
    budget = context.budget
    check_packages(stages)
    for stage in stages:
        if lack := stage.lack_of_seeds(context.seeds) if isinstance(stage, Stage) else stage.lack(context.of(stage)):
            raise SproutError(lack)
    with only_writer(context.folder):
        check_settings(stages, files, context)
        with Journal(context.folder / JOURNAL) as journal:
            for used in journal.usage().values():
                budget.spend(used.prompt_tokens, used.completion_tokens)
            for stage in stages:
                own = context.of(stage)
                if isinstance(stage, Product):
                    if late := budget.late():
                        raise stop(late)
                    given = reviewed(tasks, context.folder) if stage.of_tasks else tasks
                    if stage.of_tasks:
                        path = context.folder / files[stage.name]
                        logger.info("%s: from %s to %s", stage.name, stage.made_from(len(given), len(own.seeds)), path)
                    stage.make(given, own)
                else:
                    own = own.wrapped(stage, partial(Recorded, journal=journal, stage=stage.name, budget=budget))
                    store = Store(context.folder / files[stage.name])
                    tasks = decide(stage, store, tasks, own, progress)
    return tasks


def check_packages(stages: Iterable[Stage | Product]) -> None:
    """Refuse a run that lacks a package, before it starts.

    Raises:
        SproutError: naming the package, and how to install it.
    """
    for stage in stages:
        for package, extra in stage.needs().items():
            if find_spec(package) is None:
                raise SproutError(f"the stage {stage.name} needs {package}, which is not installed: {install(extra)}")


def decide(
    stage: Stage,
    store: Store,
    tasks: Sequence[Task],
    context: Context,
    progress: Callable[[Progress], None] | None = None,
) -> Stored:
    """Decide the remaining tasks, append them to the stage's file, and return all tasks it has kept.

    Raises:
        SproutError: for a stage that keeps none, or yields what is no task, a task twice, or one that it was not given.
    """
    done = store.load()
    todo = without(tasks, store.ids)
    wanted = stage.wanted(len(tasks))
    if stage.adds:
        context = replace(context, given=frozenset(ids_of(tasks)))
    for _ in store.extend(once(stage, stage.decide(todo, done, context), store.ids)):
        if progress:
            num_decided, num_kept = len(store.decided), len(store.kept)
            num_done = num_kept if stage.adds else num_decided
            progress(Progress(stage.name, num_decided, num_kept, num_done, wanted))
    check_all_decided(stage, tasks, store.ids, context)
    num_decided, num_kept = len(store.decided), len(store.kept)
    earlier = f" ({len(done)} before)" if done else ""
    logger.info("%s: %d decided%s, %d kept%s", stage.name, num_decided, earlier, num_kept, listed(store.reasons))
    if not num_kept:
        shows = f"`sprout show {shlex.quote(str(context.folder))} --reason rejected` shows them"
        raise SproutError(
            f"{store.path}: the stage {stage.name} kept none of {num_decided} tasks{listed(store.reasons)}; "
            f"{shows if num_decided else 'none of its requests brought an answer'}"
        )
    return store.kept


def once(stage: Stage, decided: Iterable[Task], ids: set[str]) -> Iterator[Task]:
    """The tasks that a stage yields; a second one of an id is left out if the stage adds tasks, else it is an error."""
    for task in decided:
        if not isinstance(task, Task):
            raise SproutError(
                f"stage {stage.name}: decide yielded {short(repr(task), 60)}; yield tasks, kept or rejected"
            )
        if task.id not in ids:
            yield task
        elif stage.adds:  # two tasks made from identical sources
            logger.warning("%s: %s is the id of two tasks, the second is left out", stage.name, task.id)
        else:
            raise SproutError(f"stage {stage.name}: task {task.id} is decided twice; decide each task once")


def check_all_decided(stage: Stage, tasks: Sequence[Task], decided: set[str], context: Context) -> None:
    """No task is lost: what came in is what was kept plus what was rejected; a stage that adds tasks has more."""
    num_found = sum(id in decided for id in ids_of(tasks))
    if num_found < len(decided) and not stage.adds:
        strange = decided.difference(ids_of(tasks))
        raise SproutError(
            f"stage {stage.name}: task {min(strange)} was not kept by the stage before; an earlier file was changed. "
            f"Delete the files from this stage on to redo them"
        )
    if missing := len(tasks) - num_found:
        why = "no completion of theirs is recorded; `sprout run` asks for them"
        recorded = [one for one in (context.engine, *context.engines.values()) if isinstance(one, Recorded)]
        if recorded:
            why = "requests failed or brought no text; the same command asks again"
            if not any(one.num_requests for one in recorded):
                why = "the stage asked nothing and left them out; the same command gives them to it again"
        logger.warning("%s: %s undecided: %s", stage.name, counted(missing, "task"), why)


def listed(reasons: Counter[str]) -> str:
    total = sum(reasons.values())
    return f", {total} rejected ({', '.join(f'{reason} {n}' for reason, n in reasons.most_common())})" if total else ""
