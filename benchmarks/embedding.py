"""What semantic novelty costs: time, memory and recall of both indexes, and the dedup stage itself with each.

Vectors are those of generated texts (real MiniLM); beyond `--texts` of them, random mixtures of two. With `--made-up`
there is no encoder: vectors lie around made-up meanings, and these around made-up topics.

    python benchmarks/embedding.py --encoder FOLDER [--sizes 50000 200000] [--texts 20000] [--dedup 200000]
    python benchmarks/embedding.py --made-up --sizes 200000 --dedup 0
"""

import argparse
import gc
import logging
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from novelty import resident

from pipeline import Task
from pipeline.engines.scripted import Scripted
from pipeline.novelty.diversity import clusters, k_center, vote_k
from pipeline.novelty.embedding import EmbeddingIndex, Encoder
from pipeline.novelty.encoder import BATCH, Vectors, batches
from pipeline.novelty.lists import Flat, Lists, import_faiss
from pipeline.novelty.transport import transport_gradient
from pipeline.runs.context import Context
from pipeline.runs.run import run_stages
from pipeline.stages.dedup import Dedup

T = TypeVar("T")
Index = TypeVar("Index", Flat, Lists)

NUM_QUERIES = 2048
PROBES = (16, 32, 64, 128)  # of the lists, that a search reads


def listed(text: str) -> list[str]:
    return text.split(", ")


VERBS = listed(
    "Write, Draft, Outline, Summarize, Explain, Compare, Rewrite, Translate, Review, Criticize, Plan, Describe, "
    "Improve, Shorten, Classify, Rank, Invent, Simplify, Check, Continue"
)
FORMS = listed(
    "poem, letter, recipe, news report, short story, dialogue, speech, lesson plan, product description, interview, "
    "list of questions, timetable, contract, joke, song, diary entry, warning sign, travel guide, obituary, complaint"
)
TOPICS = listed(
    "the sea in winter, a broken washing machine, prime numbers, learning to drive, the first day of school, bees, "
    "a court case, interest rates, vaccines, an empty house, the history of chess, sourdough bread, a lost dog, "
    "solar panels, jazz, night shifts, the offside rule, a wedding, earthquakes, software licences, coral reefs, "
    "job applications, the moon landing, tea, public libraries, a train strike, photosynthesis, bicycle repair"
)
READERS = listed(
    "a child of six, a busy manager, tourists, a judge, first-year students, an old friend, nurses, a sceptical "
    "neighbour, engineers, voters, a shy colleague, readers of a local paper, someone who has never heard of it"
)


def texts(seed: int = 0) -> Iterator[str]:
    """Different instructions without end."""
    rng = random.Random(seed)
    seen: set[str] = set()
    while True:
        text = f"{rng.choice(VERBS)} a {rng.choice(FORMS)} about {rng.choice(TOPICS)}"
        if rng.random() < 0.7:
            text += f" for {rng.choice(READERS)}"
        if rng.random() < 0.5:
            text += f", in {rng.choice(['at most', 'about', 'at least'])} {rng.randrange(2, 30) * 10} words"
        if text not in seen:
            seen.add(text)
            yield text + "."


def unit(vectors: npt.NDArray[Any]) -> Vectors:
    scaled: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def grow(real: Vectors, num: int) -> Vectors:
    """The real vectors, then mixtures of two of them, until there are `num`."""
    rng = np.random.default_rng(0)
    vectors = np.empty((num, real.shape[1]), np.float32)
    vectors[: len(real)] = real[:num]
    for start in range(len(real), num, 1 << 16):
        size = min(1 << 16, num - start)
        one, other = real[rng.integers(len(real), size=(2, size))]
        share = rng.uniform(0.3, 0.7, (size, 1)).astype(np.float32)
        noise = rng.standard_normal((size, real.shape[1])).astype(np.float32) * 0.02
        vectors[start : start + size] = unit(share * one + (1 - share) * other + noise)
    return vectors


def made_up(num: int, dim: int = 384) -> Vectors:
    """Vectors around meanings, ten to each, and these around topics, a hundred to each, without an encoder."""
    rng = np.random.default_rng(0)
    topics = unit(rng.standard_normal((max(1, num // 1000), dim)))
    meanings = topics[rng.integers(len(topics), size=max(1, num // 10))]
    meanings = unit(meanings + unit(rng.standard_normal(meanings.shape)))
    vectors = np.empty((num, dim), np.float32)
    for start in range(0, num, 1 << 16):
        own = meanings[rng.integers(len(meanings), size=min(1 << 16, num - start))]
        spread = rng.uniform(0.3, 1.5, (len(own), 1))
        vectors[start : start + len(own)] = unit(own + spread * unit(rng.standard_normal(own.shape)))
    return vectors


def queries(vectors: Vectors) -> Vectors:
    """Half near-duplicates, with a cosine of 0.8 to 0.99 to one of the vectors; half mixtures of two."""
    rng = np.random.default_rng(1)
    half = NUM_QUERIES // 2
    one, other = vectors[rng.integers(len(vectors), size=(2, half))]
    cosine = rng.uniform(0.8, 0.99, (half, 1))
    noise = rng.standard_normal(one.shape)
    noise = unit(noise - (noise * one).sum(axis=1, keepdims=True) * one)
    near = cosine * one + np.sqrt(1 - cosine**2) * noise
    return unit(np.concatenate([near, one + other]))


def compare(vectors: Vectors, max_cosine: float) -> None:
    """Print a row for each index: how long a query takes, how many close texts it finds, what it holds in memory."""
    asked = queries(vectors)
    flat, memory, built = build(lambda: Flat(vectors.shape[1]), vectors)
    exact, base = highest(flat, vectors, asked)
    close = exact > max_cosine
    print(f"| {len(vectors):,} | flat | {base:,.0f} | 1 | 1 | {memory:,.0f} | {built:.0f} s |", flush=True)
    del flat
    lists, memory, built = build(lambda: Lists(len(vectors), PROBES[0]), vectors)
    for lists.num_probes in PROBES:
        found, micros = highest(lists, vectors, asked)
        recall = (found[close] > max_cosine).mean()
        name = f"{lists.num_lists:,} lists, {lists.num_probes} searched"
        cells = [f"{len(vectors):,}", name, f"{micros:,.0f}", f"{base / micros:.1f}", f"{recall:.3f}"]
        print(f"| {' | '.join(cells)} | {memory:,.0f} | {built:.0f} s |", flush=True)


def build(make: Callable[[], Index], vectors: Vectors) -> tuple[Index, float, float]:
    """The index of these vectors, the bytes that it takes for each, and the seconds of CPU that it took."""
    gc.collect()
    before, start = resident(), time.process_time()
    index = make()
    if isinstance(index, Lists):
        index.train(vectors[:: index.step])
    for first in range(0, len(vectors), BATCH):
        index.add(vectors[first : first + BATCH])
    return index, (resident() - before) / len(vectors), time.process_time() - start


def highest(index: Flat | Lists, vectors: Vectors, asked: Vectors) -> tuple[npt.NDArray[Any], float]:
    """The highest cosine found for each query, and microseconds of CPU a query, in batches as in a run."""
    start = time.process_time()
    rows = np.concatenate([index.search(asked[i : i + BATCH], 4) for i in range(0, len(asked), BATCH)])
    micros = (time.process_time() - start) / len(asked) * 1e6
    cosines = np.einsum("qnd,qd->qn", vectors[rows], asked)
    return np.where(rows < 0, -1, cosines).max(axis=1), micros


def time_dedup(model: str, vectors: Vectors, max_cosine: float) -> None:
    """The stage from tasks to file, where every fifth task is a near-duplicate and all vectors are stored."""
    num = len(vectors)
    rng = np.random.default_rng(2)
    again = rng.permutation(num)[: num // 5]
    noise = unit(rng.standard_normal((len(again), vectors.shape[1])))
    vectors = vectors.copy()
    vectors[again] = unit(vectors[rng.integers(num, size=len(again))] + 0.25 * noise)
    tasks = [Task(id=f"task_{i}", instruction=text) for i, text in enumerate(islice(texts(3), num))]
    print()
    with tempfile.TemporaryDirectory() as folder:
        encoder = Encoder(model, Path(folder) / "vectors")
        for rows in batches(range(num)):
            encoder.stored.append([encoder.key(tasks[i].instruction) for i in rows], vectors[rows])
        context = Context((), Scripted(lambda request: ""), Path(folder))
        kept: Sequence[Task] = ()
        for num_probes in (PROBES[0], 0):
            stage = Dedup(encoder=model, max_cosine=max_cosine, num_probes=num_probes)
            kept = timed(
                f"dedup of {num:,} tasks with stored vectors, num_probes = {num_probes}",
                partial(run_stages, [stage], {"dedup": f"{num_probes}.jsonl"}, tasks, context),
            )
            print(f"- {len(kept):,} of them are kept", flush=True)
        timed(
            f"its index rebuilt from the {len(kept):,} kept",
            lambda: EmbeddingIndex(encoder.encode, (task.instruction for task in kept), max_cosine),
        )
        new = encoder.encode([task.instruction for task in kept])
        timed("k_center: a tenth of them", lambda: k_center(new, len(new) // 10))
        timed("k_means: 512 clusters of them", lambda: clusters(new, 512))
        timed("vote_k: a tenth of them", lambda: vote_k(new, len(new) // 10))
        targets = new[np.random.default_rng(4).permutation(len(new))[:200]]
        timed("transport to 200 of them", lambda: transport_gradient(new, targets))


def timed(name: str, work: Callable[[], T]) -> T:
    start, cpu = time.perf_counter(), time.process_time()
    result = work()
    print(f"- {name}: {time.perf_counter() - start:.1f} s ({time.process_time() - cpu:.1f} s of CPU)", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default=Dedup.model_fields["encoder"].default, help="folder or hub name")
    parser.add_argument("--made-up", action="store_true", help="made-up vectors; the encoder is not asked for any")
    parser.add_argument("--sizes", type=int, nargs="*", default=[50_000, 200_000], help="texts in the index")
    parser.add_argument("--texts", type=int, default=20_000, help="texts that are embedded; the rest are mixtures")
    parser.add_argument("--dedup", type=int, default=200_000, help="tasks for the stage; 0: leave it out")
    parser.add_argument("--max-cosine", type=float, default=0.9)
    parser.add_argument("--cache", type=Path, default=Path("outputs/benchmark/vectors"))
    args = parser.parse_args()
    logging.basicConfig(format="- %(message)s")
    logging.getLogger("pipeline").setLevel(logging.INFO)
    wanted = list(islice(texts(), args.texts))
    if args.made_up:
        vectors_of = made_up
    else:
        encoded = timed(f"vectors of {len(wanted):,} texts", lambda: Encoder(args.encoder, args.cache).encode(wanted))
        vectors_of = partial(grow, encoded)
    print(f"FAISS on {import_faiss().omp_get_max_threads()} threads\n")
    print("| texts | index | CPU, µs a candidate | times faster | recall | bytes a text | built in |")
    print("|--:|---|--:|--:|--:|--:|--:|")
    for size in args.sizes:
        compare(vectors_of(size), args.max_cosine)
    if args.dedup:
        time_dedup(args.encoder, vectors_of(args.dedup), args.max_cosine)


if __name__ == "__main__":
    main()
