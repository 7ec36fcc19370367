"""The head of a Ray cluster dies under a run, which ends with one sentence."""

import os
import secrets
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.engines.test_ray_orphans import begin, wait_for
from tests.engines.tiny_engines import ray_cluster

pytestmark = pytest.mark.skipif(not find_spec("ray"), reason="ray is not installed")


def test_a_run_whose_cluster_loses_its_head_ends_with_exit_code_4_and_says_so(tmp_path: Path) -> None:
    with ray_cluster(4) as (address, head):
        settings = ("engine.num_replicas=2", "engine.step=0.5", f"engine.address={address}")
        process = begin(tmp_path, secrets.token_hex(8), *settings)
        wait_for(tmp_path, notes=10)

        os.kill(head, signal.SIGKILL)

        assert process.wait(120) == 4
    said = (tmp_path / "log.txt").read_text("utf-8").strip()
    assert said.startswith(f"sprout: the head of the Ray cluster at {address} is gone (")
    assert said.endswith("); start it, and run again to go on")
    assert "\n" not in said
