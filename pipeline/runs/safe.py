"""One sentence for what a disk and SQLite object to."""

import sqlite3
from pathlib import Path
from types import TracebackType

from pipeline.errors import SproutError


class Safe:
    """Turns what they raise within it into a SproutError about the journal at `path`, with advice."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None: ...

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if not isinstance(error, (sqlite3.Error, OSError)):
            return
        advice = "the run can go on once it can be written"
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            advice = "it is damaged: move it away, the stage files keep what was decided and only the rest is asked"
        raise SproutError(f"{self.path}: {error}; {advice}") from None
