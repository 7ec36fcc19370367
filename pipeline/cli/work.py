"""The commands that run stages: all of a run, or one."""

import argparse
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.options import settings_of

if TYPE_CHECKING:
    from pipeline.runs.budget import Budget
    from pipeline.runs.context import Context
    from pipeline.runs.run import Progress
    from pipeline.settings.read import RunSettings
    from pipeline.stage import Product, Stage
    from pipeline.task import Task

logger = logging.getLogger(__name__)


def prepared(
    settings: "RunSettings", seeds: Sequence["Task"], budget: "Budget | None" = None
) -> tuple[list["Stage | Product"], "Context"]:
    """The stages that the settings list, and what they work with; no model is loaded yet."""
    from pipeline.runs.budget import Budget
    from pipeline.runs.context import Context
    from pipeline.runs.settings import recorded
    from pipeline.settings.build import build_stages, open_engine, open_engines

    stages = build_stages(settings)
    if settings.domain and not any("domain" in recorded(stage) for stage in stages):
        logger.warning("domain: no template of this run uses it, so it changes nothing; see [prompts]")
    context = Context(
        seeds,
        open_engine(settings),
        Path(settings.out),
        open_engines(settings),
        lambda model: open_engine(settings, model),
        budget or Budget(),
        stages,
    )
    return stages, context


def work(args: argparse.Namespace) -> str:
    """Run stages: all of them, or one."""
    from pipeline.cli.progress import shown_progress
    from pipeline.errors import SproutError
    from pipeline.gain.dataset import gain
    from pipeline.gain.products import products_of
    from pipeline.runs.budget import Budget, write_prices
    from pipeline.runs.redecide import redecide
    from pipeline.runs.run import RunOptions, run

    if args.command == "gain" and len(args.settings) > 1:
        return against_each_other(args)
    if args.command == "gain" and args.same:
        raise SproutError("--same is for several recipes; give another one, or leave it out")
    settings = settings_of(args)
    folder = Path(settings.out)
    budget = Budget(args.max_tokens, args.max_cost, args.max_time, settings.prices)
    again = args.command == "run" and args.redecide
    with shown_progress(args.quiet, budget) as progress:
        if args.command in ("run", "gain"):
            seeds = seeds_of(settings)
            stages, context = prepared(settings, seeds, budget)
            if args.command == "gain":
                products_of(stages)  # or say so before anything is spent
            if again:
                redecide(stages, context, progress)
            else:
                options = RunOptions(context.engines, context.open_engine, progress, budget)
                with recorded_in(folder, settings):
                    tasks = run(stages, seeds, context.engine, folder, options).tasks
                    finish_shard(settings, folder)
            if args.command == "gain":
                gain(stages, tasks, context, args.random_seeds)
        else:
            alone(args, settings, budget, progress)
    write_prices(folder, settings.prices)
    return finish(args.command, settings, again)


@contextmanager
def recorded_in(folder: Path, settings: "RunSettings") -> Iterator[None]:
    """Leave the settings of a run and its prices in its folder, whether it ends or stops.

    Other commands then take the folder in place of a settings file, and `sprout report` says what was spent.
    """
    from pipeline.runs.budget import PRICES, write_prices
    from pipeline.runs.settings import FILE
    from pipeline.settings.read import OF_RUN
    from pipeline.settings.resolved import as_toml

    path, done = folder / OF_RUN, False
    try:
        yield
        done = True
    finally:
        with suppress(*(() if done else (OSError,))):  # what has ended the run is what there is to say
            begun = (folder / FILE).is_file()
            if begun and (done or not path.exists()):
                path.write_text(as_toml(settings), encoding="utf-8", newline="\n")
            if begun and not (folder / PRICES).exists():
                write_prices(folder, settings.prices)


def finish_shard(settings: "RunSettings", folder: Path) -> None:
    from pipeline.runs.shards import Shard, write_finished

    if settings.shard:
        write_finished(folder, Shard.parse(settings.shard))


def seeds_of(settings: "RunSettings", silent: bool = False) -> list["Task"]:
    """The seeds; what there is to say of how they were read is said once for each run, as it begins."""
    from pipeline.runs.settings import FILE
    from pipeline.seeds.read import load_seeds, read_seeds

    begun = (Path(settings.out) / FILE).is_file()
    return load_seeds(settings.seeds).tasks if begun or silent else read_seeds(settings.seeds)


def alone(
    args: argparse.Namespace, settings: "RunSettings", budget: "Budget", progress: "Callable[[Progress], None]"
) -> None:
    """Run one stage: on what the stage before has kept, on a file of tasks, or on none."""
    from pipeline.evaluation.models import NoModel
    from pipeline.runs.context import Context
    from pipeline.runs.run import run_stages
    from pipeline.settings.build import build_stage, build_stages, open_engine, open_engines
    from pipeline.stage import Product, Stage

    folder = Path(settings.out)
    stage = build_stage(args.command, settings)
    stages = build_stages(settings, args.command)
    needs_no_run = isinstance(stage, Product) and not stage.of_tasks
    writes = isinstance(stage, Stage) and stage.adds and not stage.of_given
    seeds = seeds_of(settings, silent=needs_no_run)
    engine = open_engine(settings) if settings.engine.get("model") or not needs_no_run else NoModel()
    files = files_of(folder, stage, stages)
    tasks = () if needs_no_run else tasks_for(args, files, folder, stage) or (() if writes else seeds)
    context = Context(
        seeds, engine, folder, open_engines(settings), lambda model: open_engine(settings, model), budget, stages
    )
    run_stages([stage], files, tasks, context, progress)


def against_each_other(args: argparse.Namespace) -> str:
    """Compare the datasets of finished runs, and others, for the model of the first."""
    from pipeline.cli.progress import shown_progress
    from pipeline.errors import SproutError
    from pipeline.gain.entrants import find_entrants
    from pipeline.gain.products import products_of
    from pipeline.gain.recipes import Same, recipes_gain
    from pipeline.gain.record import PAGE
    from pipeline.runs.budget import Budget
    from pipeline.seeds.read import load_seeds

    if not args.out:
        raise SproutError("name a folder for the comparison with --out")

    def read(name: str) -> "RunSettings":
        return settings_of(argparse.Namespace(**vars(args) | {"settings": name, "out": None}))

    entrants = find_entrants(args.settings, read)
    settings = read(args.settings[0])
    budget = Budget(args.max_tokens, args.max_cost, args.max_time, settings.prices)
    with shown_progress(args.quiet, budget):
        stages, context = prepared(settings, load_seeds(settings.seeds).tasks, budget)
        context = replace(context, folder=Path(args.out))
        recipes_gain(entrants, products_of(stages), context, Same(*args.same or ()), args.random_seeds)
    return (Path(args.out) / PAGE).read_text("utf-8")


def finish(command: str, settings: "RunSettings", redecided: bool) -> str:
    """Write the figures of a run and its page, and say what it has come to."""
    from pipeline.gain.record import PAGE
    from pipeline.report import stats
    from pipeline.runs.files import find_stage_files
    from pipeline.seeds.read import load_seeds
    from pipeline.settings.build import build_stage, build_stages
    from pipeline.stages import names

    folder = Path(settings.out)
    stages = build_stages(settings, command)
    if command in names() and command not in {stage.name for stage in stages}:
        stages.append(build_stage(command, settings))
    figures = stats.write(folder) if find_stage_files(folder) else {}
    if command in ("run", "gain"):
        write_report(folder, load_seeds(settings.seeds).tasks)
    if redecided:
        return f"{stats.show(figures)}\n\ndataset and model are unchanged; `sprout run` makes them anew"
    if command == "gain":
        return (folder / PAGE).read_text("utf-8")
    return stats.summary(folder, figures, stages)


def write_report(folder: Path, seeds: Sequence["Task"]) -> None:
    """Write the page of a finished run, which needs an extra that may not be there."""
    from pipeline.errors import SproutError
    from pipeline.report import write_report

    try:
        write_report(folder, seeds)
    except SproutError as error:
        logger.warning("no report: %s", error)


def files_of(folder: Path, stage: "Stage | Product", stages: "Sequence[Stage | Product]") -> dict[str, str]:
    """The file of each stage of a run, by its name; one that is optional counts if it is there, or asked for.

    Raises:
        SproutError: for a stage that has no place among those of a folder that a script has written.
    """
    from pipeline.errors import SproutError
    from pipeline.runs.files import find_stage_files
    from pipeline.runs.settings import file_names

    there = {name: path.name for name, path in find_stage_files(folder).items()}
    missing = [name for name in (*there, stage.name) if name not in {one.name for one in stages}]
    files = file_names(in_order([*stages, *(one for name in missing if (one := of_name(name, stage)))]))
    strange = [name for name in there if name not in files]
    if strange and stage.name not in there and files[stage.name].endswith(".jsonl"):
        raise SproutError(f"{folder}: has the stage {strange[0]} of a script; add {stage.name} to the list there")
    return files | there


def of_name(name: str, asked: "Stage | Product") -> "Stage | Product | None":
    """A stage of that name, to find its place by; none for one of a script."""
    from pipeline.stages import find, names

    kind, _, label = name.partition("-")
    if name == asked.name:
        return asked
    return find(kind).model_construct(label=label) if kind in names() else None


def in_order(stages: "Sequence[Stage | Product]") -> "list[Stage | Product]":
    """In the order of Self-Instruct; a stage that it does not have keeps its place behind the one before it."""
    from pipeline.recipes import SELF_INSTRUCT

    places, last = [], 0
    for stage in stages:
        last = SELF_INSTRUCT.index(stage.kind) if stage.kind in SELF_INSTRUCT else last
        places.append(last)
    return [stage for _, stage in sorted(zip(places, stages, strict=True), key=lambda pair: pair[0])]


def tasks_for(
    args: argparse.Namespace, files: dict[str, str], folder: Path, stage: "Stage | Product"
) -> Sequence["Task"]:
    """What a stage that runs alone decides: the tasks of a file, or what the stage before has kept."""
    from pipeline.errors import SproutError
    from pipeline.runs.reviews import reviewed
    from pipeline.runs.settings import holds_something
    from pipeline.runs.store import read_kept

    own = number_of(files[stage.name])
    earlier = sorted((file for file in files.values() if number_of(file) < own), key=number_of)
    if not earlier and not args.tasks:
        return []
    path = args.tasks or folder / earlier[-1]
    if not args.tasks and not holds_something(path):
        name = path.stem.partition("_")[2]
        raise SproutError(f"{path} is not there; run `sprout {name}` first, or give tasks with --tasks FILE")
    tasks = read_kept(path)
    if path.parent.resolve() != folder.resolve():  # of another run; what people dropped there stays out here
        tasks = reviewed(tasks, path.parent)
    if not tasks:
        raise SproutError(f"{path}: holds no task that is kept, so there is nothing to do for {args.command}")
    return tasks


def number_of(file: str) -> float:
    """Of the file of a stage; what is made at the end comes after all of them."""
    return int(file.partition("_")[0]) if file.endswith(".jsonl") else math.inf
