"""An append-only file of tasks. The file is the checkpoint: what is in it is done."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import SproutError
from pipeline.task import Task, read_tasks


class Store:
    """Tasks in one JSONL file, one line per decided task, in the order they were decided."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> list[Task]:
        """All tasks in the file; none if there is no file yet.

        Raises:
            SproutError: naming `path:line`, for a line that is not a task.
        """
        if not self.path.exists():
            return []
        self._drop_torn_line()
        return list(read_tasks(self.path))

    def extend(self, tasks: Iterable[Task]) -> Iterator[Task]:
        """Write each task as it arrives and pass it on, so that a crash loses at most the one being written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", encoding="utf-8", newline="\n") as file:
                for task in tasks:
                    file.write(to_line(task))
                    file.flush()
                    yield task
        except OSError as error:
            raise SproutError(f"{self.path}: cannot be written ({error.strerror}); what it holds is kept") from None

    def _drop_torn_line(self) -> None:
        # A process killed in mid-write leaves half a line; that task is simply not done.
        with open(self.path, "rb+") as file:
            end = size = file.seek(0, os.SEEK_END)
            while end:
                start = max(0, end - 65536)
                file.seek(start)
                newline = file.read(end - start).rfind(b"\n")
                if newline >= 0:
                    if start + newline + 1 < size:
                        file.truncate(start + newline + 1)
                    return
                end = start
            file.truncate(0)


def to_line(task: Task) -> str:
    """One line of JSON; half of a surrogate pair, which no UTF-8 file can hold, becomes U+FFFD."""
    return clean(task).model_dump_json(exclude_defaults=True) + "\n"


def clean(task: Task) -> Task:
    try:
        task.model_dump_json()
    except ValueError:
        return Task.model_validate(mended(task.model_dump()))
    return task


def mended(value: Any) -> Any:
    """The same with every text in it mended."""
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, dict):
        return {mend(key): mended(item) for key, item in value.items()}
    return [mended(item) for item in value] if isinstance(value, (list, tuple)) else value


def mend(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
