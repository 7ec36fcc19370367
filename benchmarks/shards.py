"""Shards of a run merged, against the exact filter over all of their tasks in a row: the same tasks, and the time.

python benchmarks/shards.py --shards 16 --tasks 2000
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from novelty import made_up_texts

from pipeline import Request, Task, run
from pipeline.engines.scripted import Scripted
from pipeline.novelty.rouge import RougeIndex
from pipeline.runs.merge import merge
from pipeline.runs.shards import Shard, write_finished
from pipeline.runs.store import read_kept
from pipeline.stages.instructions import Instructions

SEEDS = [Task(id=f"seed_{number}", instruction=text) for number, text in enumerate(islice(made_up_texts(1), 20))]
FILE = "1_instructions.jsonl"


def writes(texts: Iterator[str]) -> Scripted:
    """A model that goes on with the list of its prompt by seven of the texts."""

    def answer(request: Request) -> str:
        first = int(str(request.prompt).rsplit("\n", 1)[-1].removesuffix("."))
        return " " + "\n".join(f"{first + i}. {text}" if i else text for i, text in enumerate(islice(texts, 7)))

    return Scripted(answer, window=64)


def make(folder: Path, shard: Shard, num_tasks: int, overlap: int) -> Path:
    """A shard whose texts begin where those of the shard before are not yet at their end."""
    path = Path(shard.folder(str(folder / "mine")))
    texts = islice(made_up_texts(0), (shard.number - 1) * overlap, None)
    stage = Instructions(num_tasks=num_tasks, english=False, random_seed=shard.random_seed(0))
    run([stage], SEEDS, writes(texts), path)
    write_finished(path, shard)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--tasks", type=int, default=2_000, help="tasks of each shard")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        overlap = args.tasks * 9 // 10
        folders = [make(folder, Shard(n, args.shards), args.tasks, overlap) for n in range(1, args.shards + 1)]
        texts = [task.instruction for path in folders for task in read_kept(path / FILE)]
        start = time.process_time()
        merge(folders, folder / "mine")
        merged = time.process_time() - start
        index, expected = RougeIndex(), list[str]()
        start = time.process_time()
        for text in texts:
            if index.nearest(text).text is None:
                index.add(text)
                expected.append(text)
        exact = time.process_time() - start
        found = [task.instruction for task in read_kept(folder / "mine" / FILE)]
    print(f"{args.shards} shards of {args.tasks:,}: {len(found):,} of {len(texts):,} tasks are kept")
    print(f"the same as the exact filter keeps of all in a row: {'yes' if found == expected else 'NO'}")
    print(f"the merge took {merged / len(texts) * 1e6:.0f} µs of CPU a task, the filter {exact / len(texts) * 1e6:.0f}")
    raise SystemExit(found != expected)


if __name__ == "__main__":
    main()
