"""The encoder with the real MiniLM: its vectors, a cache that is never wrong, and models that will not do."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SproutError
from pipeline.novelty import Nearest, encoder
from pipeline.novelty.embedding import EmbeddingIndex, Encoder
from pipeline.novelty.encoder import VectorFile, check_folder

NONE = Nearest(0.0, None)


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
    pytest.importorskip("faiss", reason="faiss is not installed")
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


def test_vectors_that_hold_no_numbers_are_refused_and_not_stored(minilm: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    model = tmp_path / "model"
    shutil.copytree(minilm, model)
    weights = model / "model.safetensors"
    tensors = {name: one.clone() for name, one in load_file(weights).items()}
    tensors["embeddings.word_embeddings.weight"][:] = float("nan")
    save_file(tensors, weights, metadata={"format": "pt"})

    with pytest.raises(SproutError, match=r"model: its vector of 'Write a poem about .* holds NaN or infinity"):
        Encoder(str(model), tmp_path / "vectors").encode(TEXTS)
    assert not (tmp_path / "vectors").exists()


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
    ([bytes([number, row] * 8) for row in range(3)], np.random.default_rng(number).random((3, 5), np.float32)) for number in range(3)
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
    with pytest.raises(SproutError, match="is not a folder here"):
        Encoder(str(tmp_path / "missing"), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SproutError, match="is a file"):
        Encoder(str(tmp_path / "file"), tmp_path)


def test_a_hub_name_means_the_copy_on_this_machine_or_an_error(minilm: str, tmp_path: Path) -> None:
    copy = tmp_path / "hub" / "models--sprout--minilm"
    shutil.copytree(minilm, copy / "snapshots" / "abc", copy_function=os.symlink)
    (copy / "refs").mkdir()
    (copy / "refs" / "main").write_text("abc")
    code = (
        "from pipeline.novelty.encoder import find_model; from pipeline.errors import SproutError\n"
        "print(find_model('sprout/minilm'))\n"
        "try: find_model('sprout/no-such-model')\n"
        "except SproutError as error: print(error)"
    )
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}

    found, told = subprocess.check_output([sys.executable, "-c", code], text=True, env=env).splitlines()

    assert found == str(copy / "snapshots" / "abc")
    assert told.startswith("sprout/no-such-model: not on this machine, and the hub cannot give it")


def test_weights_that_cannot_be_read_are_told(minilm: str, tmp_path: Path) -> None:
    shutil.copytree(minilm, tmp_path / "model", copy_function=os.symlink)
    (tmp_path / "model" / "model.safetensors").unlink()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"not weights")

    with pytest.raises(SproutError, match="model: cannot be loaded: "):
        Encoder(str(tmp_path / "model"), tmp_path).encode(["text"])
