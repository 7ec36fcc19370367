"""The commands by which people judge, drop and change tasks."""

import argparse
import getpass
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.engines.base import Engine
    from pipeline.report.review.changes import TaskChoice
    from pipeline.report.show import Marks


def drop(args: argparse.Namespace) -> str:
    from pipeline.report.review.changes import drop

    folder, ids = place(args.folder, *args.ids)
    return drop(folder, wanted(args, ids), reviewer(args), args.reason or "")


def keep(args: argparse.Namespace) -> str:
    from pipeline.report.review.changes import keep

    folder, ids = place(args.folder, *args.ids)
    return keep(folder, wanted(args, ids, args.reason), reviewer(args))


def edit(args: argparse.Namespace) -> str:
    from pipeline.errors import SproutError
    from pipeline.report.review.changes import Change, edit, undo_edits

    folder, ids = place(args.folder, *args.ids)
    tags = tuple(filter(None, (tag.strip() for tag in (args.add_tag or "").split(","))))
    change = Change(args.instruction, args.input, args.output, args.instance, tags, args.add_note or "")
    if args.undo:
        return undo_edits(folder, wanted(args, ids), reviewer(args))
    if change == Change(instance=args.instance):
        raise SproutError("nothing to change is given; add --instruction, --input, --output, --add-tag or --add-note")
    return edit(folder, wanted(args, ids), reviewer(args), change)


def review(args: argparse.Namespace) -> str:
    from pipeline.report.review import argilla, server
    from pipeline.report.review.answers import answers_of
    from pipeline.report.review.desk import Desk
    from pipeline.report.review.queue import Choice, tasks_of

    folder = args.folder
    if args.figures:
        return server.figures(folder)
    sample = 0 if args.all else args.sample
    if args.argilla:
        return argilla.write(folder, args.argilla, args.reason, args.search, marks(args))
    choice = Choice(args.stage, args.reason, args.search, marks(args), sample, args.margin)
    found = answers_of(folder, args.answers, args.heldout, choice) if args.answers else None
    desk: Desk = found or tasks_of(folder, choice)
    address = server.ListenAddress(args.host, args.port, args.open)
    return server.serve(desk, address, args.reviewer or "", None if args.answers else engine_of(args))


def engine_of(args: argparse.Namespace) -> "Callable[[], Engine] | None":
    """What opens the engine of the run, if its settings were given; it repairs outputs."""
    if not (args.settings or args.engine or args.model or args.set):
        return None
    from pipeline.cli.options import settings_of
    from pipeline.settings.build import open_engine

    args.seeds, args.out = None, None
    settings = settings_of(args)
    return lambda: open_engine(settings)


def place(*words: str) -> tuple[Path, tuple[str, ...]]:
    """The folder of the run and the ids, in whatever order they are typed."""
    folder = next((word for word in words if Path(word).is_dir()), words[0])
    rest = [*words]
    rest.remove(folder)
    return Path(folder), tuple(rest)


def wanted(args: argparse.Namespace, ids: tuple[str, ...], reason: str | None = None) -> "TaskChoice":
    from pipeline.report.review.changes import TaskChoice

    return TaskChoice(ids, args.search, reason, marks(args), getattr(args, "all", False))


def marks(args: argparse.Namespace) -> "Marks":
    from pipeline.report.show import Marks

    return Marks(args.tag, args.note, args.judged)


def reviewer(args: argparse.Namespace) -> str:
    try:
        return str(args.reviewer or getpass.getuser())
    except (KeyError, OSError):  # a container may have no name for its user
        return "somebody"
