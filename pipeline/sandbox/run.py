"""Runs a program in a cell and says how it ended."""

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.errors import SproutError
from pipeline.sandbox.cell import Cell
from pipeline.sandbox.limits import KIBI, MEBI, Limits, Outcome
from pipeline.sandbox.processes import kill_below, kill_first, memory_of
from pipeline.text import short

START = 60.0  # seconds that a cell may take to be made, on a machine that has much else to do
PATIENCE = 5.0  # seconds for a killed program to go away
LOOK = 0.05  # seconds between two looks at the memory that a program uses
MOST_SAID = 64 * KIBI  # of verdicts, which are short
FIRST_USER = 61000  # the first of many numbers that belong to no user


def run_program(parts: Mapping[str, str], limits: Limits, cell: Cell, slot: int = 0) -> Outcome:
    """Run the parts of a program in one module, one after the other.

    It passes if all parts come to their end. A part that raises, `SystemExit` too, ends it, and so does a limit. What
    it started besides is killed with it.

    Args:
        parts: Source text, by the name that tracebacks give it.
        slot: Programs that run at the same time have different ones.

    Raises:
        SproutError: if the cell cannot be made.
    """
    none = cell.way == "none"  # a cell has a folder of its own, in memory
    with TemporaryDirectory(prefix="sprout-", ignore_cleanup_errors=True) if none else nullcontext("/") as folder:
        running = _start(cell, limits, folder)
        own = {"parts": dict(parts), "limits": limits.of_system(), "disk": limits.disk * MEBI}
        own |= {"slot": FIRST_USER + slot, "report": running.sender, "secret": running.secret}
        try:
            stopped = _listen(running, json.dumps(cell.orders() | own).encode())
        finally:
            _kill(running)
        return _outcome(running, stopped)


@dataclass
class _Running:
    """A program that runs, and what it has said so far."""

    process: subprocess.Popen[bytes]
    cell: Cell
    limits: Limits
    receiver: int  # the end of a pipe that verdicts come from
    sender: int  # its other end, as the jail knows it
    secret: str = field(default_factory=lambda: token_hex(16))
    printed: bytearray = field(default_factory=bytearray)
    reported: bytearray = field(default_factory=bytearray)

    def reports(self) -> dict[str, Any]:
        """What the jail reports; the program could say as much, if it knew the secret."""
        start, found = f"{self.secret} ".encode(), dict[str, Any]()
        for line in bytes(self.reported).split(b"\n")[:-1]:
            if line.startswith(start):
                found |= json.loads(line.removeprefix(start))
        return found


def _start(cell: Cell, limits: Limits, folder: str) -> _Running:
    # Sets of strings have the same order in each run; numeric libraries start no thread for each core.
    environment = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8", "PATH": os.defpath}
    home = folder if cell.way == "none" else "/tmp"
    receiver, sender = os.pipe()
    try:
        process = subprocess.Popen(
            cell.command(limits.disk * MEBI), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            pass_fds=[sender], cwd=folder, env=environment | {"HOME": home, "TMPDIR": home}, start_new_session=True,
        )  # fmt: skip
    except BaseException:
        os.close(receiver)
        raise
    finally:
        os.close(sender)
    return _Running(process, cell, limits, receiver, sender)


def _listen(running: _Running, orders: bytes) -> str:
    """Give it its orders and take what it says until it ends; why it is stopped before that, if it is."""
    process, limits = running.process, running.limits
    assert process.stdin
    assert process.stdout
    with suppress(BrokenPipeError), process.stdin:
        process.stdin.write(orders)
    ready, until, look = False, time.monotonic() + START, time.monotonic() + LOOK
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, running.printed)
        selector.register(running.receiver, selectors.EVENT_READ, running.reported)
        while selector.get_map():
            for key, _ in selector.select(LOOK):
                if not (data := os.read(key.fd, 1 << 16)):
                    selector.unregister(key.fd)
                key.data.extend(data)
            if len(running.printed) > limits.output * KIBI or len(running.reported) > MOST_SAID:
                return f"it printed more than {limits.output} KiB"
            if not ready and b"ready" in running.reported:  # the time is the program's alone
                ready, until = True, time.monotonic() + limits.seconds
            if b"status" in running.reported and "status" in running.reports():
                break
            if time.monotonic() > until:
                return f"it took longer than {limits.seconds:g} s" if ready else ""
            if time.monotonic() > look:
                look = time.monotonic() + LOOK
                if memory_of(process.pid) > limits.memory * MEBI:
                    return f"its processes took more than {limits.memory:,} MiB of memory together"
    return ""


def _kill(running: _Running) -> None:
    """End it and all that it started: in a namespace of processes, all die with the first of them."""
    process = running.process
    if running.cell.way == "none":
        kill_below(process.pid)
    elif kill_first(process.pid):
        with suppress(subprocess.TimeoutExpired):  # its parent buries it; who does that afterwards depends on a machine
            process.wait(PATIENCE)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    assert process.stdout
    with process.stdout:
        process.kill()
        process.wait()
        os.set_blocking(process.stdout.fileno(), False)
        if rest := process.stdout.read(running.limits.output * KIBI + 1):
            running.printed += rest
    os.close(running.receiver)


def _outcome(running: _Running, stopped: str) -> Outcome:
    reports, limits = running.reports(), running.limits
    output = bytes(running.printed[: limits.output * KIBI]).decode("utf-8", "replace")
    if "ready" not in reports:
        raise SproutError(f"the sandbox cannot be made here: {_last_line(output) or f'it takes more than {START:g} s'}")
    if stopped:
        return Outcome(False, stopped, output=output)
    if reports.get("passed"):
        return Outcome(True, output=output)
    if trace := str(reports.get("trace", "")):
        return Outcome(False, _last_line(trace), trace, output)
    if "kind" in reports:
        return Outcome(False, str(reports["kind"]), output=output)
    if (status := reports.get("status")) is None:
        return Outcome(False, "it ended the process that watches it", output=output)
    if status < 0:
        return Outcome(False, f"it was killed by {_signal(-status)}", output=output)
    return Outcome(False, f"it ended before its last line, with status {status}", output=output)


def _last_line(text: str) -> str:
    return short(text.strip().rpartition("\n")[2])


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
