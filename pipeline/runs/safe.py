"""One sentence for what a disk and SQLite object to."""

import sqlite3
from pathlib import Path
from types import TracebackType

from pipeline.errors import SproutError

_NETWORK = "if that is a network file system without locks or shared memory, choose a folder on another disk"
OF_THE_DISK = {  # what SQLite says, and what may be behind it
    "disk I/O error": f"see that its disk is not full, over a quota or gone; {_NETWORK}",
    "locking protocol": f"see where it is; {_NETWORK}",
    "is locked": f"see that no other process is at work on it; {_NETWORK}",
}


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
        elif found := next((advice for words, advice in OF_THE_DISK.items() if words in str(error)), ""):
            advice = found
        raise SproutError(f"{self.path}: {error}; {advice}") from None
