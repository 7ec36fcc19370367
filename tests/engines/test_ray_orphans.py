"""A run on Ray from the command line: however it ends, none of its processes is left."""

import contextlib
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.engines.tiny_engines import TOY

pytestmark = pytest.mark.skipif(not find_spec("ray"), reason="ray is not installed")
ROOT = Path(__file__).parents[2]
MARK = "SPROUT_TEST_MARK"  # in the environment of a run and of all that it starts


class Begun(NamedTuple):
    process: subprocess.Popen[bytes]
    folder: Path
    mark: str


def begin(folder: Path, mark: str, *settings: str) -> subprocess.Popen[bytes]:
    """A run with two replicas that have a process of their own each, on a Ray cluster of its own unless it is given one."""
    command = [sys.executable, "-m", "pipeline", "run", "--engine", "ray", "--model", "nano", "--seeds", "nano"]
    command += ["--out", str(folder / "run"), "--quiet"]
    given = [f"engine.replica={TOY}", "engine.child=true", f"engine.log={folder / 'asked.log'}", *settings]
    command += [word for one in given for word in ("--set", one)]
    env = os.environ | {MARK: mark, "PYTHONPATH": str(ROOT)}
    if not any(one.startswith("engine.address=") for one in settings):
        env.pop("RAY_AUTH_TOKEN", None)
    log = (folder / "log.txt").open("wb")
    with log:
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True)


def marked(mark: str) -> list[Path]:
    """The processes of a run, by their folders in /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in (path / "environ").read_bytes().split(b"\0"):
                found.append(path)
    return found


def told(processes: list[Path]) -> str:
    """What they are."""
    texts = []
    for path in processes:
        with contextlib.suppress(OSError):
            texts.append((path / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:80])
    return "\n".join(texts)


def shared_memory(processes: list[Path]) -> set[Path]:
    """The files of shared memory that they use."""
    maps = []
    for path in processes:
        with contextlib.suppress(OSError):
            maps.append((path / "maps").read_text("utf-8"))
    return {Path(found) for found in re.findall(r"/dev/shm/\S+", "\n".join(maps))}


def wait_for(folder: Path, notes: int) -> None:
    """Wait until both replicas are at work."""
    path = folder / "asked.log"
    for _ in range(1200):
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        if len(lines) >= notes and len({line.split()[0] for line in lines}) == 2:
            return
        time.sleep(0.1)
    raise TimeoutError((folder / "log.txt").read_text("utf-8"))


HOW = {
    "Ctrl-C": (signal.SIGINT, ["engine.step=0.5"], 10),
    "SIGTERM while it loads": (signal.SIGTERM, ["engine.loads=600"], 2),
    "SIGTERM": (signal.SIGTERM, ["engine.step=0.5"], 10),
    "SIGKILL": (signal.SIGKILL, ["engine.step=0.5"], 10),
}


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Begun]]:
    """A run for each way to end one; they start together."""
    runs = {}
    for name, (_, settings, _) in HOW.items():
        folder, mark = tmp_path_factory.mktemp("run"), secrets.token_hex(8)
        runs[name] = Begun(begin(folder, mark, "engine.num_replicas=2", *settings), folder, mark)
    yield runs
    for process, _, mark in runs.values():
        process.kill()
        process.wait()
        for path in marked(mark):  # of a test that failed
            os.kill(int(path.name), signal.SIGKILL)


@pytest.mark.parametrize("name", HOW)
def test_however_a_run_is_ended_no_process_of_it_is_left(name: str, begun: dict[str, Begun]) -> None:
    (process, folder, mark), (number, _, notes) = begun[name], HOW[name]
    wait_for(folder, notes)
    there = marked(mark)
    memory = shared_memory(there)
    assert len(re.findall("^sleep 600", told(there), re.MULTILINE)) > 0
    assert "raylet" in told(there)

    process.send_signal(number)
    code = process.wait(60)

    end = time.monotonic() + 90  # Ray's own agents count to five on a busy machine before they end
    while (left := marked(mark)) and time.monotonic() < end:
        time.sleep(0.2)
    assert not told(left)
    assert not [path for path in memory if path.exists()]
    assert code == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
