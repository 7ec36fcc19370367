"""Recipes that score and select the rows of a user: each runs on the embedded model from the command line."""

import json
from pathlib import Path

import pytest

from pipeline import read_tasks
from pipeline.cli.main import main
from pipeline.resources import folder
from tests.scorers.test_all_tasks import classifier

BASE = 'engines.base={ name = "transformers", model = "nano" }'
NUM_ROWS = 30


@pytest.fixture
def rows(tmp_path: Path) -> str:
    lines = (folder("seed_tasks") / "nano.jsonl").read_text("utf-8").splitlines()[:NUM_ROWS]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return str(path)


def ran(name: str, rows: str, out: Path, *changes: str) -> list[dict[str, object]]:
    """The lines of the dataset."""
    command = ["run", name, "--engine", "transformers", "--model", "nano", "--seeds", rows, "--out", str(out)]
    main([*command, "--quiet", *(part for change in changes for part in ("--set", change))])
    return [json.loads(line) for line in (out / "dataset" / "alpaca.jsonl").read_text("utf-8").splitlines()]


def test_ifd_keeps_the_highest_below_one(rows: str, tmp_path: Path) -> None:
    assert ran("ifd", rows, tmp_path / "run")
    decided = list(read_tasks(tmp_path / "run" / "2_select.jsonl"))
    scores = sorted((task.scores["ifd"] for task in decided if task.scores.get("ifd", 2) < 1), reverse=True)

    kept = [task.scores["ifd"] for task in decided if task.kept]
    assert sorted(kept, reverse=True) == scores[:3]
    assert len(decided) == NUM_ROWS


def test_instruct_mining_keeps_the_lowest_expected_loss(rows: str, tmp_path: Path, minilm: str) -> None:
    model = classifier(tmp_path / "reward")
    changes = (f'score.options.reward.model="{model}"', f'score.options.knn.encoder="{minilm}"', "select.top=5")
    assert ran("instruct_mining", rows, tmp_path / "run", *changes)
    decided = list(read_tasks(tmp_path / "run" / "2_select.jsonl"))
    losses = {task.id: task.scores["expected_loss"] for task in decided if "expected_loss" in task.scores}

    assert {task.id for task in decided if task.kept} == {*sorted(losses, key=losses.__getitem__)[:5]}
    for task in decided:
        if task.id in losses:
            given = task.scores
            expected = 1.0694 - 0.1498 * given["reward"] + 8.257e-5 * given["length"] - 0.935 * given["knn"]
            assert losses[task.id] == pytest.approx(expected)


def test_whats_new_is_nothing_where_the_tuned_model_is_its_own_base(rows: str, tmp_path: Path) -> None:
    assert ran("whats_new", rows, tmp_path / "run", BASE)
    decided = list(read_tasks(tmp_path / "run" / "2_select.jsonl"))

    assert [task.scores["margin"] for task in decided] == [0.0] * NUM_ROWS
    assert [task.kept for task in decided] == [True] * 3 + [False] * (NUM_ROWS - 3)  # of equals the earlier ones
