"""Writes the rows of a dataset, split by task for training and validation, in several formats at once."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.dataset.figures import Counts, Figures
from pipeline.dataset.files import Line, Writer
from pipeline.dataset.formats.base import SPLITS, Format, Split
from pipeline.dataset.rows import Row, Rows, held_back
from pipeline.errors import SproutError
from pipeline.task import Task

logger = logging.getLogger(__name__)
BATCH = 4096  # rows that are turned into a table at once


@dataclass(frozen=True)
class Splitter:
    """Which tasks are held back for validation: a share of the generated ones, by a hash of their id."""

    share: float
    random_seed: int = 0

    def holds_back(self, task: Task) -> bool:
        """Whether a generated task is kept for validation."""
        return held_back(task.id, self.share, self.random_seed)

    def split(self, rows: Rows, which: int, task: Task) -> Split:
        """That of the task with a number in `rows`, see `Rows.items`; a seed task is trained on."""
        return "validation" if which < len(rows.tasks) and self.holds_back(task) else "train"


def write_rows(folder: Path, formats: Sequence[Format], rows: Rows, splitter: Splitter) -> Figures:
    """Write rows in each of the formats and return their figures; a split without a row has no file.

    Raises:
        SproutError: for a task that a format cannot hold.
    """
    whole = [one for one in formats if one.of_tasks]
    if whole:
        tasks = ((which, task) for which, task in enumerate(rows.all_tasks()) if rows.used[which])
        _write(folder, whole, ((splitter.split(rows, which, task), task) for which, task in tasks), "")
    counts, new = Counts(), rows.used.copy()

    def counted() -> Iterator[tuple[Split, Row]]:
        for which, task, row in rows.items():
            split = splitter.split(rows, which, task)
            counts.add(split, task, row, first=bool(new[which]))
            new[which] = False
            yield split, row

    _write(folder, [one for one in formats if not one.of_tasks], counted(), rows.fingerprint)
    for one in formats:
        one.finish(folder)
    return counts.figures()


def sizes(folder: Path) -> dict[str, int]:
    """The bytes of each file of rows."""
    paths = (path for kind in ("*.jsonl", "*.parquet", "*.arrow") for path in folder.rglob(kind))
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(paths)}


def _write(folder: Path, formats: Sequence[Format], items: Iterable[tuple[Split, Any]], fingerprint: str) -> None:
    writers: dict[tuple[str, Split], list[Writer]] = {}
    lacking, total = Counter[str](), 0

    with ExitStack() as stack:
        for split, batch in _batches(items):
            total += len(batch)
            for one in formats:
                name, lines = one.name, list[Line]()
                for item in batch:
                    before = len(lines)
                    lines += map(one.line, one.parts(item))
                    lacking[name] += len(lines) == before
                if not lines:
                    continue
                if (name, split) not in writers:
                    writers[name, split] = one.open(folder, split, fingerprint)
                    for writer in writers[name, split]:
                        stack.callback(writer.close)
                for writer in writers[name, split]:
                    writer.write(lines)
    _say_lacking(formats, lacking, total, {name for name, split in writers if split == "train"})


def _say_lacking(formats: Iterable[Format], lacking: Counter[str], total: int, written: Iterable[str]) -> None:
    """Say how many rows of a format became no line.

    Raises:
        SproutError: if there is no other format, so that there is nothing to train on.
    """
    for one in formats:
        if total and lacking[one.name] == total:
            if not {*written}:
                raise SproutError(f"the format {one.name} has no row: none of {total:,} has {one.lack}")
            logger.warning("the format %s is not written: none of %d rows has %s", one.name, total, one.lack)
        elif number := lacking[one.name]:
            logger.warning("the format %s leaves out %d of %d rows, which lack %s", one.name, number, total, one.lack)


def _batches(items: Iterable[tuple[Split, Any]]) -> Iterator[tuple[Split, list[Any]]]:
    waiting: dict[Split, list[Any]] = {split: [] for split in SPLITS}
    for split, item in items:
        waiting[split].append(item)
        if len(waiting[split]) == BATCH:
            yield split, waiting[split]
            waiting[split] = []
    yield from ((split, batch) for split, batch in waiting.items() if batch)
