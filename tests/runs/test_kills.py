"""A run that is killed again and again ends with the same bytes, and pays for little more than it had in flight."""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import run
from pipeline.engines.scripted import Scripted
from pipeline.engines.server import Server
from tests.conftest import answer
from tests.engines.chaos_server import ChaosServer
from tests.runs.test_run import stages
from tests.runs.toys import files

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("share", [0, 0.2])
def test_a_run_that_is_killed_at_random_moments_ends_with_the_same_bytes(share):
    command = [sys.executable, "benchmarks/chaos.py", "--kills=5", "--tasks=40", f"--share={share}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=None)

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^5 kills in \d+ runs", done.stdout)
    assert re.search(r"^0 of \d+ runs ended with other bytes", done.stdout, re.MULTILINE)


class Shuffled(ChaosServer):
    """Each answer takes a while of its own."""

    def next_answer(self, tried, body):
        found = super().next_answer(tried, body)
        found.seconds += random.random() * 0.05
        return found


@pytest.mark.parametrize("share", [0, 0.2])
def test_neither_latencies_nor_faults_nor_how_many_are_in_flight_change_a_byte(seeds, tmp_path, share):
    run(stages(), seeds, Scripted(answer, model="tiny"), tmp_path / "scripted")
    server = Shuffled(share=share, seed=3, answers="sprout")
    try:
        for window in (1, 8, 64):
            engine = Server("tiny", server.url, chat=False, window=window)
            run(stages(), seeds, engine, tmp_path / str(window))
            engine.close()
    finally:
        server.shutdown()
        server.server_close()

    for window in (1, 8, 64):
        assert files(tmp_path / str(window)) == files(tmp_path / "scripted")
    assert bool(server.kinds.keys() - {"ok"}) == bool(share)
