"""How far a task is from the others in meaning."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from pipeline.novelty.encoder import BATCH, EMBED, Encoder, Vectors, batches
from pipeline.novelty.lists import import_faiss
from pipeline.scorers.base import NoNumber, Number, Work
from pipeline.task import Task
from pipeline.text import mend

NEEDS = EMBED
EXACT = 100_000  # tasks; from there on an approximate index is searched, as all pairs would take hours
NUM_PROBES = 64  # of its lists, that a search reads

Model = Annotated[str, Field(description="an encoder: a folder, or a name on the hub")]
Prompt = Annotated[
    str, Field(description='what the encoder wants before each text: "query: " for E5, an instruction for INSTRUCTOR')
]
Neighbours = Annotated[int, Field(ge=1, description="the distance to this one of its nearest counts")]
Text = Annotated[
    Literal["instruction", "instance", "whole"],
    Field(description="what is compared; instance: with its first input; whole: with its first output too"),
]


def knn(
    work: Work,
    *,
    encoder: Model = "sentence-transformers/all-MiniLM-L6-v2",
    prompt: Prompt = "",
    neighbours: Neighbours = 6,
    text: Text = "instruction",
) -> Iterator[Number | NoNumber]:
    """The distance of a task to one of its nearest neighbours among all tasks, the sixth as in InstructMining.

    Euclidean, between vectors of length 1: 0 for the same text, at most 2 (arXiv 2307.06290, where it is called KNN).
    A task is not its own neighbour. Tasks that come later than others are compared with all of them; those have the
    numbers that they were given.
    """
    model = Encoder(encoder, work.folder / "vectors", prompt)
    vectors = np.concatenate([model.encode(block) for block in batches(_text(task, text) for task in work.tasks)])
    if len(vectors) <= neighbours:
        yield from (NoNumber(f"there are only {len(vectors)} tasks") for _ in vectors[work.start :])
        return
    index = _index(vectors)
    for first in range(work.start - work.start % BATCH, len(vectors), BATCH):
        block = vectors[first : first + BATCH]
        _, rows = index.search(block, neighbours + 2)
        for number, (own, near) in enumerate(zip(block, rows, strict=True), first):
            if number >= work.start:
                others = [row for row in near.tolist() if row not in (number, -1)]
                distances = np.linalg.norm(vectors[others].astype(np.float64) - own.astype(np.float64), axis=1)
                yield round(float(np.sort(distances)[neighbours - 1]), 4) if len(others) >= neighbours else None


def _text(task: Task, text: str) -> str:
    given = task.instances[:1] if text != "instruction" else ()
    pieces = [task.instruction, *(one.input for one in given), *(one.output for one in given if text == "whole")]
    return mend("\n".join(piece for piece in pieces if piece))


def _index(vectors: Vectors) -> Any:
    """Searches by Euclidean distance; exactly, unless there are too many."""
    faiss = import_faiss()
    width = vectors.shape[1]
    if len(vectors) <= EXACT:
        index = faiss.IndexFlatL2(width)
    else:
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(width), width, int(4 * len(vectors) ** 0.5))
        index.nprobe = NUM_PROBES
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)  # with more it rounds differently, and so would machines
        try:
            index.train(vectors)
        finally:
            faiss.omp_set_num_threads(threads)
    index.add(vectors)
    return index
