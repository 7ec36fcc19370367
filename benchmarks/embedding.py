"""What semantic novelty costs: microseconds a candidate and recall of each FAISS index, and the dedup stage itself.

Vectors are those of generated texts (real MiniLM); beyond `--texts` of them, random mixtures of two.

    python benchmarks/embedding.py --encoder FOLDER [--sizes 50000 1000000] [--texts 20000] [--dedup 50000]
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pipeline import Task
from pipeline.engines.scripted import Scripted
from pipeline.novelty.diversity import clusters, k_center, vote_k
from pipeline.novelty.embedding import NUM_PROBES, EmbeddingIndex, Encoder, import_faiss
from pipeline.novelty.encoder import Vectors, batches
from pipeline.novelty.transport import transport_gradient
from pipeline.runs.context import Context
from pipeline.runs.run import run_stages
from pipeline.stages.dedup import Dedup

T = TypeVar("T")

NUM_QUERIES = 1000


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


def measure(search: Callable[[Vectors], npt.NDArray[Any]], asked: Vectors, batch: int) -> tuple[float, Any]:
    """Microseconds a candidate, and the highest cosine found for each."""
    start = time.perf_counter()
    found = [search(asked[i : i + batch]) for i in range(0, len(asked), batch)]
    return (time.perf_counter() - start) / len(asked) * 1e6, np.concatenate(found)


def compare(vectors: Vectors, max_cosine: float) -> None:
    faiss = import_faiss()
    asked = queries(vectors)
    dim = vectors.shape[1]
    flat = faiss.IndexFlatIP(dim)
    flat.add(vectors)
    base, exact = measure(lambda rows: flat.search(rows, 4)[0][:, 0], asked, 128)
    close = exact >= max_cosine

    def row(name: str, micros: float, found: npt.NDArray[Any]) -> None:
        recall = (found[close] >= max_cosine - 1e-6).mean()
        print(f"| {len(vectors):,} | {name} | {micros:,.0f} | {base / micros:.1f} | {recall:.3f} |", flush=True)

    row("FlatIP, batches of 128", base, exact)
    row("FlatIP, batches of 1,000", *measure(lambda rows: flat.search(rows, 4)[0][:, 0], asked, 1000))
    num_lists = min(int(4 * len(vectors) ** 0.5), len(vectors) // 39)
    start = time.perf_counter()
    lists = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, num_lists, faiss.METRIC_INNER_PRODUCT)
    lists.train(vectors)
    lists.add(vectors)
    built = time.perf_counter() - start
    for lists.nprobe in (NUM_PROBES // 4, NUM_PROBES):
        micros, found = measure(lambda rows: lists.search(rows, 4)[0][:, 0], asked, 1000)
        row(f"IVF, {num_lists:,} lists, {lists.nprobe} probed (built in {built:.0f} s)", micros, found)


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
        kept = timed(
            f"dedup of {num:,} tasks with stored vectors",
            lambda: run_stages(
                [Dedup(encoder=model, max_cosine=max_cosine)], {"dedup": "5_dedup.jsonl"}, tasks, context
            ),
        )
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
    print(f"{name}: {time.perf_counter() - start:.1f} s ({time.process_time() - cpu:.1f} s of CPU)", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default=Dedup.model_fields["encoder"].default, help="folder or hub name")
    parser.add_argument("--sizes", type=int, nargs="*", default=[50_000, 1_000_000], help="texts in the index")
    parser.add_argument("--texts", type=int, default=20_000, help="texts that are embedded; the rest are mixtures")
    parser.add_argument("--dedup", type=int, default=50_000, help="tasks for the stage; 0: leave it out")
    parser.add_argument("--max-cosine", type=float, default=0.9)
    parser.add_argument("--cache", type=Path, default=Path("outputs/benchmark/vectors"))
    args = parser.parse_args()
    wanted = list(islice(texts(), args.texts))
    real = timed(f"vectors of {len(wanted):,} texts", lambda: Encoder(args.encoder, args.cache).encode(wanted))
    print(f"FAISS on {import_faiss().omp_get_max_threads()} threads\n")
    print("| texts | index | µs a candidate | times faster | recall |\n|--:|---|--:|--:|--:|")
    for size in args.sizes:
        compare(grow(real, size), args.max_cosine)
    if args.dedup:
        time_dedup(args.encoder, grow(real, args.dedup), args.max_cosine)


if __name__ == "__main__":
    main()
