"""The files of a run: one for each stage, and what they say was kept and rejected."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import SproutError
from pipeline.runs.reviews import STAGE, Reviews, touched
from pipeline.runs.store import Stored, whole_lines
from pipeline.task import read_task
from pipeline.text import first_few

REJECTED = re.compile(rb',"rejected":"(\w+)"\}\n\Z')  # the end of a rejected line; a nested field has more braces

PLACE = re.compile(rb'"meta": ?\{"request": ?\d+, ?"item": ?(\d+)')  # of a task that was read from a list


def stage_files(folder: Path) -> dict[str, Path]:
    """The files of a run by stage, in order.

    Raises:
        SproutError: if the folder holds none.
    """
    if found := find_stage_files(folder):
        return found
    runs = sorted(str(path) for path in folder.glob("*/") if find_stage_files(path))
    given = f"give one of its folders: {first_few(runs)}" if runs else "give the folder of a run"
    raise SproutError(f"{folder}: {'holds no run' if folder.exists() else 'there is no such folder'}; {given}")


def find_stage_files(folder: Path) -> dict[str, Path]:
    """As `stage_files`, but empty if there is no run. A file without a line does not count beside others."""
    paths = [path for path in folder.glob("*_*.jsonl") if path.stem.split("_")[0].isdecimal()]
    paths = [path for path in paths if path.stat().st_size] or paths
    paths.sort(key=lambda path: int(path.stem.split("_")[0]))
    return {path.stem.split("_", 1)[1]: path for path in paths}


def funnel(folder: Path) -> dict[str, Counter[str]]:
    """For each stage, how many tasks it kept and how many it rejected for each reason.

    If people have dropped tasks, the last entry is `review`, as if it were a stage behind the last one.

    Raises:
        SproutError: if the folder holds no stage file.
    """
    files = stage_files(folder)
    found = {stage: Counter(reasons(path)) for stage, path in files.items()}
    last, path = list(files.items())[-1]
    if dropped := dropped_from(path, Reviews(folder)):
        found[STAGE] = dropped + Counter(kept=found[last]["kept"] - dropped.total())
    return found


def dropped_from(path: Path, reviews: Reviews) -> Counter[str]:
    """How many of the tasks that a stage's file keeps are dropped, by reason."""
    states = (reviews.of(task) for task in touched(path, reviews.by_task) if task.kept) if reviews else ()
    return Counter(state.dropped for state in states if state.dropped)


def reasons(path: Path) -> Iterator[str]:
    """For each task in a file, the reason it was rejected, or "kept"; a line still being written is skipped."""
    return (reason for _, _, reason in _with_reasons(path))


def kept_in(path: Path) -> Stored:
    """The kept tasks of a stage's file, found without a look at what else their lines hold."""
    return Stored(path, (place for place, _, reason in _with_reasons(path) if reason == "kept"))


def kept_by_place(path: Path) -> list[tuple[int, int]]:
    """For each place in the lists that a model wrote, how many tasks were kept and how many there were.

    Empty for a stage whose tasks come from no list.
    """
    kept: Counter[int] = Counter()
    all: Counter[int] = Counter()
    for _, line, reason in _with_reasons(path):
        if found := PLACE.search(line):
            place = int(found[1])
            all[place] += 1
            kept[place] += reason == "kept"
        elif not all:
            return []
    return [(kept[place], all[place]) for place in range(max(all, default=-1) + 1)]


def _with_reasons(path: Path) -> Iterator[tuple[int, bytes, str]]:
    """Each line of a file with the byte it begins at and the reason its task was rejected, or "kept"."""
    for number, place, line in whole_lines(path):
        if found := REJECTED.search(line, max(0, len(line) - 80)):
            yield place, line, found[1].decode()
        elif b'"rejected"' in line or not line.startswith(b'{"id":"'):  # in a text, quotes have backslashes
            yield place, line, read_task(line, f"{path}:{number}").rejected or "kept"
        else:
            yield place, line, "kept"
