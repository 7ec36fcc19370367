"""The pipeline's own time and memory a task, from a thousand tasks to a million, with an engine that answers at once.

    python benchmarks/scale.py --sizes 1000 10000 100000

Each size is a run of its own, in a process of its own, through every stage but those that need a second model. The time
the scripted engine takes to make up its answers is not counted. The last column says how time grows with the number of
tasks: 1.00 is linear.
"""

import argparse
import hashlib
import math
import random
import resource
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path

from novelty import spell

from pipeline import Request, Task, read_seeds
from pipeline.engines.scripted import Scripted
from pipeline.runs.context import Context
from pipeline.runs.run import run_stages
from pipeline.runs.settings import file_names
from pipeline.stage import Product, Stage
from pipeline.stages import Classify, Export, Filter, Instances, Instructions

STAGES = ("instructions", "classify", "instances", "filter", "export")
NUM_WORDS = 50_000


class Model:
    """Makes up answers of a usual length from the sampling seed, and counts the time that takes."""

    def __init__(self) -> None:
        self.words = [spell(rank) for rank in range(NUM_WORDS)]
        self.often = list(accumulate(1 / (rank + 2) for rank in range(NUM_WORDS)))  # Zipf's law
        self.seconds = 0.0

    def __call__(self, request: Request) -> str:
        start = time.perf_counter()
        answer = self.answer(str(request.prompt), random.Random(request.sampling.seed))
        self.seconds += time.perf_counter() - start
        return answer

    def answer(self, prompt: str, rng: random.Random) -> str:
        if prompt.endswith("."):
            first = int(prompt.rsplit("\n", 1)[-1].removesuffix("."))
            items = [self.text(rng, 14) for _ in range(8)]
            return " " + "\n".join(f"{first + i}. {item}" if i else item for i, item in enumerate(items))
        if prompt.endswith("Classification:"):
            return rng.choice([" Yes", " No", " No"])
        if prompt.endswith("Class label:"):
            return f" one\nInput: {self.text(rng, 20)}\nClass label: two\nInput: {self.text(rng, 20)}"
        examples = [f"Input: {self.text(rng, 20)}\nOutput: {self.text(rng, 40)}" for _ in range(2)]
        return f"\n{examples[0]}\nExample 2\n{examples[1]}"

    def text(self, rng: random.Random, mean: int) -> str:
        num = max(4, round(rng.gammavariate(4, mean / 4)))
        return " ".join(rng.choices(self.words, cum_weights=self.often, k=num)).capitalize() + "."


def measure(num_tasks: int) -> dict[str, tuple[float, float, str]]:
    """By stage: seconds of its own, peak of memory in MiB, and the beginning of a hash of its file."""
    model, found = Model(), {}
    stages: list[Stage | Product] = [Instructions(num_tasks=num_tasks), Classify(), Instances(), Filter(), Export()]
    seeds = read_seeds("general")
    tasks: Sequence[Task] = seeds
    with tempfile.TemporaryDirectory() as folder:
        engine = Scripted(model, window=64)
        engine.requests = deque(maxlen=1)  # type: ignore[assignment]  # it would remember them all
        context = Context(seeds, engine, Path(folder))
        for stage, file in zip(stages, file_names(stages).values(), strict=True):
            begun, elsewhere = time.perf_counter(), model.seconds
            tasks = run_stages([stage], {stage.name: file}, tasks, context)
            seconds = time.perf_counter() - begun - (model.seconds - elsewhere)
            path = Path(folder) / file
            data = path.read_bytes() if path.is_file() else b""
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            found[stage.name] = seconds, peak, hashlib.sha256(data).hexdigest()[:8]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    args = parser.parse_args()
    print(f"| tasks | {' | '.join(f'{name}, µs a task' for name in STAGES)} | all, µs a task | memory | growth |")
    print(f"|---:|{'---:|' * (len(STAGES) + 3)}")
    before: tuple[int, float] | None = None
    for size in args.sizes:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            found = process.submit(measure, size).result()
        total = sum(seconds for seconds, _, _ in found.values())
        growth = math.log(total / before[1]) / math.log(size / before[0]) if before else math.nan
        before = size, total
        cells = [f"{found[name][0] / size * 1e6:,.0f}" for name in STAGES]
        memory = max(peak for _, peak, _ in found.values())
        print(
            f"| {size:,} | {' | '.join(cells)} | {total / size * 1e6:,.0f} | {memory:,.0f} MiB | "
            f"{'' if math.isnan(growth) else f'{growth:.2f}'} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
