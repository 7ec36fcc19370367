"""Completions that have just arrived: in a file of their own at once, and in the journal a few hundred at a time."""

import errno
import fcntl
import json
import os
import sqlite3
from io import FileIO
from pathlib import Path

from pydantic_core import to_json

from pipeline.runs.known import Known
from pipeline.runs.lock import until_fork

SIZE = 1 << 18  # bytes that wait
FIND = (
    "SELECT text, finish_reason, prompt_tokens, cached_tokens, completion_tokens, max_tokens FROM completions "
    "WHERE key = ?"
)
INSERT = "INSERT OR REPLACE INTO completions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

Row = tuple[str | int | float | None, ...]  # of the table `completions`, with its key first


class Arrivals:
    """Rows on their way into the table `completions`: a commit for each of them would take three times as long.

    A row is on disk when `add` returns, in a file beside the journal, whose rows are committed together once there are
    enough. What a killed process leaves there, the next one that opens the journal commits. Only one process has the
    file; another one that writes at the same time commits each row.
    """

    def __init__(self, db: sqlite3.Connection, journal: Path) -> None:
        self.db, self.path = db, journal.with_name(f"{journal.name}-arrived")
        self.rows: dict[str, Row] = {}  # those that wait, by key
        self.known: Known | None = None  # all keys, once one is looked for
        self.size = 0  # of the file
        self.file: FileIO | None = None

    def recover(self) -> None:
        """Commit what a killed process has left behind."""
        if os.access(self.path, os.W_OK):
            self._open()
            self.close()

    def find(self, key: str) -> Row | None:
        """What the columns of `FIND` say of a key."""
        if self.known is None:
            self.commit()
            self.known = Known(key for (key,) in self.db.execute("SELECT key FROM completions"))
        if not self.known.may_hold(key):
            return None
        if row := self.rows.get(key):
            return (*row[9:14], row[8])
        found: Row | None = self.db.execute(FIND, (key,)).fetchone()
        return found

    def add(self, key: str, row: Row) -> None:
        if self.known is not None:
            self.known.add(key)
        if self.file is None:
            self._open()
        if self.file is None:
            self.db.execute(INSERT, row)
            return
        line = to_json(row) + b"\n"
        if self.file.write(line) < len(line):
            self.file.truncate(self.size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.rows[key] = row
        self.size += len(line)
        if self.size > SIZE:
            self.commit()

    def commit(self) -> None:
        """Put all that waits into the table."""
        if self.file and self.size:
            self._insert(list(self.rows.values()))
            self.file.truncate(0)
            self.rows.clear()
            self.size = 0

    def close(self) -> None:
        """Commit what waits and remove the file; it stays if that fails."""
        if self.file:
            with self.file:
                self.commit()
                self.path.unlink(missing_ok=True)
            self.file = None

    def _open(self) -> None:
        """Take the file, and commit what is in it; another process may have it."""
        file = FileIO(self.path, "a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(file.fileno()).st_nlink:  # whoever had it has just removed it
                raise BlockingIOError
            until_fork(file)
            file.seek(0)
            if rows := _rows(file.readall()):
                self._insert(rows)
            file.truncate(0)
        except BaseException as error:
            file.close()
            if not isinstance(error, BlockingIOError):
                raise
        else:
            self.file = file

    def _insert(self, rows: list[Row]) -> None:
        self.db.execute("BEGIN")
        with self.db:
            self.db.executemany(INSERT, rows)


def _rows(data: bytes) -> list[Row]:
    """The rows in a file, up to one that a kill has cut off."""
    rows = []
    for line in data.split(b"\n"):
        try:
            rows.append(tuple(json.loads(line)))
        except ValueError:
            break
    return rows
