"""What has just arrived: in a file of its own at once, and in the journal a few hundred at a time."""

import errno
import fcntl
import json
import os
import sqlite3
from collections.abc import Sequence
from functools import cached_property
from io import FileIO
from pathlib import Path

from pydantic_core import to_json

from pipeline.runs.known import Known
from pipeline.runs.lock import until_fork

SIZE = 1 << 18  # bytes that wait
Row = tuple[str | int | float | None, ...]  # of a table, with its key first


class Arrivals:
    """Rows on their way into a table of the journal: a commit for each of them would take three times as long.

    A row is on disk when `add` returns, in a file beside the journal, whose rows are committed together once there are
    enough. What a killed process leaves there, the next one that opens the journal commits. Only one process has the
    file; another one that writes at the same time commits each row.

    Args:
        table: Its first column is the key, and it has the columns `stage` and `request`.
        found: The columns that `find` gives.
        ending: That of the file, after the name of the journal.
    """

    def __init__(self, db: sqlite3.Connection, journal: Path, table: str, found: Sequence[str], ending: str) -> None:
        self.db, self.table, self.path = db, table, journal.with_name(f"{journal.name}-{ending}")
        self.found = found
        self._index = f"{table}_by_request"
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
        for row, key in self.db.execute(f"SELECT rowid, key FROM {self.table}"):
            known.add(key, row)
        return known

    def find(self, key: str) -> Row | None:
        """The columns `found` of the row with a key."""
        if waiting := self.rows.get(key):
            columns = self.db.execute(f"SELECT * FROM {self.table} LIMIT 0").description
            value = dict(zip((column for column, *_ in columns), waiting, strict=True))
            return tuple(value[column] for column in self.found)
        if (row := self.known.row(key)) is None:
            return None
        wanted = f"SELECT {', '.join(self.found)} FROM {self.table} WHERE rowid = ? AND key = ?"
        found: Row | None = self.db.execute(wanted, (row, key)).fetchone()
        return found

    def add(self, key: str, row: Row) -> None:
        if self.file is None:
            self._open()
            self.db.execute(f"DROP INDEX IF EXISTS {self._index}")
        if self.file is None:
            self._insert([row])
            return
        line = to_json(row, inf_nan_mode="constants") + b"\n"
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
                self.db.execute(f"CREATE INDEX IF NOT EXISTS {self._index} ON {self.table} (stage, request)")
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
            self.db.executemany(f"DELETE FROM {self.table} WHERE rowid = ? AND key = ?", earlier)
            self.db.executemany(f"INSERT INTO {self.table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
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
