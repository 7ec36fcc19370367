"""The commands that look at runs and settings."""

import argparse
import json
import logging
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.cli import reviewing
from pipeline.cli.options import settings_of
from pipeline.cli.work import prepared, seeds_of, work

logger = logging.getLogger(__name__)


def run_command(args: argparse.Namespace) -> str:
    """Do it, and return what is to be said at the end."""
    looks: dict[str, Callable[[argparse.Namespace], str]] = {
        "review": reviewing.review, "drop": reviewing.drop, "keep": reviewing.keep, "edit": reviewing.edit,
        "stats": stats, "why": why, "report": report, "show": show, "compare": compare, "settings": settings,
        "merge": merge, "seeds": seeds, "plan": plan, "recipes": recipes, "init": init, "preview": preview,
    }  # fmt: skip
    return looks.get(args.command, work)(args)


def stats(args: argparse.Namespace) -> str:
    from pipeline.report import stats
    from pipeline.runs.remarks import read_remarks

    found = stats.figures(args.folder)
    if args.json:
        return as_json(stats.as_record(found))
    return "\n\n".join(filter(None, (stats.show(found), stats.show_usage(found), *read_remarks(args.folder).values())))


def merge(args: argparse.Namespace) -> str:
    from pipeline.report import stats
    from pipeline.runs.merge import merge
    from pipeline.settings.read import OF_RUN, read
    from pipeline.settings.resolved import as_toml

    merged = merge([folder for given in args.folders for folder in matching(Path(given))], args.out)
    if (path := merged.first / OF_RUN).is_file():
        settings = read(str(path)).model_copy(update={"shard": "", "out": str(args.out)})
        (args.out / OF_RUN).write_text(as_toml(settings), encoding="utf-8", newline="\n")
    figures = stats.write(args.out)
    run, out = shlex.quote(str(args.out / OF_RUN)), shlex.quote(str(args.out))
    again = f"next:\n  sprout run {run}\n  sprout stats {out}"
    return f"{merged}\n\n{stats.show(figures)}\n\n{again}"


def matching(given: Path) -> list[Path]:
    """The folders that a pattern stands for, where the shell has left it as it is.

    Raises:
        SproutError: for a pattern that no folder matches.
    """
    if "*" not in given.name or given.exists():
        return [given]
    if found := sorted(path for path in given.parent.glob(given.name) if path.is_dir()):
        return found
    from pipeline.errors import SproutError

    raise SproutError(f"{given}: no folder matches; give the folders that `sprout run … --shard` has written")


def why(args: argparse.Namespace) -> str:
    from pipeline.report.why import why

    return why(args.task, [args.folder] if args.folder else sorted(Path("outputs").glob("*/")), args.full)


def report(args: argparse.Namespace) -> str:
    from pipeline.errors import SproutError
    from pipeline.report import write_report
    from pipeline.runs.settings import check_seeds
    from pipeline.seeds.read import load_seeds, read_seeds
    from pipeline.settings.read import OF_RUN, read

    seeds = read_seeds(args.seeds) if args.seeds else ()
    if seeds:
        check_seeds(seeds, args.folder)
    elif (args.folder / OF_RUN).is_file():
        try:
            seeds = load_seeds(read(str(args.folder)).seeds).tasks
            check_seeds(seeds, args.folder)
        except SproutError as error:
            logger.warning("the report was made without the seeds (%s); give them with --seeds", error)
            seeds = ()
    return str(write_report(args.folder, seeds))


def show(args: argparse.Namespace) -> str:
    from pipeline.report import show

    found = show.find(args.folder, args.stage, args.reason, args.search, reviewing.marks(args))
    return show.show(found, args.num, args.json)


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


def recipes(args: argparse.Namespace) -> str:
    from pipeline import recipes

    return "\n".join(f"{name:<20}{recipes.summary(name)}" for name in recipes.names())


def plan(args: argparse.Namespace) -> str:
    from pipeline.runs.plan import plan

    settings = settings_of(args)
    stages, context = prepared(settings, seeds_of(settings))
    return plan(stages, context, settings.prices)


def init(args: argparse.Namespace) -> str:
    from pipeline.cli.init import init

    return init(args)


def preview(args: argparse.Namespace) -> str:
    from pipeline.cli.progress import shown_progress
    from pipeline.runs.preview import preview
    from pipeline.seeds.read import read_seeds

    settings = settings_of(args)
    with shown_progress(args.quiet):
        stages, context = prepared(settings, read_seeds(settings.seeds))
        return preview(stages, context)


def as_json(found: Any) -> str:
    return json.dumps(found, indent=1, ensure_ascii=False)
