"""Which cell this machine allows, found by a trial."""

import os
import shutil
import sys
from functools import cache

from pipeline.errors import SproutError
from pipeline.sandbox.cell import Cell, Way
from pipeline.sandbox.limits import Limits
from pipeline.sandbox.run import run_program

WAYS: tuple[Way, ...] = ("unshare", "bwrap")
TRIAL = """
import os, socket, threading

assert not os.path.exists("/etc/passwd"), "the files of this machine can be seen"
assert not any(os.access(path, os.W_OK) for path in ("/", "/usr", "/usr/lib")), "they can be written to"
try:
    socket.socket(type=socket.SOCK_DGRAM).connect(("192.0.2.1", 9))  # sends nothing, and needs a way there
except OSError:
    pass
else:
    raise AssertionError("a network can be reached")
stop = threading.Event()
try:
    for _ in range(9):
        threading.Thread(target=stop.wait, daemon=True).start()
except RuntimeError:
    stop.set()
assert stop.is_set(), "there is no limit on processes"
"""


@cache
def find_way() -> Way:
    """The first way to keep a program in that works on this machine.

    Raises:
        SproutError: if none does.
    """
    problems = {}
    for way in WAYS:
        problems[way] = why_not(way)
        if not problems[way]:
            return way
    listed = "; ".join(f"{way}: {problem}" for way, problem in problems.items())
    raise SproutError(
        f"this machine has no sandbox for code ({listed}); run it where user namespaces are allowed, which most "
        f"containers lack unless they are privileged, and Ubuntu unless "
        f"kernel.apparmor_restrict_unprivileged_userns is 0"
    )


def why_not(way: Way) -> str:
    """What is in the way of a cell; empty if it can be made and holds."""
    if sys.platform != "linux":
        return "it takes Linux"
    if way == "bwrap" and os.geteuid() == 0:
        return "it sets root no limit on processes"
    if way == "bwrap" and not shutil.which("bwrap"):
        return "bubblewrap is not installed"
    try:
        outcome = run_program({"trial.py": TRIAL}, Limits(seconds=60, processes=4), Cell(way))
    except SproutError as error:
        return str(error)
    return "" if outcome.passed else outcome.message
