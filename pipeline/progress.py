"""Where a run stands: a live line in a terminal, otherwise a plain line once a minute."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.runs import Progress

logger = logging.getLogger("pipeline")
INTERVAL = 60.0  # seconds between two plain lines


@contextmanager
def shown_progress(quiet: bool = False) -> Iterator[Progress]:
    """Log to standard error for as long as it lasts, and give the function that `run` calls with each decided task."""
    level = logger.level
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    with _plain() if quiet or not sys.stderr.isatty() else _live() as (progress, handler):
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.propagate = False  # a library may have set up a log of its own
        try:
            yield progress
        finally:
            logger.removeHandler(handler)
            logger.propagate = True
            logger.setLevel(level)


@contextmanager
def _plain() -> Iterator[tuple[Progress, logging.Handler]]:
    last = time.monotonic()

    def progress(stage: str, decided: int, kept: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= INTERVAL:
            last = time.monotonic()
            logger.info("%s: %d decided, %d kept, %d wanted", stage, decided, kept, total)

    yield progress, logging.StreamHandler(sys.stderr)


@contextmanager
def _live() -> Iterator[tuple[Progress, logging.Handler]]:
    from rich.console import Console
    from rich.logging import RichHandler
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    handler = RichHandler(console=console, show_time=False, show_path=False, show_level=False, markup=False)
    columns = (
        TextColumn("{task.description:<13}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bars(*columns, TimeElapsedColumn(), console=console) as bars:
        known: dict[str, TaskID] = {}

        def progress(stage: str, decided: int, kept: int, total: int) -> None:
            if stage not in known:
                known[stage] = bars.add_task(stage, total=total, note="")
            grows = stage == "instructions"
            note = f"{kept:,} kept of {decided:,} ({kept / decided:.0%})"
            bars.update(known[stage], completed=kept if grows else decided, note=note)

        yield progress, handler
