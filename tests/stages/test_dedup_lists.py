"""The dedup stage with lists, on made-up vectors: what it misses, what it says of that, and going on after a kill."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline import Task
from pipeline.engines.scripted import Scripted
from pipeline.novelty.embedding import EmbeddingIndex, Encoder
from pipeline.runs.context import Context
from pipeline.runs.run import run_stages
from pipeline.stages import dedup
from pipeline.stages.dedup import Dedup

pytest.importorskip("faiss", reason="faiss is not installed")

FILE = "5_dedup.jsonl"
TASKS = [Task(id=f"task_{number}", instruction=f"Do what number {number} says.") for number in range(400)]
Execute = Callable[..., list[Task]]


@pytest.fixture
def execute(minilm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Execute:
    """Run the stage in a folder, with lists from 32 kept tasks on, and return all it has decided."""
    monkeypatch.setattr(dedup, "EmbeddingIndex", partial(EmbeddingIndex, max_exact=32))
    rng = np.random.default_rng(0)
    meanings = rng.standard_normal((150, 16))
    vectors = meanings[rng.integers(150, size=len(TASKS))] + 0.4 * rng.standard_normal((len(TASKS), 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def run(tasks: list[Task] = TASKS, folder: str = "run", **settings: object) -> list[Task]:
        where = tmp_path / folder
        if not (where / "vectors").exists():
            encoder = Encoder(minilm, where / "vectors")
            encoder.stored.append([encoder.key(task.instruction) for task in TASKS], vectors.astype(np.float32))
        context = Context((), Scripted(lambda request: ""), where)
        run_stages([stage := Dedup(encoder=minilm, **settings)], {stage.name: FILE}, tasks, context)
        return [Task.model_validate_json(line) for line in (where / FILE).read_text("utf-8").splitlines()]

    return run


def kept(tasks: list[Task]) -> set[str]:
    return {task.id for task in tasks if task.kept}


def test_a_run_killed_at_any_line_ends_the_same(
    execute: Execute, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(num_probes=1)
    whole = (tmp_path / "run" / FILE).read_bytes()
    monkeypatch.setattr(dedup, "BATCH", 64)
    lines = whole.splitlines(keepends=True)

    for stop in range(0, len(lines), 9):
        (tmp_path / "run" / FILE).write_bytes(b"".join(lines[:stop]))
        execute(num_probes=1)
        assert (tmp_path / "run" / FILE).read_bytes() == whole


def test_a_run_that_grew_is_that_of_all_tasks(execute: Execute) -> None:
    whole = execute(folder="whole", num_probes=2)
    execute(TASKS[:123], num_probes=2)

    assert execute(num_probes=2) == whole


def test_near_duplicates_that_the_lists_do_not_hold_are_counted_and_a_warning(
    execute: Execute, caplog: pytest.LogCaptureFixture
) -> None:
    decided = execute(num_probes=1)

    sample = [task for task in decided if "exact_cosine" in task.scores]
    close = [task for task in sample if task.scores["exact_cosine"] > 0.9]
    missed = [task for task in close if task.kept]
    assert missed
    assert all(task.scores["exact_cosine"] >= task.scores["cosine"] for task in sample)
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"dedup: {len(sample)} tasks were compared with all kept ones: the nearest lists held "
        f"{len(close) - len(missed)} of {len(close)} near-duplicates; raise num_probes"
    ]


def test_all_lists_decide_as_no_lists_do(execute: Execute, caplog: pytest.LogCaptureFixture) -> None:
    exact = execute(folder="exact")
    decided = execute(num_probes=1000)

    assert kept(decided) == kept(exact)
    assert len(kept(exact)) > 128  # lists were made twice
    sample = [task for task in decided if "exact_cosine" in task.scores]
    assert sample
    assert all(task.scores["exact_cosine"] == task.scores["cosine"] for task in sample)
    assert not any("exact_cosine" in task.scores for task in exact)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
