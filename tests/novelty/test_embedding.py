"""The semantic index against brute force: whatever the batches, the first one wins."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.novelty import Index, Nearest
from pipeline.novelty.embedding import EmbeddingIndex
from pipeline.novelty.encoder import Vectors
from pipeline.novelty.lists import Lists

pytest.importorskip("faiss", reason="faiss is not installed")
NONE = Nearest(0.0, None)


def random_vectors(seed: int, num: int, dim: int = 12, per_centre: int = 12) -> Vectors:
    """Vectors around a few centres, near enough that chains of near-duplicates occur."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(1, num // per_centre), dim))
    spread = rng.uniform(0.05, 0.5, (num, 1))
    vectors = centres[rng.integers(len(centres), size=num)] + spread * rng.standard_normal((num, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def numbered(vectors: Vectors) -> tuple[Callable[..., Vectors], list[str]]:
    """An encoder for the texts "0", "1", …, and the texts."""
    return lambda texts: vectors[[int(text) for text in texts]], [str(row) for row in range(len(vectors))]


def first_wins(vectors: Vectors, max_cosine: float) -> list[tuple[float, int | None]]:
    """One by one: the highest cosine to what was kept, and its row; kept if it is not too high."""
    exact = vectors.astype(np.float64)
    kept: list[int] = []
    found: list[tuple[float, int | None]] = []
    for row, vector in enumerate(exact):
        cosines = exact[kept] @ vector
        best = int(cosines.argmax()) if kept else None
        found.append((0.0, None) if best is None else (float(cosines[best]), kept[best]))
        if best is None or cosines[best] <= max_cosine:
            kept.append(row)
    return found


def admitted(index: EmbeddingIndex, texts: list[str], rng: np.random.Generator) -> list[Nearest]:
    """Admit the texts in batches of random sizes."""
    found: list[Nearest] = []
    while texts:
        size = int(rng.integers(1, 1 + rng.choice([2, 50, 3000])))
        found += index.admit(texts[:size])
        texts = texts[size:]
    return found


@pytest.mark.parametrize("seed", range(12))
def test_the_first_of_each_cluster_wins_whatever_the_batches(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, max_cosine = random_vectors(seed, int(rng.integers(1, 2500))), float(rng.uniform(0.5, 0.95))
    encode, texts = numbered(vectors)

    found = admitted(EmbeddingIndex(encode, max_cosine=max_cosine), texts, rng)

    expected = first_wins(vectors, max_cosine)
    assert [item.text for item in found] == [None if row is None else str(row) for _, row in expected]
    assert [item.score for item in found] == pytest.approx([score for score, _ in expected], abs=1e-12)


def test_exactly_one_of_each_cluster_survives() -> None:
    centres = np.eye(40, dtype=np.float32)
    vectors = np.tile(centres, (60, 1)) + np.random.default_rng(0).uniform(-0.01, 0.01, (2400, 40))
    encode, texts = numbered((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))

    found = list(EmbeddingIndex(encode).admit(texts))

    assert [item.score <= 0.9 for item in found] == [True] * 40 + [False] * 2360
    assert [item.text for item in found[40:]] == [str(row % 40) for row in range(40, 2400)]


def test_nearest_and_add_are_those_of_any_index() -> None:
    encode, texts = numbered(np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]], np.float32))
    index: Index = EmbeddingIndex(encode, max_cosine=0.7)

    assert index.nearest(texts[0]) == NONE
    index.add(texts[0])
    assert index.nearest(texts[1]) == (pytest.approx(0.8), "0")
    assert index.nearest(texts[2]) == index.nearest(texts[3]) == NONE
    index.add(texts[2])
    assert index.nearest(texts[3]) == (pytest.approx(0.8), "2")


def test_the_closest_is_named_however_far() -> None:
    encode, texts = numbered(np.array([[1, 0], [0.8, 0.6], [-1, 0]], np.float32))
    index = EmbeddingIndex(encode, texts[:2])

    assert index.closest("2") == (pytest.approx(-0.8), "1")
    assert len(index) == 2


def test_no_texts_at_all() -> None:
    index = EmbeddingIndex(lambda texts: np.empty((len(texts), 3), np.float32))

    assert list(index.admit([])) == []
    assert len(index) == 0


@pytest.mark.parametrize("seed", range(2))
def test_lists_find_nearly_all_and_a_run_that_was_interrupted_the_same(seed: int) -> None:
    vectors = random_vectors(seed, 3000, dim=24, per_centre=3)
    encode, texts = numbered(vectors)
    rng = np.random.default_rng(seed)
    some = {"max_cosine": 0.8, "num_probes": 16, "max_exact": 100}

    whole = list(EmbeddingIndex(encode, **some).admit(texts))
    kept = [text for text, item in zip(texts, whole, strict=True) if item.text is None or item.score <= 0.8]
    assert len(kept) > 500  # lists were made twice
    assert admitted(EmbeddingIndex(encode, **some), texts, rng) == whole

    for stop in [*rng.integers(len(texts), size=8).tolist(), int(kept[99]) + 1, int(kept[399]), int(kept[399]) + 1]:
        before = [text for text in kept if int(text) < stop]
        assert list(EmbeddingIndex(encode, before, **some).admit(texts[stop:])) == whole[stop:]

    exact = first_wins(vectors, 0.8)
    missed = sum(item.score <= 0.8 < score for item, (score, _) in zip(whole, exact, strict=True))
    assert missed <= 0.02 * sum(score > 0.8 for score, _ in exact)


def test_of_a_sample_the_highest_cosine_is_known_too() -> None:
    vectors = random_vectors(0, 2000, dim=24, per_centre=3)
    encode, texts = numbered(vectors)

    found = list(EmbeddingIndex(encode, max_cosine=0.8, num_probes=1, max_exact=64).admit(texts))

    compared = [row for row, item in enumerate(found) if item.highest is not None]
    kept = [row for row, item in enumerate(found) if item.text is None or item.score <= 0.8]
    assert len(compared) > 50
    for row in compared:
        before = vectors[[other for other in kept if other < row]].astype(np.float64)
        assert found[row].highest == pytest.approx((before @ vectors[row].astype(np.float64)).max(), abs=3e-4)
        assert found[row].highest >= found[row].score
    assert any(found[row].highest > 0.8 >= found[row].score for row in compared)  # one list is not enough


def test_all_is_compared_with_unless_lists_are_asked_for() -> None:
    vectors = random_vectors(1, 500)
    encode, texts = numbered(vectors)

    found = list(EmbeddingIndex(encode, max_cosine=0.9, max_exact=10).admit(texts))

    assert [item.text for item in found] == [None if row is None else str(row) for _, row in first_wins(vectors, 0.9)]
    assert {item.highest for item in found} == {None}


@pytest.mark.parametrize("num_probes", [1, 3, 50, 1000])
def test_lists_find_the_same_in_batches_and_one_by_one_even_where_many_are_equally_far(num_probes: int) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.choice([-0.5, 0, 0.5], (3000, 4)).astype(np.float32) + 0  # 81 different ones
    lists = Lists(len(vectors), num_probes)
    lists.train(vectors)
    lists.add(vectors)
    assert lists.num_lists == 219

    together = lists.search(vectors[:200], 4)

    assert (together == np.concatenate([lists.search(vectors[row : row + 1], 4) for row in range(200)])).all()


def test_texts_with_one_meaning_make_lists_as_well() -> None:
    vectors = np.tile(np.array([[1, 0, 0]], np.float32), (300, 1))
    encode, texts = numbered(vectors)

    found = list(EmbeddingIndex(encode, texts[:200], max_cosine=1, num_probes=4, max_exact=50).admit(texts[200:]))

    assert {item.score for item in found} == {1.0}


def test_a_gpu_searches_what_was_added(monkeypatch: pytest.MonkeyPatch) -> None:
    import faiss

    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 1, raising=False)
    monkeypatch.setattr(faiss, "index_cpu_to_all_gpus", faiss.clone_index, raising=False)
    vectors = random_vectors(2, 300)
    encode, texts = numbered(vectors)

    found = list(EmbeddingIndex(encode, max_cosine=0.9).admit(texts))

    assert [item.text for item in found] == [None if row is None else str(row) for _, row in first_wins(vectors, 0.9)]


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, pipeline.stages.dedup; print({'faiss', 'torch', 'sentence_transformers'} & set(sys.modules))"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert shown.strip() == "set()"
