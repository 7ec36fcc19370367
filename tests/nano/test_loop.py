"""The whole loop on the embedded model, at a small scale: the same bytes however it is run, and a better model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import read_tasks

SMALL = ["instructions.num_tasks=60", "train.max_steps=100", "train-seeds.max_steps=100", "evaluate.max_instances=1"]


def sprout(command: str, out: Path, *changes: str, threads: int = 2) -> str:
    """What `sprout COMMAND quickstart` prints."""
    sets = [f"--set={change}" for change in [*SMALL, *changes]]
    args = [sys.executable, "-m", "pipeline", command, "quickstart", "--quiet", "--out", str(out), *sets]
    env = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "passive", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(args, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stage_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*_*.jsonl"))}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("runs") / "finished"
    return folder, sprout("run", folder)


def test_one_core_and_small_batches_give_the_same_bytes_stage_by_stage(finished, tmp_path):
    folder, _ = finished
    for command in ("instructions", "classify", "instances", "filter", "verify", "decontaminate"):
        sprout(command, tmp_path, "engine.window=7", threads=1)

    assert stage_files(tmp_path) == stage_files(folder)


def test_the_tuned_model_is_better_than_the_base_model_and_than_seeds_alone(finished):
    folder, shown = finished
    scores = {name: entry["rouge_l"] for name, entry in json.loads((folder / "evaluation.json").read_text()).items()}

    assert scores["dataset"] > scores["seeds"] > scores["base"]
    assert scores["dataset"] > scores["base"] + 10
    assert all(f"{score:.1f}" in shown for score in scores.values())


def test_it_says_where_everything_is(finished):
    folder, shown = finished

    assert str(folder / "dataset") in shown
    assert str(folder / "model") in shown
    assert sum(task.kept for task in read_tasks(folder / "1_instructions.jsonl")) == 60


def test_the_same_command_again_does_nothing_and_says_the_same(finished):
    folder, shown = finished
    made = [path for path in folder.rglob("*") if path.suffix in (".jsonl", ".parquet", ".safetensors")]
    before = {path: path.stat().st_mtime_ns for path in made}

    assert sprout("run", folder) == shown
    assert {path: path.stat().st_mtime_ns for path in before} == before
