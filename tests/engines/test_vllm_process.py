"""The processes of vLLM: a run that has used them ends, and so does one that has lost them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NANO = ["--engine", "vllm", "--model", "nano", "--seeds", "nano"]


@pytest.mark.vllm
def test_a_preview_comes_to_its_end_though_it_makes_a_folder_before_it_loads_vllm() -> None:
    pytest.importorskip("vllm")
    command = [sys.executable, "-m", "pipeline", "preview", *NANO]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "kept" in done.stdout


@pytest.mark.vllm
def test_a_run_whose_vllm_is_killed_says_so_and_ends(tmp_path: Path) -> None:
    pytest.importorskip("vllm")
    out, log = tmp_path / "run", tmp_path / "log.txt"
    command = [
        sys.executable,
        "-m",
        "pipeline",
        "run",
        *NANO,
        "--out",
        str(out),
        "--set",
        "instructions.num_tasks=5000",
    ]
    with log.open("w") as stderr, subprocess.Popen(command, cwd=ROOT, stdout=stderr, stderr=stderr) as run:
        try:
            wait_for(out / "1_instructions.jsonl", run)
            os.kill(engine_of(run.pid), signal.SIGKILL)
            assert run.wait(120) == 4, log.read_text()
        finally:
            run.kill()
    assert "vLLM's engine died; its own log above says why, unless the system has killed it" in log.read_text()


LOST = """
import multiprocessing, os, time
from pipeline import Request, Sampling
from pipeline.engines.vllm import VLLM
from pipeline.errors import EngineUnreachable
from pipeline.resources import NANO

if __name__ == "__main__":
    engine = VLLM(str(NANO))
    asked = [Request(id="a", prompt="Hello", sampling=Sampling(max_tokens=5, temperature=0))]
    before = [*engine.generate(asked)]
    os.kill(multiprocessing.active_children()[0].pid, 9)
    time.sleep(3)
    try:
        [*engine.generate(asked)]
    except EngineUnreachable as error:
        print(error)
    assert [*engine.generate(asked)] == before
"""


@pytest.mark.vllm
def test_an_engine_that_has_lost_vllm_says_so_when_it_is_asked_and_then_loads_it_again(tmp_path: Path) -> None:
    pytest.importorskip("vllm")
    (tmp_path / "lost.py").write_text(LOST)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(tmp_path / "lost.py")], env=env, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert "vLLM's engine died" in done.stdout


def wait_for(path: Path, run: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 240
    while not path.exists() and run.poll() is None and time.monotonic() < end:
        time.sleep(0.2)


def engine_of(run: int) -> int:
    """The process of vLLM that a run has started; its other child only counts what is shared."""
    children = Path(f"/proc/{run}/task/{run}/children").read_text().split()
    return next(int(one) for one in children if b"VLLM" in Path(f"/proc/{one}/cmdline").read_bytes())
