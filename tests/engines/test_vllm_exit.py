"""A process that has used vLLM ends, whatever it did before: `sprout preview` makes a temporary folder first."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.vllm
def test_a_preview_with_vllm_comes_to_its_end() -> None:
    pytest.importorskip("vllm")
    command = [sys.executable, "-m", "pipeline", "preview", "--engine", "vllm", "--model", "nano", "--seeds", "nano"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "kept" in done.stdout
