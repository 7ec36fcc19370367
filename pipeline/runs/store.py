"""An append-only file of tasks, which is also the checkpoint: every task in it is done."""

import codecs
import json
import os
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, overload

from pipeline.errors import SproutError
from pipeline.task import GZIP, Task, placed_tasks, read_task, read_tasks
from pipeline.text import mended

ID = re.compile(rb'\{"id":"([!#-\[\]-~]*)",')  # how Sprout begins a line, unless the id contains an escape


class Stored(Sequence[Task]):
    """A lazy view of tasks in a file: memory holds one 8-byte offset per task."""

    def __init__(self, path: Path, places: Iterable[int] = ()) -> None:
        self.path = path
        self.places = array("Q", places)  # the offset of each line

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, which: int) -> Task: ...
    @overload
    def __getitem__(self, which: slice) -> "Stored": ...
    def __getitem__(self, which: int | slice) -> "Task | Stored":
        if isinstance(which, slice):
            return Stored(self.path, self.places[which])
        return next(iter(Stored(self.path, [self.places[which]])))

    def __iter__(self) -> Iterator[Task]:
        return map(self._task, self._lines())

    def ids(self) -> Iterator[str]:
        """The ids alone: ten times as fast as reading the tasks."""
        for line in self._lines():
            found = ID.match(line)
            yield found[1].decode() if found else self._task(line).id

    def at(self, places: Iterable[int]) -> Iterator[Task]:
        """The tasks at some places, in any order; the file is opened once, where `tasks[place]` opens it each time."""
        return map(self._task, self._lines_at(self.places[place] for place in places))

    def without(self, ids: set[str]) -> "Stored":
        return Stored(self.path, (place for place, id in zip(self.places, self.ids(), strict=True) if id not in ids))

    def _lines(self) -> Iterator[bytes]:
        return self._lines_at(self.places) if self.places else iter(())

    def _lines_at(self, offsets: Iterable[int]) -> Iterator[bytes]:
        try:
            with open(self.path, "rb") as file:
                place = 0
                for offset in offsets:
                    if offset != place:
                        file.seek(offset)
                    line = file.readline()
                    place = offset + len(line)
                    yield line
        except OSError as error:
            raise SproutError(f"{self.path}: cannot be read ({error.strerror}); run again once it can") from None

    def _task(self, line: bytes) -> Task:
        return read_task(line, f"{self.path}: changed while the run was at work")


class Store:
    """Tasks in one JSONL file, one line per decided task, in the order they were decided."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ids: set[str] = set()
        self.decided = Stored(path)
        self.kept = Stored(path)
        self.reasons: Counter[str] = Counter()  # to reject

    def load(self) -> Stored:
        """All tasks now in the file; empty if there is no file yet.

        Raises:
            SproutError: naming `path:line`, for a line that is not a task.
        """
        self.ids, self.decided, self.kept, self.reasons = set(), Stored(self.path), Stored(self.path), Counter()
        if self.path.exists():
            with open(self.path, "rb+") as file:
                mend_last_line(file)
            for _, place, task in placed_tasks(self.path, self.ids):
                self._count(task, place)
        return self.decided[:]

    def extend(self, tasks: Iterable[Task]) -> Iterator[Task]:
        """Write each task on arrival and yield it, so that a crash loses at most the task being written.

        The file is created with the first decided task.
        """
        file: BinaryIO | None = None
        end = 0
        try:
            for task in tasks:
                line = to_line(task).encode()
                try:
                    if file is None:
                        self.path.parent.mkdir(parents=True, exist_ok=True)
                        file = open(self.path, "ab")  # noqa: SIM115  # closed below
                        end = file.seek(0, os.SEEK_END)
                    file.write(line)
                    file.flush()
                except OSError as error:
                    raise self._unwritten(error) from None
                self.ids.add(task.id)
                self._count(task, end)
                end += len(line)
                yield task
        finally:
            try:
                if file:
                    file.close()
            except OSError as error:
                raise self._unwritten(error) from None

    def _unwritten(self, error: OSError) -> SproutError:
        return SproutError(f"{self.path}: cannot be written ({error.strerror}); what it holds is kept")

    def _count(self, task: Task, place: int) -> None:
        self.decided.places.append(place)
        if task.rejected is None:
            self.kept.places.append(place)
        else:
            self.reasons[task.rejected] += 1


def mend_last_line(file: BinaryIO) -> None:
    """Cut off the half line that a process killed in mid-write leaves; what it was about is simply not done.

    A whole line that lacks its line end alone, as some editors leave it, gets that again.
    """
    end = size = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 65536)
        file.seek(start)
        newline = file.read(end - start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        file.seek(end)
        if is_whole(file.read()):
            file.write(b"\n")
        else:
            file.truncate(end)


def whole_lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Each line of a stage's file that is a task, with its number and the byte it begins at.

    As a run reads the file: blank lines and a byte order mark at the beginning are passed over, and a last line without
    its line end counts if it is whole. Half a line, as one that is being written, is not a task yet.
    """
    end = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = line if end else line.removeprefix(codecs.BOM_UTF8)
            end += len(line)
            if not text.isspace() and (text.endswith(b"\n") or is_whole(text)):
                yield number, end - len(text), text


def is_whole(line: bytes) -> bool:
    """Whether a line without its end is an object all the same; the beginning of one never is."""
    try:
        return line.endswith(b"}") and isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def at(tasks: Sequence[Task], places: Iterable[int]) -> Iterator[Task]:
    """The tasks at some places; those of a file as `Stored.at`."""
    found: Iterator[Task] = tasks.at(places) if hasattr(tasks, "at") else (tasks[place] for place in places)
    return found


def without(tasks: Sequence[Task], ids: set[str]) -> Sequence[Task]:
    if not ids:
        return tasks
    return tasks.without(ids) if isinstance(tasks, Stored) else [task for task in tasks if task.id not in ids]


def ids_of(tasks: Sequence[Task]) -> Iterator[str]:
    return tasks.ids() if isinstance(tasks, Stored) else (task.id for task in tasks)


def read_kept(path: Path) -> Sequence[Task]:
    """The kept tasks of any JSONL file, as a lazy view; those of a compressed file are held in memory.

    Raises:
        SproutError: as `read_tasks`.
    """
    places = array("Q", (place for _, place, task in placed_tasks(path) if task.kept))
    with open(path, "rb") as file:
        zipped = file.read(len(GZIP)) == GZIP
    return [task for task in read_tasks(path) if task.kept] if zipped else Stored(path, places)


def to_line(task: Task) -> str:
    """One line of JSON; an unpaired surrogate, which UTF-8 cannot encode, becomes U+FFFD."""
    try:
        line = task.model_dump_json(exclude_defaults=True)
    except ValueError:
        line = Task.model_validate(mended(task.model_dump())).model_dump_json(exclude_defaults=True)
    return line + "\n"
