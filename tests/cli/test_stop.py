"""What stops a command from outside: Ctrl-C, a workload manager, a terminal that closes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines.chaos_server import ChaosServer
from tests.runs.toys import files

ROOT = Path(__file__).parents[2]


def listening() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever the tests were started with


def begin(server: ChaosServer, folder: Path, before: Callable[[], object] = listening) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipeline", "run", "--engine", "server", "--model", "tiny", "--out", str(folder)]
    given = [f"engine.url={server.url}", "engine.chat=false", "instructions.num_tasks=12", "export.formats=['alpaca']"]
    command += ["--quiet", *(word for one in given for word in ("--set", one))]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True, preexec_fn=before)


def wait_for_answers(server: ChaosServer, number: int) -> None:
    end = time.monotonic() + 60
    while server.kinds["ok"] < number and time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "by", "code"),
    [(signal.SIGINT, "", 130), (signal.SIGTERM, " by SIGTERM", 143), (signal.SIGHUP, " by SIGHUP", 129)],
)
def test_a_run_that_is_stopped_says_so_and_goes_on_from_there(
    number: signal.Signals, by: str, code: int, tmp_path: Path
) -> None:
    server = ChaosServer(share=0, answers="sprout", latency=0.3)
    try:
        with begin(server, tmp_path / "run") as stopped:
            wait_for_answers(server, 4)
            stopped.send_signal(number)
            printed = stopped.communicate(timeout=60)[1]
        assert (stopped.returncode, printed) == (code, f"sprout: stopped{by}; the same command continues from here\n")

        server.latency, asked = 0, server.kinds["ok"]
        assert asked < 20
        for name in ("run", "whole"):
            with begin(server, tmp_path / name) as done:
                assert done.wait(60) == 0
    finally:
        server.shutdown()
        server.server_close()
    assert files(tmp_path / "run") == files(tmp_path / "whole")


def test_what_is_ignored_stays_ignored_as_under_nohup(tmp_path: Path) -> None:
    server = ChaosServer(share=0, answers="sprout", latency=0.02)
    try:
        with begin(server, tmp_path / "run", lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as run:
            wait_for_answers(server, 2)
            run.send_signal(signal.SIGHUP)
            assert run.wait(60) == 0
    finally:
        server.shutdown()
        server.server_close()
