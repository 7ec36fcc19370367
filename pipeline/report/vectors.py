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
_FEW = 50  # texts; of more, a word that only one of them has says nothing


class TaskVectors(NamedTuple):
    rows: list[int]  # the tasks that have a vector
    vectors: Vectors  # one for each of them, of length 1
    source: str  # what they are, for the reader


def find_vectors(tasks: Sequence[Task], folder: Path, settings: Mapping[str, Mapping[str, Any]]) -> TaskVectors:
    """The vectors of an encoder, if the run holds those of nearly all tasks; no encoder is loaded."""
    encoded = next((table for table in settings.values() if {"encoder", "text"} <= table.keys()), {})
    texts = [_compared(task, str(encoded.get("text", "instruction"))) for task in tasks]
    for path in sorted((folder / "vectors").glob("*.vectors")):
        name, _, digest = path.stem.rpartition("-")
        stored = VectorFile(path)
        # As Encoder.key has it, which would look for the model.
        keys = [hashlib.sha256(f"{digest}\0{text}".encode()).digest()[:16] for text in texts]
        rows = [row for row, key in enumerate(keys) if key in stored]
        if rows and len(rows) >= 0.9 * len(tasks):
            vectors = stored.read([keys[row] for row in rows])
            return TaskVectors(rows, vectors, f"Each task is placed by its vector from the encoder {name}.")
    return TaskVectors(
        list(range(len(tasks))),
        word_vectors([task.instruction for task in tasks]),
        "The run holds no vectors of an encoder (dedup makes them), so each task is placed by the words of its "
        "instruction (TF-IDF, reduced by SVD): near means the same words, not the same meaning.",
    )


def word_vectors(texts: Sequence[str]) -> Vectors:
    """TF-IDF over the most frequent words, reduced to a few dimensions: what is known as latent semantic analysis."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize
    from threadpoolctl import threadpool_limits

    least = 1 if len(texts) < _FEW else 2
    spread = Counter(word for text in texts for word in set(tokens(text)))
    vocabulary = sorted(word for word, count in spread.items() if count >= least)
    if not vocabulary:
        return np.zeros((len(texts), 2), np.float32)
    weigh = TfidfVectorizer(analyzer=tokens, min_df=least, max_features=_MAX_WORDS, sublinear_tf=True, dtype=np.float32)
    with threadpool_limits(1):  # the same map on any number of cores
        matrix = weigh.fit_transform(texts)
        if min(matrix.shape) > _DIM:
            matrix = normalize(TruncatedSVD(_DIM, random_state=0).fit_transform(matrix))
        else:
            matrix = matrix.toarray()
    return np.asarray(matrix, np.float32)


def _compared(task: Task, text: str) -> str:
    """What `dedup` has embedded."""
    given = task.instances[0].input if text == "instance" and task.instances else ""
    return mend(f"{task.instruction}\n{given}" if given else task.instruction)
