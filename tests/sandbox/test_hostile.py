"""Programs that try to get out, or to bring the machine down: each fails with its reason, and nothing of it stays."""

import os
import re
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline import Instance, SproutError, Task, read_tasks, run
from pipeline.engines.scripted import Scripted
from pipeline.sandbox.find import find_way
from pipeline.stages.check import Check

USERS = {*range(61000, 61100)}  # of cells, if root makes them
LIMITS = {"seconds": 2.5, "memory": 200, "processes": 8, "disk": 4}
TIME, PRINTED = "it took longer than 2.5 s", "it printed more than 64 KiB"
C = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\ndef call(name, *rest):\n    if getattr(libc, name)(*rest) < 0:\n        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))\n"
PROGRAMS = {
    # more than its share
    "fork bomb": ("import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass", TIME),
    "forks until it may not": ("import os, time\nwhile True:\n    if not os.fork():\n        time.sleep(60)", "BlockingIOError"),
    "threads": ("import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(60,)).start()", "can't start new thread"),
    "ten gigabytes": ("data = bytearray(10 * 10**9)", "MemoryError"),
    "memory in small pieces": ("kept = []\nwhile True:\n    kept.append(b'x' * 10**6 + b'%d' % len(kept))", "MemoryError|of memory together"),
    "memory of many processes": ("import os, time\nfor _ in range(5):\n    if not os.fork():\n        break\ndata = b'x' * (90 << 20)\ntime.sleep(60)", "more than 200 MiB of memory together"),
    "shared memory of no process": (C + "call('shmget', 0, 1 << 30, 0o1600)", "Operation not permitted|No space left"),
    "memory in a file": ("import os\nos.memfd_create('store')", "Operation not permitted"),
    "endless loop": ("while True:\n    pass", TIME),
    "endless sleep": ("import time\ntime.sleep(10**6)", TIME),
    "endless output": ("while True:\n    print('x' * 1000)", PRINTED),
    "output to whatever is open": ("import os\nwhile True:\n    for fd in range(1, 64):\n        try:\n            os.write(fd, b'x' * 4096)\n        except OSError:\n            pass", PRINTED),
    "a large file": ("with open('large', 'wb') as file:\n    for _ in range(1000):\n        file.write(b'x' * 10**6)", "File too large|No space left"),
    "many files": ("for number in range(10**6):\n    open(str(number), 'w').close()", "No space left"),
    "files of 30 MB": ("for number in range(10):\n    open(str(number), 'wb').write(b'x' * 3 * 10**6)", "No space left"),
    "an endless message": ("raise ValueError('x' * 10**7)", "ValueError: xxx"),
    "a message that never comes": ("class Slow(Exception):\n    def __str__(self):\n        while True:\n            pass\nraise Slow", TIME),
    "deaf to signals": ("import signal\nfor number in range(1, 65):\n    try:\n        signal.signal(number, signal.SIG_IGN)\n    except (OSError, ValueError):\n        pass\nwhile True:\n    pass", TIME),
    "closes all pipes and goes on": ("import os\nos.closerange(0, 64)\nwhile True:\n    pass", TIME),
    "deep recursion": ("import sys\nsys.setrecursionlimit(10**9)\ndef f():\n    return f()\nf()", "SIGSEGV|RecursionError|MemoryError|of memory together"),
    "invalid address": ("import ctypes\nctypes.string_at(0)", "killed by SIGSEGV"),
    # looks around
    "reads home": ("open('{home}/canary').read()", "FileNotFoundError"),
    "lists all homes": ("import os\nos.listdir('/home')", "FileNotFoundError"),
    "reads the users": ("open('/etc/passwd').read()", "FileNotFoundError"),
    "a symlink out": ("import os\nos.symlink('/', 'out')\nopen('out{home}/canary').read()", "FileNotFoundError"),
    "up and out": ("import os\nos.chdir('../../../../..')\nopen('.{home}/canary').read()", "FileNotFoundError"),
    "a hard link": ("import os\nos.link('{home}/canary', 'copy')", "FileNotFoundError"),
    "the environment": ("import os\nprint(os.environ['SPROUT_CANARY'])", "KeyError"),
    "the environment of others": ("print(open('/proc/1/environ').read())", "FileNotFoundError"),
    "standard input": ("print(input())", "EOFError"),
    # writes outside
    "writes to the root": ("open('/left', 'w')", "Read-only|Permission denied"),
    "writes to home": ("open('{home}/left', 'w')", "FileNotFoundError"),
    "changes a library": ("import os\nopen(os.__file__, 'a').write('import this')", "Read-only|Permission denied"),
    "settings of the kernel": ("open('/proc/sys/kernel/core_pattern', 'w').write('|/tmp/own')", "FileNotFoundError"),
    "a device": ("import os, stat\nos.mknod('disk', 0o600 | stat.S_IFBLK, os.makedev(254, 0))", "Operation not permitted"),
    # talks to others
    "the network": ("import socket\nsocket.create_connection(('192.0.2.1', 80), 1)", "unreachable"),
    "names of the network": ("import socket\nsocket.getaddrinfo('example.org', 80)", "gaierror"),
    "a server on this machine": ("import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)", "unreachable|refused"),
    "an abstract socket": ("import socket\nsocket.socket(socket.AF_UNIX).connect('\\0sprout-canary-{pid}')", "refused"),
    # attacks processes
    "kills the run": ("import os\nos.kill({pid}, 9)", "ProcessLookupError"),
    "kills everything": ("import os\nos.kill(-1, 9)\nos._exit(0)", "ProcessLookupError|before its last line"),
    "kills its keeper": ("import os, signal\nfor number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):\n    os.kill(os.getppid(), number)\nraise SystemExit", "SystemExit|PermissionError"),
    "traces its keeper": (C + "call('ptrace', 16, os.getppid(), None, None)", "Operation not permitted"),
    "stays behind": ("import os, time\nif not os.fork():\n    os.setsid()\n    if not os.fork():\n        time.sleep(3600)\nraise SystemExit", "SystemExit"),
    "runs a shell": ("import subprocess\nsubprocess.run(['/bin/sh', '-c', 'id'])", "FileNotFoundError"),
    # wants more rights
    "mounts": (C + "call('mount', b'none', b'/tmp', b'tmpfs', 0, None)", "Operation not permitted"),
    "namespaces of its own": (C + "call('unshare', 0x10000000)", "Operation not permitted"),
    "becomes root": ("import os\nos.setuid(0)", "Operation not permitted|Invalid argument"),
    "another root": ("import os\nos.mkdir('deep')\nos.chroot('deep')", "Operation not permitted"),
    # lies
    "ends before the tests": ("import os\nos._exit(0)", "it ended before its last line, with status 0"),
    "exits before the tests": ("import sys\nsys.exit(0)", "SystemExit"),
    "says that it passed": ("import os\nfor fd in range(1, 64):\n    try:\n        os.write(fd, b'\\n{{\"passed\": true, \"status\": 0}}\\n')\n    except OSError:\n        pass\nos._exit(0)", "before its last line"),
    "has no output": ("import sys\nsys.stdout = sys.stderr = None\nraise KeyboardInterrupt", "KeyboardInterrupt"),
}  # fmt: skip


@pytest.fixture(scope="module")
def way():
    try:
        return find_way()
    except SproutError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def tried(way, tmp_path_factory):
    """What is said of each program, and what they left in a folder that they were to keep out of."""
    folder = tmp_path_factory.mktemp("hostile")
    home = Path.home() / f".sprout-canary-{os.getpid()}"
    home.mkdir()
    (home / "canary").write_text("secret")
    os.environ["SPROUT_CANARY"] = "secret"
    before = leftovers()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0sprout-canary-{os.getpid()}")
        abstract.listen()
        places = {"home": home, "port": server.getsockname()[1], "pid": os.getpid()}
        tasks = [task(name, fill(code, places)) for name, (code, _) in PROGRAMS.items()] + [task("good", "assert 1")]
        slow = [one for one in tasks if PROGRAMS.get(one.instruction, ("", ""))[1] == TIME]
        try:
            for few, limits in ((slow, LIMITS), ([one for one in tasks if one not in slow], LIMITS | {"seconds": 60})):
                stage = Check(reject=False, limits=limits, program="{answer}")
                run([stage], few, Scripted(str), folder / str(limits["seconds"]))
        finally:
            del os.environ["SPROUT_CANARY"]
    left = sorted(path.name for path in home.iterdir())
    (home / "canary").unlink()
    home.rmdir()
    said = {one.instruction: one for one in read(folder)}
    return said, left, before


def fill(code, places):
    for name, value in places.items():
        code = code.replace(f"{{{name}}}", str(value))
    return code.replace("{{", "{").replace("}}", "}")


def task(name, code):
    return Task(id=name.replace(" ", "_"), instruction=name, instances=(Instance(output=code),))


def read(folder):
    return [task for path in folder.glob("*/1_check.jsonl") for task in read_tasks(path)]


def leftovers():
    """Processes in cells, folders and shared memory of programs; other runs on this machine may have some for a while."""
    found = [str(path) for path in Path("/tmp").glob("sprout-*")]
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if path.stat().st_uid in USERS or b"refuse_calls" in (path / "cmdline").read_bytes():
                found.append(str(path))
    memory = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {*found, *(line for line in memory if USERS.intersection(map(int, line.split())))}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_hostile_program_fails_with_its_reason(tried, name):
    [message] = tried[0][name].meta["check"]
    assert tried[0][name].scores == {"check": 0.0}
    assert re.search(PROGRAMS[name][1], message), message


def test_a_good_program_among_them_passes(tried):
    assert tried[0]["good"].scores == {"check": 1.0}


def test_nothing_of_them_stays_on_the_machine(tried):
    assert tried[1] == ["canary"]
    assert not Path("/left").exists()

    left, until = leftovers() - tried[2], time.monotonic() + 30
    while left and time.monotonic() < until:
        time.sleep(0.2)
        left &= leftovers()
    assert not left
