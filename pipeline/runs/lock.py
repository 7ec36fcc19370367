"""One writer for a folder at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO
from weakref import WeakSet

from pipeline.errors import SproutError

_held: WeakSet[IO[Any]] = WeakSet()


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder against other processes, other threads and a second writer in this thread.

    The lock ends with the process, so a killed process leaves none behind.

    Raises:
        SproutError: naming the process that holds the lock, or if the folder cannot be written or locked.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise SproutError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None
    with file:
        _lock(file, folder)
        until_fork(file)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def until_fork(file: IO[Any]) -> None:
    """Close a forked worker's copy of a locked file; it would hold the lock after this process has ended."""
    _held.add(file)


def _lock(file: TextIO, folder: Path) -> None:
    try:
        # Unlike lockf, flock refuses a second open file of this process, and closing that file does not release it.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        if holder == str(os.getpid()):
            raise SproutError(f"{folder}: this process is already at work in it; let it finish first") from None
        raise SproutError(f"{folder}: process {holder} is at work in it; wait until it ends, or stop it") from None
    except OSError as error:
        raise SproutError(f"{folder}: cannot be locked ({error.strerror}); choose a folder on another disk") from None


def _let_go() -> None:
    for file in [*_held]:
        file.close()


os.register_at_fork(after_in_child=_let_go)
