"""What every stage promises, held against any run with toys: the same bytes however it goes, and nothing asked twice."""

import shutil
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

from pipeline import Request, RunOptions, Stage, Task, run
from pipeline.engines.base import Engine
from pipeline.engines.scripted import Scripted
from pipeline.runs.journal import FILE
from pipeline.runs.view import Tasks

Stages = Callable[[], list[Stage]]


class Toys(NamedTuple):
    """The engine of a run, and its others by name."""

    engine: Scripted
    engines: dict[str, Engine]

    @property
    def requests(self) -> list[Request]:
        each = (self.engine, *self.engines.values())
        return [request for one in each if isinstance(one, Scripted) for request in one.requests]


MakeToys = Callable[[int], Toys]  # with so many requests in flight


def go(stages: list[Stage], seeds: Sequence[Task], toys: Toys, folder: Path) -> Tasks:
    return run(stages, seeds, toys.engine, folder, RunOptions(engines=toys.engines))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.jsonl"))}


def check_windows(stages: Stages, seeds: Sequence[Task], toys: MakeToys, folder: Path) -> None:
    """How many requests are in flight does not change a byte."""
    for window in (1, 8, 64):
        go(stages(), seeds, toys(window), folder / str(window))

    assert files(folder / "1") == files(folder / "8") == files(folder / "64")


def check_kills(stages: Stages, seeds: Sequence[Task], toys: MakeToys, folder: Path) -> None:
    """A run that was killed after some share of any stage's file ends with the same bytes, and asks little again."""
    go(stages(), seeds, toys(8), folder / "whole")
    names = sorted(files(folder / "whole"))
    for share, (number, name) in product((0.03, 0.5, 0.97), enumerate(names)):
        shutil.copytree(folder / "whole", killed := folder / f"killed{number}_{share}")
        data = (killed / name).read_bytes()
        (killed / name).write_bytes(data[: int(len(data) * share)])
        for later in names[number + 1 :]:
            (killed / later).unlink()
        go(stages(), seeds, there := toys(3), killed)

        assert files(killed) == files(folder / "whole"), (name, share)
        assert len(there.requests) <= 8  # what was in flight when the whole run had enough


def check_kills_without_journal(stages: Stages, seeds: Sequence[Task], toys: MakeToys, folder: Path) -> None:
    """The same, with all to be asked again."""
    go(stages(), seeds, toys(8), folder / "whole")
    for number, name in enumerate(sorted(files(folder / "whole"))):
        shutil.copytree(folder / "whole", killed := folder / f"killed{number}")
        lines = (killed / name).read_bytes().splitlines(keepends=True)
        (killed / name).write_bytes(b"".join(lines[: len(lines) // 2]) + lines[-1][:9])
        for later in sorted(files(killed))[number + 1 :]:
            (killed / later).unlink()
        for file in killed.glob(f"{FILE}*"):
            file.unlink()
        go(stages(), seeds, toys(5), killed)

        assert files(killed) == files(folder / "whole"), name


def check_finished(stages: Stages, seeds: Sequence[Task], toys: MakeToys, folder: Path) -> None:
    """A finished run asks nothing again."""
    first = go(stages(), seeds, toys(8), folder)
    again = go(stages(), seeds, there := toys(8), folder)

    assert list(again) == list(first)
    assert not there.requests
