"""Completions that have just arrived: in a file of their own at once, and in the journal a few hundred at a time."""

import errno
import fcntl
import json
import os
import sqlite3
from functools import cached_property
from io import FileIO
from pathlib import Path

from pydantic_core import to_json

from pipeline.runs.known import Known
from pipeline.runs.lock import until_fork

SIZE = 1 << 18  # bytes that wait
FIND = (
    "SELECT text, finish_reason, prompt_tokens, cached_tokens, completion_tokens, max_tokens FROM completions "
    "WHERE rowid = ? AND key = ?"
)
INDEX = "requests"  # the index of the ids of requests, which is made when one is looked for
INSERT = "INSERT INTO completions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

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
        self.size = 0  # of the file
        self.file: FileIO | None = None

    def recover(self) -> None:
        """Commit what a killed process has left behind."""
        if os.access(self.path, os.W_OK):
            self._open()
            self.close()

    @cached_property
    def known(self) -> Known:
        """All keys in the table."""
        known = Known()
        for row, key in self.db.execute("SELECT rowid, key FROM completions"):
            known.add(key, row)
        return known

    def find(self, key: str) -> Row | None:
        """What the columns of `FIND` say of a key."""
        if waiting := self.rows.get(key):
            return (*waiting[9:14], waiting[8])
        row = self.known.row(key)
        found: Row | None = None if row is None else self.db.execute(FIND, (row, key)).fetchone()
        return found

    def add(self, key: str, row: Row) -> None:
        if self.file is None:
            self._open()
            self.db.execute(f"DROP INDEX IF EXISTS {INDEX}")
        if self.file is None:
            self._insert([row])
            return
        line = to_json(row) + b"\n"
        if self.file.write(line) < len(line):
            self.file.truncate(self.size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.rows[key] = row
        self.size += len(line)
        if self.size > SIZE:
            self.commit()

    def index(self) -> None:
        """See to it that a search for the id of a request need not read the whole table.

        A run does without the index: ids are random, so to keep it would cost more than all else it writes here. Nor is
        it made while another process is at work, which would have to wait for it.
        """
        try:
            if self.file is None:
                self._open()
            if self.file is not None:
                self.db.execute(f"CREATE INDEX IF NOT EXISTS {INDEX} ON completions (stage, request)")
        except (sqlite3.OperationalError, OSError):  # it may not be written, or the disk is full: the search is slow
            pass

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
                self._insert(list({str(row[0]): row for row in rows}.values()))
            file.truncate(0)
        except BaseException as error:
            file.close()
            if not isinstance(error, BlockingIOError):
                raise
        else:
            self.file = file

    def _insert(self, rows: list[Row]) -> None:
        """Put rows into the table, in place of earlier ones with the same keys."""
        keys = [str(row[0]) for row in rows]
        earlier = [(row, key) for key in keys if (row := self.known.row(key)) is not None]
        self.db.execute("BEGIN")
        with self.db:
            self.db.executemany("DELETE FROM completions WHERE rowid = ? AND key = ?", earlier)
            self.db.executemany(INSERT, rows)
            ((last,),) = self.db.execute("SELECT last_insert_rowid()")
        for row, key in enumerate(keys, last - len(keys) + 1):
            self.known.add(key, row)


def _rows(data: bytes) -> list[Row]:
    """The rows in a file, up to one that a kill has cut off."""
    rows = []
    for line in data.split(b"\n"):
        try:
            rows.append(tuple(json.loads(line)))
        except ValueError:
            break
    return rows
