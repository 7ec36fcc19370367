"""A selection from clusters, each of which has its part, with vectors of our own making."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline import Context, Task, read_tasks
from pipeline.engines.scripted import Scripted
from pipeline.novelty.encoder import Encoder
from pipeline.runs.run import run_stages
from pipeline.stages.select import Select

pytest.importorskip("faiss", reason="faiss is not installed")


def test_clusters_have_their_parts_and_fewer_than_asked_for_are_told_of(
    minilm: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """100 tasks around two directions, 70 and 30."""
    second = np.array([number % 10 > 6 for number in range(100)])
    heaps = np.eye(2, 8)[second.astype(int)] + 0.05 * np.random.default_rng(3).standard_normal((100, 8))
    vectors = (heaps / np.linalg.norm(heaps, axis=1, keepdims=True)).astype(np.float32)
    tasks = [Task(id=f"t{number:02}", instruction=f"Say {number}.", scores={"judge": 1}) for number in range(100)]
    known = Encoder(minilm, tmp_path / "vectors")
    known.stored.append([known.key(task.instruction) for task in tasks], vectors)

    stage = Select(encoder=minilm, method="k_means", top=10, num_clusters=512, by=("judge",))
    run_stages([stage], {"select": "1_select.jsonl"}, tasks, Context((), Scripted(lambda request: ""), tmp_path))
    kept = [task for task in read_tasks(tmp_path / "1_select.jsonl") if task.kept]

    assert Counter(bool(second[int(task.id[1:])]) for task in kept) == {False: 7, True: 3}
    assert "select: there are 2 clusters, and not 512" in caplog.text
