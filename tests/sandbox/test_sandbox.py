"""How a program ends, where it runs, and what happens where it cannot."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from pipeline import SproutError
from pipeline.sandbox.cell import Cell
from pipeline.sandbox.find import find_way, why_not
from pipeline.sandbox.limits import Limits
from pipeline.sandbox.processes import tree_of
from pipeline.sandbox.run import run_program

WITHOUT = "from pipeline.sandbox.jail import refuse_calls\nrefuse_calls()\n"  # and so without any namespace


@pytest.fixture
def cell():
    try:
        return Cell(find_way())
    except SproutError as error:
        pytest.skip(str(error))


def ran(code, cell, **limits):
    return run_program({"answer.py": code}, Limits(**{"seconds": 60} | limits), cell)


def test_what_it_prints_is_kept(cell):
    outcome = ran("import sys\nprint('one')\nprint('zwei \N{SNOWMAN}', file=sys.stderr)", cell)

    assert outcome.passed
    assert sorted(outcome.output.split("\n")) == ["", "one", "zwei \N{SNOWMAN}"]


def test_a_traceback_shows_lines_of_the_program_alone(cell):
    parts = {"answer.py": "def half(x):\n    return x / 0\n", "tests.py": "assert half(4) == 2\n"}
    outcome = run_program(parts, Limits(), cell)

    assert outcome.message == "ZeroDivisionError: division by zero"
    assert [line for line in outcome.trace.splitlines() if "File" in line] == [
        '  File "tests.py", line 1, in <module>',
        '  File "answer.py", line 2, in half',
    ]
    assert "return x / 0" in outcome.trace


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = (1", "SyntaxError"),
        ("assert 1 == 2, 'no'", "AssertionError: no"),
        ("import numpy", "ModuleNotFoundError"),
        ("x = '\ud800'", "UnicodeEncodeError|SyntaxError"),
        ("x = '\0'", "ValueError|SyntaxError"),
        ("raise BaseException", "BaseException"),
        ("raise ExceptionGroup('both', [ValueError(1), KeyError(2)])", "."),
        ("import sys\nsys.exit('enough')", "SystemExit: enough"),
        ("import os\nos.kill(os.getpid(), 15)", "it was killed by SIGTERM"),
        ("import os\nos.abort()", "it was killed by SIGABRT"),
        ("class Broken(Exception):\n    __str__ = None\nraise Broken", "Broken"),
    ],
)  # fmt: skip
def test_a_program_that_fails_says_how(code, message, cell):
    import re

    outcome = ran(code, cell)

    assert not outcome.passed
    assert re.search(message, outcome.message), outcome


@pytest.mark.parametrize(
    "code",
    [
        "import json, re, math, sqlite3, decimal, datetime, collections, heapq, hashlib, unicodedata",
        "import tempfile\nwith tempfile.TemporaryDirectory() as folder:\n    open(folder + '/a', 'w').write('x')",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nassert P(1).x == 1",
        "import pickle\nclass P:\n    pass\nassert isinstance(pickle.loads(pickle.dumps(P())), P)",
        "from concurrent.futures import ThreadPoolExecutor\nassert list(ThreadPoolExecutor(2).map(abs, [-1])) == [1]",
        "import multiprocessing as m\nwith m.get_context('fork').Pool(2) as pool:\n    assert pool.map(abs, [-1]) == [1]",
        "import sys\nsys.setrecursionlimit(5000)\ndef f(n):\n    return n and f(n - 1)\nassert f(4000) == 0",
        "if __name__ == '__main__':\n    raise SystemExit('this is for a command line')",
        "import random\nassert {'a', 'b'} and random.random() < 1",
        "",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()",
    ],
)  # fmt: skip
def test_what_honest_programs_do_works(code, cell):
    assert ran(code, cell).passed, ran(code, cell)


def test_sets_have_the_same_order_in_each_run(cell):
    printed = {ran("print({'one', 'two', 'three', 'four'})", cell).output for _ in range(3)}

    assert len(printed) == 1


def test_packages_can_be_imported_if_the_settings_say_so(cell):
    assert ran("import numpy\nassert numpy.arange(3).sum() == 3", Cell(cell.way, packages=True), seconds=60).passed


def test_a_killed_run_takes_its_programs_along(cell, tmp_path):
    code = (
        "from pipeline.sandbox.cell import Cell\nfrom pipeline.sandbox.limits import Limits\n"
        "from pipeline.sandbox.run import run_program\n"
        f"run_program({{'a.py': 'import time; time.sleep(60)'}}, Limits(seconds=60), Cell({cell.way!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 30
    while len(started := tree_of(process.pid)) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    process.kill()
    process.wait()
    while any(map(alive, started)) and time.monotonic() < until:
        time.sleep(0.05)

    assert len(started) >= 3
    assert not any(map(alive, started))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(
    not shutil.which("bwrap") or os.geteuid() == 0, reason="needs bubblewrap, and another user than root"
)
def test_bubblewrap_keeps_a_program_in_as_well():
    assert not why_not("bwrap")


def test_a_machine_that_allows_no_namespaces_is_refused_in_one_sentence():
    code = f"{WITHOUT}from pipeline.sandbox.find import find_way\nfind_way()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "SproutError: this machine has no sandbox for code (unshare: " in done.stderr
    assert "Operation not permitted" in done.stderr


def test_without_a_sandbox_limits_hold_and_nothing_stays_behind(tmp_path):
    started = "import os, time\nopen('here', 'w').close()\nif not os.fork():\n    os.setsid()\n    time.sleep(60)\n"
    before = {*tree_of(os.getpid())}  # other tests may have started servers
    outcome = ran(f"{started}while True:\n    pass", Cell("none"), seconds=1)

    assert outcome.message == "it took longer than 1 s"
    assert not [pid for pid in tree_of(os.getpid()) if pid not in before and alive(pid)]
    assert ran("assert 1", Cell("none")).passed
    assert ran("x = bytearray(10**10)", Cell("none")).message == "MemoryError"
