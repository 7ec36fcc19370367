"""A process and all that it started: how much memory they use, and an end to them."""

import os
import signal
from contextlib import suppress
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
ROUNDS = 1000  # a program may start processes as fast as they are killed, but not for long


def memory_of(root: int) -> int:
    """Bytes of memory that a process and all below it hold; 0 where the system does not tell."""
    total = 0
    for pid in tree_of(root):
        with suppress(OSError, ValueError, IndexError):
            total += PAGE * int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    return total


def tree_of(root: int) -> list[int]:
    """The ids of a process and of all below it, parents first."""
    found = [root]
    for pid in found:
        with suppress(OSError, ValueError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (thread / "children").read_bytes().split())
    return found


def kill_first(root: int) -> bool:
    """End the first process below one, which the latter sees; whether there was any."""
    below = tree_of(root)[1:2]
    for pid in below:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return bool(below)


def kill_below(root: int) -> None:
    """End all below a process that takes orphans in."""
    for _ in range(ROUNDS):
        below = [pid for pid in tree_of(root)[1:] if not _is_dead(pid)]
        if not below:
            return
        for pid in below:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _is_dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] in b"ZX"
    except OSError:
        return True
