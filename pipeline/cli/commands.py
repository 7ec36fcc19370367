"""What the commands of `sprout` do, once their arguments are read."""

import argparse
import json
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.engines.base import Engine
    from pipeline.settings.read import RunSettings
    from pipeline.task import Task

logger = logging.getLogger(__name__)


def run_command(args: argparse.Namespace) -> str:
    """Do it, and return what is to be said at the end."""
    looks: dict[str, Callable[[argparse.Namespace], str]] = {
        "stats": stats, "why": why, "report": report, "show": show, "compare": compare, "settings": settings,
        "seeds": seeds, "plan": plan,
    }  # fmt: skip
    return looks.get(args.command, work)(args)


def stats(args: argparse.Namespace) -> str:
    from pipeline.report import stats

    found = stats.figures(args.folder)
    return as_json(found) if args.json else "\n\n".join(filter(None, (stats.show(found), stats.show_usage(found))))


def why(args: argparse.Namespace) -> str:
    from pipeline.report.why import why

    return why(args.task, [args.folder] if args.folder else sorted(Path("outputs").glob("*/")), args.full)


def report(args: argparse.Namespace) -> str:
    from pipeline.report import write_report
    from pipeline.runs.run import check_seeds
    from pipeline.seeds.read import read_seeds

    seeds = read_seeds(args.seeds) if args.seeds else ()
    if seeds:
        check_seeds(seeds, args.folder)
    return str(write_report(args.folder, seeds))


def show(args: argparse.Namespace) -> str:
    from pipeline.report import show

    return show.show(show.find(args.folder, args.stage, args.reason, args.search), args.num, args.json)


def compare(args: argparse.Namespace) -> str:
    from pipeline.report import show

    return as_json(show.comparison(args.one, args.other)) if args.json else show.compare(args.one, args.other)


def seeds(args: argparse.Namespace) -> str:
    from pipeline.report.seed_check import check
    from pipeline.report.seed_text import show

    found = check(args.file)
    return as_json(found.model_dump()) if args.json else show(found)


def settings(args: argparse.Namespace) -> str:
    from pipeline.settings.resolved import as_toml
    from pipeline.settings.schema import schema

    if args.schema:
        return as_json(schema())
    return as_toml(settings_of(args)).rstrip("\n")


def plan(args: argparse.Namespace) -> str:
    from pipeline.runs.plan import plan
    from pipeline.seeds.read import read_seeds
    from pipeline.settings.read import build_stages, open_engine

    found = settings_of(args)
    return plan(build_stages(found), read_seeds(found.seeds), open_engine(found), Path(found.out), found.prices)


def work(args: argparse.Namespace) -> str:
    """Run stages: all of them, or one."""
    from pipeline.cli.progress import shown_progress
    from pipeline.evaluation.models import NoModel
    from pipeline.gain.measure import gain, tuned_and_evaluated
    from pipeline.runs.budget import Budget, write_prices
    from pipeline.runs.redecide import redecide
    from pipeline.runs.run import run, run_alone
    from pipeline.seeds.read import load_seeds, read_seeds
    from pipeline.settings import read as toml
    from pipeline.stage import Product, Run

    found = settings_of(args)
    folder = Path(found.out)

    def open_engine(model: str | None = None) -> "Engine":
        return toml.open_engine(found, model)

    budget = Budget(args.max_tokens, args.max_cost, args.max_time, found.prices)
    engine: Engine
    with shown_progress(args.quiet, budget) as progress:
        asks = args.command in ("run", "instructions")  # the others have heard what is to be said of the seeds
        seeds = read_seeds(found.seeds) if asks else load_seeds(found.seeds).tasks
        if args.command == "run" and args.redecide:
            redecide(toml.build_stages(found), seeds, open_engine(), folder, progress)
        elif args.command in ("run", "gain"):
            stages, engine = toml.build_stages(found), open_engine()
            if args.command == "gain":
                tuned_and_evaluated(stages)  # or say so before anything is spent
            tasks = run(stages, seeds, engine, folder, open_engine, progress, budget)
            if args.command == "gain":
                gain(stages, tasks, Run(seeds, engine, folder, open_engine, budget), args.random_seeds)
        else:
            stage = toml.build_stage(args.command, found)
            alone = isinstance(stage, Product) and not stage.of_tasks
            engine = open_engine() if found.engine.get("model") or not alone else NoModel()
            files = files_of(folder, args.command)
            tasks = () if alone else tasks_for(args, files, folder) or seeds
            context = Run(seeds, engine, folder, open_engine, budget)
            run_alone(stage, files[stage.name], tasks, context, progress)
    write_prices(folder, found.prices)
    return finish(args.command, folder, seeds, args.command == "run" and args.redecide)


def finish(command: str, folder: Path, seeds: Sequence["Task"], redecided: bool) -> str:
    """Write the figures of a run and its page, and say what it has come to."""
    from pipeline.gain.measure import PAGE
    from pipeline.report import stats
    from pipeline.runs.files import find_stage_files

    found = stats.write(folder) if find_stage_files(folder) else {}
    if command in ("run", "gain"):
        write_report(folder, seeds)
    if redecided:
        return f"{stats.show(found)}\n\nwhat is made of the tasks is still that of before; `sprout run` makes it anew"
    return (folder / PAGE).read_text("utf-8") if command == "gain" else stats.summary(folder, found)


def write_report(folder: Path, seeds: Sequence["Task"]) -> None:
    """Write the page of a finished run, which needs an extra that may not be there."""
    from pipeline.errors import SproutError
    from pipeline.report import write_report

    try:
        write_report(folder, seeds)
    except SproutError as error:
        logger.warning("no report: %s", error)


def settings_of(args: argparse.Namespace) -> "RunSettings":
    """The settings file with what the options change."""
    from pipeline.cli.evaluate_options import changes
    from pipeline.settings import read as toml

    options = {"seeds": args.seeds, "out": args.out, "engine.name": args.engine, "engine.model": args.model}
    if args.command == "judge" and "@http" in (args.model or ""):
        options["judge.model"] = options.pop("engine.model")
    if args.command == "export":
        options["export.formats"] = args.format and args.format.split(",")
        options["export.push_to_hub"] = args.push_to_hub
    given = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in options.items() if value is not None]
    return toml.read(args.settings, [*given, *changes(args), *args.set])


def files_of(folder: Path, command: str) -> dict[str, str]:
    """The file of each stage of a run, by its name; an optional one counts if it is there, or asked for.

    Raises:
        SproutError: if the stage has no place, as the run is that of a script with stages of its own.
    """
    from pipeline.errors import SproutError
    from pipeline.runs.files import find_stage_files
    from pipeline.runs.run import file_names
    from pipeline.settings.read import OPTIONAL
    from pipeline.stages import STAGES

    there = {name: path.name for name, path in find_stage_files(folder).items()}
    files = file_names(one for one in STAGES if one.name not in OPTIONAL or one.name in {command, *there})
    own = [name for name in there if name not in [stage.name for stage in STAGES]]
    if own and command not in there and files[command].endswith(".jsonl"):
        raise SproutError(f"{folder}: has the stage {own[0]} of a script; add {command} to the list there")
    return files | there


def tasks_for(args: argparse.Namespace, files: dict[str, str], folder: Path) -> Sequence["Task"]:
    """What a stage that runs alone decides: the tasks of a file, or what the stage before has kept."""
    from pipeline.errors import SproutError
    from pipeline.runs.store import read_kept

    own = number_of(files[args.command])
    earlier = sorted((file for file in files.values() if number_of(file) < own), key=number_of)
    if not earlier and not args.tasks:
        return []
    path = args.tasks or folder / earlier[-1]
    if not args.tasks and not path.exists():
        name = path.stem.partition("_")[2]
        raise SproutError(f"{path} is not there; run `sprout {name}` first, or give tasks with --tasks FILE")
    tasks = read_kept(path)
    if not tasks:
        raise SproutError(f"{path}: holds no task that is kept, so there is nothing to do for {args.command}")
    return tasks


def number_of(file: str) -> float:
    """Of the file of a stage; what is made at the end comes after all of them."""
    return int(file.partition("_")[0]) if file.endswith(".jsonl") else math.inf


def as_json(found: Any) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False)
