"""Where a run stands: a live line in a terminal, otherwise a plain line once a minute."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.run import Progress

logger = logging.getLogger("pipeline")
INTERVAL = 60.0  # seconds between two plain lines


@contextmanager
def shown_progress(quiet: bool = False) -> Iterator[Progress]:
    """Set up logging to standard error and give the function that `run` calls with each decided task."""
    level = logging.WARNING if quiet else logging.INFO
    if not quiet and sys.stderr.isatty():
        with _live(level) as progress:
            yield progress
    else:
        logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
        logger.setLevel(level)
        yield _plain()


def _plain() -> Progress:
    last = time.monotonic()

    def progress(stage: str, decided: int, kept: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= INTERVAL:
            last = time.monotonic()
            logger.info("%s: %d decided, %d kept, %d wanted", stage, decided, kept, total)

    return progress


@contextmanager
def _live(level: int) -> Iterator[Progress]:
    from rich.console import Console
    from rich.logging import RichHandler
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    handler = RichHandler(console=console, show_time=False, show_path=False, show_level=False, markup=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logger.setLevel(level)
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

        yield progress
