"""One writer for a folder at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import SproutError


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder; it ends with the process, so one that was killed leaves none behind.

    Raises:
        SproutError: naming the process that holds it, or if the folder can't be written.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise SproutError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not held by workers it forks
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise SproutError(f"{folder}: process {holder} is at work in it; let it finish, or stop it first") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
