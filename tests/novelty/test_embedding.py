"""The semantic index against brute force: whatever the batches, the first one wins."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.novelty import Index, Nearest
from pipeline.novelty.embedding import EmbeddingIndex
from pipeline.novelty.encoder import Vectors

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
def test_the_approximate_index_finds_nearly_all_and_resumes_the_same(seed: int) -> None:
    vectors = random_vectors(seed, 3000, dim=24, per_centre=3)
    encode, texts = numbered(vectors)
    rng = np.random.default_rng(seed)

    whole = list(EmbeddingIndex(encode, max_cosine=0.8, max_exact=400).admit(texts))
    kept = [text for text, item in zip(texts, whole, strict=True) if item.text is None or item.score <= 0.8]
    assert len(kept) > 500  # well into the approximate index
    assert admitted(EmbeddingIndex(encode, max_cosine=0.8, max_exact=400), texts, rng) == whole

    stop = int(rng.integers(len(texts)))
    before = [text for text in kept if int(text) < stop]
    assert list(EmbeddingIndex(encode, before, 0.8, max_exact=400).admit(texts[stop:])) == whole[stop:]

    exact = first_wins(vectors, 0.8)
    missed = sum(item.score <= 0.8 < score for item, (score, _) in zip(whole, exact, strict=True))
    assert missed <= 0.02 * sum(score > 0.8 for score, _ in exact)


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, pipeline.stages.dedup; print({'faiss', 'torch', 'sentence_transformers'} & set(sys.modules))"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert shown.strip() == "set()"
