"""A run with toys in place of models, and the files that it leaves."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline import Request, RunOptions, Stage, Task, run
from pipeline.engines.base import Engine
from pipeline.engines.scripted import Scripted
from pipeline.runs.view import Tasks


class Toys(NamedTuple):
    """The engine of a run, and its others by name."""

    engine: Scripted
    engines: dict[str, Engine]

    @property
    def requests(self) -> list[Request]:
        each = (self.engine, *self.engines.values())
        return [request for one in each if isinstance(one, Scripted) for request in one.requests]


def go(stages: list[Stage], seeds: Sequence[Task], toys: Toys, folder: Path) -> Tasks:
    return run(stages, seeds, toys.engine, folder, RunOptions(engines=toys.engines))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.jsonl"))}
