"""Vectors of texts from a sentence-transformers model, and a file that caches them."""

import hashlib
import json
import logging
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from textwrap import shorten
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.engines.model_folder import fingerprint, is_hub_name, load_error
from pipeline.errors import SproutError
from pipeline.resources import install
from pipeline.text import mend

logger = logging.getLogger(__name__)

Vectors = npt.NDArray[np.float32]  # a row for each text, of length 1
T = TypeVar("T")

EMBED = {"faiss": "embed", "sentence_transformers": "embed"}  # the packages, and the extra that brings them
BATCH = 1024  # texts embedded, stored and searched for at once: a search is 5 times faster than in batches of 128
_PARTS = ["*.json", "*.txt", "*.model", "*.safetensors"]  # what a model is fetched and known by; no pickled weights
_KEY = 16  # bytes of a key
_MAGIC = b"SPV1"
_HEADER = struct.Struct("<4sIII")  # magic, number of vectors, their dimension, checksum


class Encoder:
    """Turns texts into vectors with a sentence-transformers model; known texts are read from `cache`.

    Args:
        model: A model folder, or a name on the Hugging Face hub; a local copy is used if there is one.
        cache: The folder of the vector files, one for each version of each model, and for each prompt.
        prompt: What such models as E5 and INSTRUCTOR want before each text, such as "query: ".

    Raises:
        SproutError: for a model that can be neither found nor fetched, or that sentence-transformers cannot load.
    """

    def __init__(self, model: str, cache: Path, prompt: str = "") -> None:
        self.model, self.prompt = model, prompt
        self.folder = find_model(model)
        parts = {path for part in _PARTS for path in self.folder.rglob(part)}
        digest = fingerprint(self.folder, parts)
        self._digest = (hashlib.sha256(f"{digest}\0{prompt}".encode()).hexdigest() if prompt else digest)[:12]
        name = re.sub(r"[^\w.-]+", "_", model.rstrip("/").rsplit("/", 1)[-1])
        self.stored = VectorFile(cache / f"{name}-{self._digest}.vectors")
        self._transformer: Any = None

    def encode(self, texts: Sequence[str]) -> Vectors:
        """The vectors, row by row. Texts are embedded and stored in blocks, in the order of first appearance."""
        whole = [mend(text) for text in texts]
        keys = [self.key(text) for text in whole]
        missing = {key: text for key, text in zip(keys, whole, strict=True) if key not in self.stored}
        if len(missing) > BATCH:
            logger.info("%s: %d texts to embed, %d are here", self.model, len(missing), len(texts) - len(missing))
        for block in batches(missing):
            self.stored.append(block, self._embed([missing[key] for key in block]))
        return self.stored.read(keys)

    def key(self, text: str) -> bytes:
        return hashlib.sha256(f"{self._digest}\0{text}".encode()).digest()[:_KEY]

    def _embed(self, texts: list[str]) -> Vectors:
        if self._transformer is None:
            self._transformer = load_model(self.model, self.folder)
        size = 32 if self._transformer.device.type == "cpu" else 256  # on a CPU larger ones are slower
        vectors = self._transformer.encode(
            texts,
            prompt=self.prompt or None,
            batch_size=size,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        whole = np.isfinite(vectors).all(axis=1)
        if not whole.all():  # as from damaged weights, or in half precision; nothing is near such a vector
            text = shorten(texts[int(np.argmin(whole))], 60, placeholder=" …")
            raise SproutError(f"{self.model}: its vector of {text!r} holds NaN or infinity; give another encoder")
        return np.ascontiguousarray(vectors, np.float32)


def find_model(model: str) -> Path:
    """The folder of a sentence-transformers model, fetched from the hub if necessary.

    Raises:
        SproutError: if there is none, or one that is incomplete, or that runs code of its own.
    """
    if not is_hub_name(model):
        return check_folder(Path(model))
    try:
        from huggingface_hub import snapshot_download, try_to_load_from_cache
    except ImportError as error:
        raise not_installed(error) from error
    here = try_to_load_from_cache(model, "modules.json")
    if isinstance(here, str) and any(Path(here).parent.rglob("*.safetensors")):
        return check_folder(Path(here).parent)
    try:
        return check_folder(Path(snapshot_download(model, allow_patterns=_PARTS)))
    except (OSError, ValueError) as error:
        raise SproutError(
            f"{model}: not on this machine, and the hub cannot give it ({shorten(str(error), 200, placeholder=' …')}); "
            f"give the folder of a sentence-transformers model"
        ) from None


def check_folder(folder: Path) -> Path:
    """Check that sentence-transformers can load the model in a folder, without heavy imports."""
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "is not a folder here"
        raise SproutError(f"{folder}: {found}; give the folder or the hub name of a sentence-transformers model")
    path = folder / "modules.json"
    if not path.is_file():
        raise SproutError(
            f"{folder}: has no modules.json, so it is not a sentence-transformers model; give one that is"
        )
    try:
        modules = [(folder / module["path"], module["type"]) for module in json.loads(path.read_text("utf-8"))]
    except (ValueError, KeyError, TypeError) as error:
        raise SproutError(f"{path}: not a list of modules ({error}); fetch the model again") from None
    for part, kind in modules:
        if not kind.startswith("sentence_transformers."):
            raise SproutError(f"{path}: {kind} is code that comes with the model, which is not run; give another model")
        if not any(part.glob("*.safetensors")) and any([*part.glob("*.bin"), *part.glob("*.pt")]):
            raise SproutError(f"{part}: holds only pickled weights, which can run code when loaded; save safetensors")
    if not any(any(part.glob("*.safetensors")) for part, _ in modules):
        raise SproutError(f"{folder}: holds no weights; save them as *.safetensors")
    return folder


def load_model(model: str, folder: Path) -> Any:
    try:
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise not_installed(error) from error
    disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(
            str(folder), trust_remote_code=False, local_files_only=True, model_kwargs={"use_safetensors": True}
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise load_error(model, error) from error


def not_installed(error: ImportError) -> SproutError:
    return SproutError(f"semantic deduplication needs more packages ({error}): {install('embed')}")


class VectorFile:
    """Vectors by key, in an append-only file of blocks.

    A block is a header, keys, and vectors in little-endian float32, with a checksum over all of it. A torn or
    damaged file is truncated at the first damaged block, and the lost texts are embedded again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: dict[bytes, int] = {}  # where each vector is in the file
        self._dim = 0
        if path.exists():
            self._load()

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def append(self, keys: Sequence[bytes], vectors: Vectors) -> None:
        body = b"".join(keys) + vectors.astype("<f4").tobytes()
        numbers = vectors.shape
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "ab") as file:
                start = file.tell()
                file.write(_HEADER.pack(_MAGIC, *numbers, _checksum(numbers, body)) + body)
        except OSError as error:
            raise SproutError(f"{self.path}: cannot be written ({error.strerror}); free some space and go on") from None
        self._place(keys, vectors.shape[1], start)

    def read(self, keys: Sequence[bytes]) -> Vectors:
        vectors = np.empty((len(keys), self._dim), "<f4")
        if keys:
            with open(self.path, "rb") as file:
                for key, row in zip(keys, vectors, strict=True):
                    file.seek(self._places[key])
                    if file.readinto(row.data) < row.nbytes:
                        raise SproutError(f"{self.path}: became shorter while in use; run again to repair it")
        return vectors.astype(np.float32, copy=False)

    def _place(self, keys: Sequence[bytes], dim: int, start: int) -> None:
        self._dim = dim
        first = start + _HEADER.size + len(keys) * _KEY
        self._places |= {key: first + 4 * dim * row for row, key in enumerate(keys)}

    def _load(self) -> None:
        try:
            with open(self.path, "r+b") as file:
                size, start = self.path.stat().st_size, 0
                while start < size and (length := self._load_block(file, start, size)):
                    start += length
                if start < size:
                    file.truncate(start)
                    logger.warning("%s: damaged; its last %d bytes are embedded again", self.path, size - start)
        except OSError as error:
            raise SproutError(f"{self.path}: cannot be read ({error.strerror}); delete it to embed again") from None

    def _load_block(self, file: BinaryIO, start: int, size: int) -> int:
        """The length of the block at `start`; 0 if it is incomplete."""
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return 0
        magic, count, dim, checksum = _HEADER.unpack(header)
        length: int = count * (_KEY + 4 * dim)
        if magic != _MAGIC or not length or (self._dim or dim) != dim or start + _HEADER.size + length > size:
            return 0
        body = file.read(length)
        if _checksum((count, dim), body) != checksum:
            return 0
        self._place([body[i : i + _KEY] for i in range(0, count * _KEY, _KEY)], dim, start)
        return _HEADER.size + length


def _checksum(numbers: tuple[int, ...], body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(struct.pack("<2I", *numbers)))


def batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, BATCH)):
        yield batch
