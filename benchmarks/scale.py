"""The pipeline's own time and memory a task, from a thousand tasks to ten million, with an engine that answers at once.

    python benchmarks/scale.py --sizes 1000 10000 100000

Each size is a run of its own, in a process of its own, through every stage but those that need a second model. Times
are CPU time of the process, since others may use the machine; what the scripted engine takes to make up its answers is
not counted. Beside it, in the same process, runs a bare loop that does the least that a program could do which loses
nothing: for three completions of 1 KB a task it makes a key, commits a row to SQLite and writes a line of JSON. The
column "to bare" is the ratio of the two; the last one says how time grows with the number of tasks: 1.00 is linear.

`--continue` takes the last task out of the file of each stage in turn, as if the run had been killed there, and says
how long a new process takes until it has put the task back, byte for byte.
"""

import argparse
import gc
import hashlib
import json
import math
import random
import resource
import sqlite3
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from novelty import spell

from pipeline import Request, read_seeds
from pipeline.cli.main import COLLECT
from pipeline.engines.scripted import Scripted
from pipeline.runs.context import Context
from pipeline.runs.run import Progress, run_stages
from pipeline.runs.settings import file_names
from pipeline.stage import Product, Stage
from pipeline.stages import Classify, Export, Filter, Instances, Instructions

T = TypeVar("T")
STAGES = ("instructions", "classify", "instances", "filter", "export")
NUM_WORDS = 50_000
NUM_READ = 1_000_000  # words of the text that inputs and outputs are taken from
SIZE = 1024  # characters of a completion of the bare loop
MOST_BARE = 100_000  # tasks of the bare loop


class Model:
    """Makes up answers of a usual length from the sampling seed, and counts the time that takes."""

    def __init__(self) -> None:
        self.words = [spell(rank) for rank in range(NUM_WORDS)]
        self.often = list(accumulate(1 / (rank + 2) for rank in range(NUM_WORDS)))  # Zipf's law
        self.read = random.Random(0).choices(self.words, cum_weights=self.often, k=NUM_READ)
        self.seconds = 0.0

    def __call__(self, request: Request) -> str:
        start = time.process_time()
        answer = self.answer(str(request.prompt), random.Random(request.sampling.seed))
        self.seconds += time.process_time() - start
        return answer

    def answer(self, prompt: str, rng: random.Random) -> str:
        if prompt.endswith("."):
            first = int(prompt.rsplit("\n", 1)[-1].removesuffix("."))
            items = [self.text(rng, 14) for _ in range(8)]
            return " " + "\n".join(f"{first + i}. {item}" if i else item for i, item in enumerate(items))
        if prompt.endswith("Classification:"):
            return rng.choice([" Yes", " No", " No"])
        if prompt.endswith("Class label:"):
            return f" one\nInput: {self.quote(rng, 20)}\nClass label: two\nInput: {self.quote(rng, 20)}"
        examples = [f"Input: {self.quote(rng, 20)}\nOutput: {self.quote(rng, 40)}" for _ in range(2)]
        return f"\n{examples[0]}\nExample 2\n{examples[1]}"

    def text(self, rng: random.Random, mean: int) -> str:
        """Words that are drawn one by one, so that no two texts have more in common than chance gives them."""
        num = length(rng, mean)
        return " ".join(rng.choices(self.words, cum_weights=self.often, k=num)).capitalize() + "."

    def quote(self, rng: random.Random, mean: int) -> str:
        """Words that follow each other in a text of a million, which is quicker; inputs and outputs need no more."""
        start = rng.randrange(NUM_READ - 100)
        return " ".join(self.read[start : start + length(rng, mean)]).capitalize() + "."


def length(rng: random.Random, mean: int) -> int:
    return max(4, round(rng.gammavariate(4, mean / 4)))


def stages_of(num_tasks: int, formats: tuple[str, ...]) -> list[Stage | Product]:
    export = Export(formats=formats) if formats else Export()
    return [Instructions(num_tasks=num_tasks), Classify(), Instances(), Filter(), export]


def go(stages: list[Stage | Product], model: Model, folder: Path, progress: Callable[[Progress], None]) -> None:
    """Run the stages as the command does."""
    gc.set_threshold(*COLLECT)
    engine = Scripted(model, window=64)
    engine.requests = deque(maxlen=1)  # type: ignore[assignment]  # it would remember them all
    run_stages(stages, file_names(stages), (), Context(read_seeds("general"), engine, folder), progress)


def measure(num_tasks: int, formats: tuple[str, ...], folder: Path) -> dict[str, tuple[float, float]]:
    """By stage: seconds of its own, and the peak of memory in MiB; a line on stderr as each ends."""
    model, found = Model(), dict[str, tuple[float, float]]()
    since = time.process_time(), model.seconds, time.monotonic()

    def ended(stage: str) -> None:
        nonlocal since
        now = time.process_time(), model.seconds, time.monotonic()
        cpu, elsewhere, clock = (after - before for after, before in zip(now, since, strict=True))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        found[stage], since = (cpu - elsewhere, peak), now
        print(
            f"{stage}: {cpu - elsewhere:,.0f} s of CPU, {elsewhere:,.0f} s more of the model's, "
            f"{clock:,.0f} s by the clock, {peak:,.0f} MiB, {used / 1e9:,.2f} GB on disk",
            file=sys.stderr,
        )

    def progress(made: Progress) -> None:
        if made.done >= made.wanted:
            ended(made.stage)

    go(stages_of(num_tasks, formats), model, folder, progress)
    ended("export")
    return found


def go_on(num_tasks: int, formats: tuple[str, ...], folder: Path, stage: str) -> str:
    """What it takes to go on from the last task of a stage: seconds until it is back, and to the end; peak in MiB."""
    begun, back = time.monotonic(), math.nan
    stages = stages_of(num_tasks, formats)
    path = folder / file_names(stages)[stage]
    before = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(max(0, before - (1 << 20)))
        file.truncate(before - len(file.read().splitlines(keepends=True)[-1]))

    def progress(made: Progress) -> None:
        nonlocal back
        if made.stage == stage and made.done >= made.wanted and math.isnan(back):
            back = time.monotonic() - begun

    go(stages, Model(), folder, progress)
    if path.stat().st_size != before:
        raise SystemExit(f"{path} has other bytes than before")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{stage}: {back:,.1f} s until it is back, {time.monotonic() - begun:,.1f} s to the end, {peak:,.0f} MiB"


def bare(num_tasks: int) -> float:
    """Seconds of a loop that hashes, journals with a commit a row, and writes lines: three completions a task."""
    text = ("All happy families are alike. " * 40)[:SIZE]
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "tasks.jsonl").open("w") as lines:
        journal = sqlite3.connect(Path(folder) / "journal.sqlite", isolation_level=None)
        journal.execute("PRAGMA journal_mode = WAL")
        journal.execute("PRAGMA synchronous = NORMAL")
        journal.execute("CREATE TABLE completions (key TEXT PRIMARY KEY, text TEXT NOT NULL)")
        begun = time.process_time()
        for number in range(3 * num_tasks):
            id = f"task_{number}"
            key = hashlib.sha256(json.dumps([id, text]).encode()).hexdigest()
            journal.execute("INSERT INTO completions VALUES (?, ?)", (key, text))
            lines.write(json.dumps({"id": id, "text": text}) + "\n")
            lines.flush()
        seconds = time.process_time() - begun
        journal.close()
    return seconds


def alone(work: Callable[..., T], *arguments: object) -> T:
    """What a function returns, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--formats", nargs="+", default=(), help="of the dataset; as `Export` has them, unless told")
    parser.add_argument("--continue", action="store_true", dest="again", help="also time how a killed run goes on")
    args = parser.parse_args()
    columns = [*(f"{name}, µs a task" for name in STAGES), "all, µs a task", "bare loop", "to bare", "memory", "growth"]
    print(f"| tasks | {' | '.join(columns)} |")
    print(f"|---:|{'---:|' * len(columns)}")
    before: tuple[int, float] | None = None
    for size in args.sizes:
        run = size, tuple(args.formats)
        with tempfile.TemporaryDirectory() as folder:
            least = alone(bare, min(size, MOST_BARE)) / min(size, MOST_BARE)
            found = alone(measure, *run, Path(folder))
            for name in STAGES[:-1] if args.again else ():
                print(f"{size:,} tasks, going on in {alone(go_on, *run, Path(folder), name)}", file=sys.stderr)
        total = sum(seconds for seconds, _ in found.values())
        growth = math.log(total / before[1]) / math.log(size / before[0]) if before else math.nan
        before = size, total
        cells = [f"{found[name][0] / size * 1e6:,.0f}" for name in STAGES]
        memory = max(peak for _, peak in found.values())
        print(
            f"| {size:,} | {' | '.join(cells)} | {total / size * 1e6:,.0f} | {least * 1e6:,.0f} | "
            f"{total / size / least:.1f} | {memory:,.0f} MiB | "
            f"{'' if math.isnan(growth) else f'{growth:.2f}'} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
