"""The map of the report: places and clusters follow the vectors of the tasks, and are the same everywhere."""

import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline import SproutError, Task
from pipeline.report import write_report
from pipeline.report.map import clusters, layout, names
from pipeline.report.vectors import find_vectors, word_vectors
from tests.report.test_report import write_tasks


def test_without_scikit_learn_a_report_with_a_map_says_what_to_install_and_a_small_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    tasks = [Task(id=f"t{n}", instruction=f"Name {n} rivers", meta={"request": n}) for n in range(240)]
    write_tasks(tmp_path / "big" / "1_instructions.jsonl", tasks)
    write_tasks(tmp_path / "small" / "1_instructions.jsonl", tasks[:20])

    with pytest.raises(SproutError, match=r"one more package .*sklearn.*: pip install 'sprout-instruct\[report\]'"):
        write_report(tmp_path / "big")
    assert write_report(tmp_path / "small").is_file()


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_the_map_is_the_same_on_any_number_of_cores(threads: int) -> None:
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    words = [f"w{n}" for n in range(300)]
    texts = [" ".join(rng.choice(words, 8)) for _ in range(1500)]
    expected = word_vectors(texts)
    with threadpool_limits(threads):
        vectors = word_vectors(texts)
        numbers, places = clusters(vectors), layout(vectors)

    assert (vectors == expected).all()
    assert (clusters(expected) == numbers).all()
    assert (layout(expected) == places).all()


def test_clusters_and_places_follow_the_vectors() -> None:
    texts = [
        f"{verb} the {noun} now and then {verb}{n}"
        for verb, noun in (("Count", "river"), ("Paint", "engine"))
        for n in range(60)
    ]
    vectors = word_vectors(texts)
    numbers, places = clusters(vectors), layout(vectors)
    assert not set(numbers[:60].tolist()) & set(numbers[60:].tolist())
    assert places.shape == (120, 2)
    middle = [places[:60].mean(axis=0), places[60:].mean(axis=0)]
    spread = max(float(np.linalg.norm(places[:60] - middle[0], axis=1).mean()), 0.01)
    assert float(np.linalg.norm(middle[0] - middle[1])) > 2 * spread
    assert (layout(vectors) == places).all()
    assert (clusters(vectors) == numbers).all()


def test_clusters_are_named_by_what_is_typical_of_them() -> None:
    pairs = [("write", "story")] * 5 + [("sort", "number")] * 5 + [None]
    assert names(pairs, np.array([0] * 5 + [1] * 5 + [2])) == ["write · story", "sort · number", "without a verb"]


@pytest.mark.parametrize("texts", [[], [""], ["?", "!"], ["same words"] * 60])
def test_texts_that_say_nothing_have_a_place_too(texts: list[str]) -> None:
    vectors = word_vectors(texts)
    assert len(vectors) == len(texts)
    if texts:
        assert np.isfinite(layout(vectors)).all()
        assert len(clusters(vectors)) == len(texts)


def test_vectors_of_dedup_are_found_without_its_encoder(tmp_path: Path) -> None:
    import hashlib

    from pipeline.novelty.encoder import VectorFile

    tasks = [Task(id=f"t{n}", instruction=f"Name {n} rivers") for n in range(20)]
    keys = [hashlib.sha256(f"abc123\0{task.instruction}".encode()).digest()[:16] for task in tasks]
    vectors = np.eye(20, dtype=np.float32)
    VectorFile(tmp_path / "vectors" / "toy-model-abc123.vectors").append(keys[:19], vectors[:19])
    found = find_vectors(tasks, tmp_path, {"dedup": {"text": "instruction"}})
    assert found.rows == list(range(19))
    assert (found.vectors == vectors[:19]).all()
    assert "toy-model" in found.source
    assert (
        "TF-IDF" in find_vectors([*tasks, *(t.update(id="x", instruction="Else") for t in tasks)], tmp_path, {}).source
    )
