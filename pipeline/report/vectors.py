"""A vector for each task: those `dedup` has left in the run, else the words of its instruction."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pipeline.novelty.encoder import VectorFile, Vectors
from pipeline.novelty.tokens import tokens
from pipeline.task import Task
from pipeline.text import mend

_MAX_WORDS = 1000  # the most frequent are told apart
_DIM = 32


class Found(NamedTuple):
    rows: list[int]  # the tasks that have a vector
    vectors: Vectors  # one for each of them, of length 1
    source: str  # what they are, for the reader


def find_vectors(tasks: Sequence[Task], folder: Path, settings: Mapping[str, Mapping[str, Any]]) -> Found:
    """The vectors of an encoder, if the run holds those of nearly all tasks; no encoder is loaded."""
    dedup = settings.get("dedup", {})
    texts = [_compared(task, str(dedup.get("text", "instruction"))) for task in tasks]
    for path in sorted((folder / "vectors").glob("*.vectors")):
        name, _, digest = path.stem.rpartition("-")
        stored = VectorFile(path)
        # As Encoder.key has it, which would look for the model.
        keys = [hashlib.sha256(f"{digest}\0{text}".encode()).digest()[:16] for text in texts]
        rows = [row for row, key in enumerate(keys) if key in stored]
        if rows and len(rows) >= 0.9 * len(tasks):
            vectors = stored.read([keys[row] for row in rows])
            return Found(rows, vectors, f"Each task is placed by its vector from the encoder of dedup, {name}.")
    return Found(
        list(range(len(tasks))),
        word_vectors([task.instruction for task in tasks]),
        "The run holds no vectors of an encoder (dedup makes them), so each task is placed by the words of its "
        "instruction (TF-IDF, reduced by SVD): near means the same words, not the same meaning.",
    )


def word_vectors(texts: Sequence[str]) -> Vectors:
    """TF-IDF over the most frequent words, reduced to a few dimensions: what is known as latent semantic analysis."""
    words = [Counter(tokens(text)) for text in texts]
    spread = Counter(word for counts in words for word in counts)
    vocabulary = {word: i for i, (word, n) in enumerate(spread.most_common(_MAX_WORDS)) if n > 1 or len(texts) < 50}
    if not vocabulary:
        return np.zeros((len(texts), 2), np.float32)
    idf = {word: np.log((1 + len(texts)) / (1 + spread[word])) for word in vocabulary}
    matrix = np.zeros((len(texts), len(vocabulary)), np.float32)
    for row, counts in enumerate(words):
        for word, count in counts.items():
            if word in vocabulary:
                matrix[row, vocabulary[word]] = (1 + np.log(count)) * idf[word]
    matrix = normalized(matrix)
    _, directions = np.linalg.eigh(matrix.T @ matrix)
    return normalized(matrix @ directions[:, ::-1][:, :_DIM])


def normalized(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), np.float32)


def _compared(task: Task, text: str) -> str:
    """What `dedup` has embedded."""
    given = task.instances[0].input if text == "instance" and task.instances else ""
    return mend(f"{task.instruction}\n{given}" if given else task.instruction)
