"""A run is a list of stages and a folder with one file per stage."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.engines.base import Engine, template_kwargs
from pipeline.errors import SproutError
from pipeline.resources import shown
from pipeline.runs.budget import Budget, stop
from pipeline.runs.journal import FILE as JOURNAL
from pipeline.runs.journal import Journal
from pipeline.runs.lock import only_writer
from pipeline.runs.products import write_record
from pipeline.runs.recorded import Recorded
from pipeline.runs.store import Store, Stored, to_line
from pipeline.stage import Product, Run, Stage
from pipeline.task import Task

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int, int], None]  # stage, how many are decided, kept, and wanted in all


def run(
    stages: Sequence[Stage | Product],
    seeds: Sequence[Task],
    engine: Engine,
    folder: Path | str,
    open_engine: Callable[[str], Engine] | None = None,
    progress: Progress | None = None,
    budget: Budget | None = None,
) -> Sequence[Task]:
    """Run the stages in order and return the tasks that all of them keep, which are read from the file as needed.

    The same call again goes on where the last one stopped, and returns at once when all is done. Every completion is
    kept in the journal of the folder the moment it arrives.

    Args:
        open_engine: Opens an engine on another model, for products that compare models.
        progress: Called with each task that is decided.
        budget: What may be spent.

    Raises:
        SproutError: for settings, seeds or a model other than those `folder` was begun with, before the model is
            loaded; for a folder another process is at work in; for a stage that keeps nothing, with the reasons; and
            for whatever stops a stage.
        BudgetReached: after what was in flight is decided.
        EngineUnreachable: when no request can succeed any more.
    """
    context = Run(seeds, engine, Path(folder), open_engine, budget or Budget())
    files = file_names(stages)
    check_left_out(files, context.folder, read_settings(context.folder / "settings.json"))
    return run_all(stages, files, seeds, context, progress)


def run_alone(
    stage: Stage | Product,
    file: str,
    tasks: Sequence[Task],
    context: Run,
    progress: Progress | None = None,
) -> Sequence[Task]:
    """Run one stage on tasks from anywhere, under the same rules as in a whole run."""
    return run_all([stage], {stage.name: file}, tasks, context, progress)


def run_all(
    stages: Sequence[Stage | Product],
    files: dict[str, str],
    tasks: Sequence[Task],
    context: Run,
    progress: Progress | None,
) -> Sequence[Task]:
    budget = context.budget
    check_packages(stages)
    with only_writer(context.folder):
        check_settings(stages, files, context)
        with Journal(context.folder / JOURNAL) as journal:
            for used in journal.usage().values():
                budget.spend(used.prompt_tokens, used.completion_tokens)
            for stage in stages:
                if isinstance(stage, Product):
                    if late := budget.late():
                        raise stop(late)
                    if stage.of_tasks:
                        path = context.folder / files[stage.name]
                        logger.info("%s: from %d tasks to %s", stage.name, len(tasks), path)
                    stage.make(tasks, context)
                else:
                    engine = Recorded(context.engine, journal, stage.name, budget)
                    store = Store(context.folder / files[stage.name])
                    tasks = decide(stage, store, tasks, replace(context, engine=engine), progress)
    return tasks


def check_packages(stages: Iterable[Stage | Product]) -> None:
    """Refuse a run that would stop late for want of a package."""
    for stage in stages:
        for package, extra in stage.needs().items():
            if find_spec(package) is None:
                raise SproutError(
                    f"the stage {stage.name} needs {package}, which is not installed: pip install "
                    f"'sprout-instruct[{extra}]'"
                )


def decide(stage: Stage, store: Store, tasks: Sequence[Task], context: Run, progress: Progress | None) -> Stored:
    """Decide what is not decided yet, append it to the stage's file, and return all tasks it has kept."""
    done = store.load()
    todo = without(tasks, store.ids)
    for _ in store.extend(once(stage, stage.decide(todo, done, context), store.ids)):
        if progress:
            progress(stage.name, len(store.decided), len(store.kept), getattr(stage, "num_tasks", len(tasks)))
    check_all_decided(stage, tasks, store.ids)
    num_decided, num_kept = len(store.decided), len(store.kept)
    earlier = f" ({len(done)} before)" if done else ""
    logger.info("%s: %d decided%s, %d kept%s", stage.name, num_decided, earlier, num_kept, listed(store.reasons))
    if not num_kept:
        raise SproutError(
            f"{store.path}: the stage {stage.name} kept none of {num_decided} tasks{listed(store.reasons)}"
            f"{'' if num_decided else '; no request of it brought an answer'}"
        )
    return store.kept


def without(tasks: Sequence[Task], ids: set[str]) -> Sequence[Task]:
    return tasks.without(ids) if isinstance(tasks, Stored) else [task for task in tasks if task.id not in ids]


def once(stage: Stage, decided: Iterable[Task], ids: set[str]) -> Iterator[Task]:
    for task in decided:
        if task.id not in ids:
            yield task
        elif stage.source:  # of three million candidates two have the same id in 1.6 % of runs
            logger.warning("%s: %s is the id of two tasks, the second is left out", stage.name, task.id)
        else:
            raise SproutError(f"stage {stage.name}: task {task.id} is decided twice; each may be once")


def check_all_decided(stage: Stage, tasks: Sequence[Task], decided: set[str]) -> None:
    """No task is lost: what came in is what was kept plus what was rejected."""
    if stage.source:
        return
    ids = tasks.ids() if isinstance(tasks, Stored) else (task.id for task in tasks)
    strange = decided.difference(ids)
    if strange:
        raise SproutError(
            f"stage {stage.name}: task {min(strange)} was not kept by the stage before; an earlier file was changed. "
            f"Delete the files from this stage on to redo them"
        )
    if missing := len(tasks) - len(decided):
        logger.warning(
            "%s: %d tasks are undecided, their requests failed or brought no text; another run asks again",
            stage.name,
            missing,
        )


def listed(reasons: Counter[str]) -> str:
    total = sum(reasons.values())
    return f", {total} rejected ({', '.join(f'{reason} {n}' for reason, n in reasons.most_common())})" if total else ""


def file_names(stages: Iterable[Stage | Product | type[Stage] | type[Product]]) -> dict[str, str]:
    """What each stage writes, by its name: 1_instructions.jsonl, 2_classify.jsonl, …, dataset, model."""
    files: dict[str, str] = {}
    number = 0
    for stage in stages:
        if stage.name in files:
            raise SproutError(f"two stages are called {stage.name}; give each stage of a run a name of its own")
        number += not stage.path
        files[stage.name] = stage.path or f"{number}_{stage.name}.jsonl"
    return files


def check_settings(stages: Sequence[Stage | Product], files: dict[str, str], context: Run) -> None:
    """Refuse to add to files that were written with other settings, their own or those of a stage before."""
    path = context.folder / "settings.json"
    before = read_settings(path)
    for name, changed in changes(stages, files, context, before).items():
        later = list(before)[list(before).index(name) :]
        stale = [file for one in later if holds_something(context.folder / (file := before[one]["file"]))]
        if changed and stale:
            raise SproutError(
                f"{context.folder} was begun with another {', '.join(changed)} in {name}. Choose another "
                f"folder, or delete {', '.join(stale)} to redo them (what was paid for stays in {JOURNAL})"
            )
    write_settings(path, before | {stage.name: described(stage, files, context) for stage in stages})


def digest_of_seeds(settings: Mapping[str, Mapping[str, Any]]) -> str | None:
    """That of the seeds a run was begun with, from its settings by stage."""
    return next((str(one["seeds"]) for one in settings.values() if "seeds" in one), None)


def check_seeds(seeds: Iterable[Task], folder: Path) -> None:
    """Refuse seeds that are not those the run in the folder was begun with."""
    known = digest_of_seeds(read_settings(folder / "settings.json"))
    if known is not None and known != digest(seeds):
        raise SproutError(f"{folder}: was begun with other seeds; give those, or none")


def check_left_out(files: Mapping[str, str], folder: Path, before: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a run without a stage that the folder has: what that rejected would be taken again."""
    for name, settings in before.items():
        path = folder / settings["file"]
        if name not in files and path.suffix == ".jsonl" and holds_something(path):
            raise SproutError(
                f"{path} is there, but this run has no stage {name}; add a table [{name}] to its settings, or delete "
                f"that file and those after it"
            )


def holds_something(path: Path) -> bool:
    return path.is_dir() or (path.is_file() and path.stat().st_size > 0)


def changes(
    stages: Sequence[Stage | Product], files: dict[str, str], context: Run, before: dict[str, dict[str, Any]]
) -> dict[str, list[str]]:
    """For each stage the folder knows, which of its settings differ from those of before."""
    found = {}
    for stage in stages:
        if old := before.get(stage.name):
            new = described(stage, files, context)
            found[stage.name] = sorted(key for key in old | new if old.get(key) != new.get(key))
    return found


def described(stage: Stage | Product, files: dict[str, str], context: Run) -> dict[str, Any]:
    """All that bears on what a stage writes: its file, the model, the seeds, its settings and prompts."""
    model = {"model": shown(context.engine.model), "chat": context.engine.chat}
    if given := template_kwargs(context.engine):
        model["chat_template_kwargs"] = given
    seeds = {"seeds": digest(context.seeds)} if isinstance(stage, Stage) or stage.of_tasks else {}
    settings = stage.settings()
    if "window" in settings and settings["window"] is None:
        settings["window"] = context.engine.window  # it decides which tasks a prompt can show
    return {"file": files[stage.name]} | model | seeds | settings


def write_settings(path: Path, settings: dict[str, dict[str, Any]]) -> None:
    try:
        write_record(path, settings)
    except OSError as error:
        raise SproutError(f"{path}: cannot be written ({error.strerror}); choose another folder") from None


def read_settings(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    try:
        settings: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SproutError(f"{path}: not JSON ({error}); restore it, or choose another folder") from None
    except OSError as error:
        raise SproutError(f"{path}: cannot be read ({error.strerror}); choose another folder") from None
    stages = settings.values() if isinstance(settings, dict) else [None]
    if not all(isinstance(stage, dict) and isinstance(stage.get("file"), str) for stage in stages):
        raise SproutError(f"{path}: is not what a run writes there; restore it, or choose another folder")
    return settings


def digest(tasks: Iterable[Task]) -> str:
    hashed = hashlib.sha256()
    for task in tasks:
        hashed.update(to_line(task).encode())
    return hashed.hexdigest()[:12]
