"""Where a run stands: a live display in a terminal, otherwise a plain line once a minute."""

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pipeline.runs.budget import Budget, Prices
from pipeline.runs.run import Progress

Show = Callable[[Progress], None]

logger = logging.getLogger("pipeline")
INTERVAL = 60.0  # seconds between two plain lines
WINDOW = 60.0  # seconds that speeds are taken over

Clock = Callable[[], float]


@contextmanager
def shown_progress(quiet: bool = False, budget: Budget | None = None, clock: Clock = time.monotonic) -> Iterator[Show]:
    """Log to standard error for as long as it lasts, and give the function that `run` calls with each decided task.

    Args:
        budget: That of the run, which knows the tokens as they come in, and prices.
        clock: Seconds, from any beginning.
    """
    level = logger.level
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    pace = Pace(budget or Budget(), clock)
    with _plain(pace) if quiet or not sys.stderr.isatty() else _live(pace) as (progress, handler):
        handler.setFormatter(logging.Formatter("%(message)s"))
        logger.addHandler(handler)
        logger.propagate = False  # a library may have set up a log of its own
        try:
            with _alive(budget or Budget(), handler):
                yield progress
        finally:
            logger.removeHandler(handler)
            logger.propagate = True
            logger.setLevel(level)


@contextmanager
def _alive(budget: Budget, handler: logging.Handler) -> Iterator[None]:
    """Log a line once a minute in which nothing else is logged while answers are awaited: a batch may take long."""
    spoken = time.monotonic()

    def note(record: logging.LogRecord) -> bool:
        nonlocal spoken
        spoken = time.monotonic()
        return True

    def beat() -> None:
        nonlocal spoken
        while not done.wait(max(0.05, spoken + INTERVAL - time.monotonic())):
            if time.monotonic() - spoken < INTERVAL:
                continue
            spoken = time.monotonic()
            if (work := budget.work) and work.in_flight:
                logger.info("%s: %d answered, %d asked and on their way", work.stage, work.answered, work.in_flight)

    done = threading.Event()
    handler.addFilter(note)
    thread = threading.Thread(target=beat, name="alive", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        handler.removeFilter(note)


class Mark(NamedTuple):
    """Where a stage stood at a time."""

    time: float
    tokens: int
    done: int


class Pace:
    """How fast the stage at work goes, over the last minute. What earlier sittings did is no part of it."""

    def __init__(self, budget: Budget, clock: Clock) -> None:
        self.budget, self.clock = budget, clock
        self.stage = ""
        self.done = self.left = 0
        self.marks: deque[Mark] = deque()

    def count(self, stage: str, done: int, wanted: int) -> None:
        """So many of those wanted are done."""
        now = Mark(self.clock(), self.budget.completion_tokens, done)
        if stage != self.stage:
            self.stage = stage
            self.marks = deque([now])
        elif now.time - self.marks[-1].time >= 1:
            self.marks.append(now)
        while len(self.marks) > 2 and now.time - self.marks[1].time >= WINDOW:
            self.marks.popleft()
        self.done, self.left = done, max(0, wanted - done)

    def notes(self) -> list[str]:
        """Speed of the stage at work, cost of the whole run, time left of the stage."""
        speed, left = [], []
        if self.left:
            first, seconds = self.marks[0], self.clock() - self.marks[0].time
            done, tokens = self.done - first.done, self.budget.completion_tokens - first.tokens
            known = seconds >= 1
            speed = [f"{tokens / seconds:,.0f} tokens/s"] if known and tokens else []
            left = [f"about {spelled(self.left * seconds / done)} left" if known and done else "– left"]
        cost = [f"cost {self.budget.cost:,.2f}"] if self.budget.prices != Prices() else []
        return [*speed, *cost, *left]


def spelled(seconds: float) -> str:
    """A length of time, as exactly as one wants to know it."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


@contextmanager
def _plain(pace: Pace) -> Iterator[tuple[Show, logging.Handler]]:
    last = pace.clock()

    def progress(now: Progress) -> None:
        nonlocal last
        pace.count(now.stage, now.done, now.wanted)
        if (time := pace.clock()) - last >= INTERVAL:
            last = time
            counts = f"{now.decided:,} decided, {now.kept:,} kept ({now.kept / now.decided:.0%})"
            logger.info("%s: %s", now.stage, ", ".join([counts, *pace.notes()]))

    yield progress, logging.StreamHandler(sys.stderr)


@contextmanager
def _live(pace: Pace) -> Iterator[tuple[Show, logging.Handler]]:
    from rich.console import Console, RenderableType
    from rich.logging import RichHandler
    from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    class Display(Bars):
        """A bar for each stage, and below them how fast it goes, as of now."""

        def get_renderables(self) -> Iterable[RenderableType]:
            yield from super().get_renderables()
            if notes := pace.notes():
                yield f"  {' · '.join(notes)}"

    console = Console(stderr=True)
    handler = RichHandler(console=console, show_time=False, show_path=False, show_level=False, markup=False)
    columns: tuple[Any, ...] = (
        TextColumn("{task.description:<13}"),
        BarColumn(20),
        TextColumn("{task.completed:,} of {task.total:,}"),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Display(*columns, console=console) as bars:
        known: dict[str, TaskID] = {}

        def progress(now: Progress) -> None:
            pace.count(now.stage, now.done, now.wanted)
            if now.stage not in known:
                known[now.stage] = bars.add_task(now.stage, total=now.wanted, note="")
            note = f"{now.kept / now.decided:.0%} of {now.decided:,} kept"
            bars.update(known[now.stage], completed=now.done, note=note)

        yield progress, handler
