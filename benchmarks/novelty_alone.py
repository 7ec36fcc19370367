"""The ROUGE-L filter alone, up to ten million texts, which need 5 GB.

    python benchmarks/novelty_alone.py --sizes 1000000 10000000

The pool is made-up texts of which none is an edit of another one, so that it need not be filtered; a quarter of the
texts that are decided about are edits of a text of the pool. "In a run" is ten times as many texts, of which those that
are new are added at once. The time with two threads says what searching in parallel would win.
"""

import argparse
import gc
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from novelty import MAX_ROUGE, cpu_seconds, made_up_texts, readable, resident, spell

from pipeline.novelty.rouge import RougeIndex


def alone(sizes: Sequence[int], num: int) -> None:
    """Print a row for each size, of our index alone."""
    originals = made_up_texts(seed=0, edits=0)
    pool: list[str] = []
    rng = random.Random(1)
    print("| pool | time a text | CPU | with two threads | in a run | build, a text | bytes a text | too close |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|")
    for size in sorted(sizes):
        pool += islice(originals, size - len(pool))
        *later, coming = ([arriving(pool, originals, rng) for _ in range(num)] for _ in range(11))
        gc.collect()
        before, start = resident(), cpu_seconds()
        index = RougeIndex(pool, MAX_ROUGE)
        build, memory = cpu_seconds() - start, resident() - before
        cpu, start = cpu_seconds(), time.perf_counter()
        close = [index.nearest(text).text is not None for text in coming]
        seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
        start = time.perf_counter()
        with ThreadPoolExecutor(2) as threads:
            assert [one.text is not None for one in threads.map(index.nearest, coming)] == close
        both = time.perf_counter() - start
        start = cpu_seconds()
        for text in (text for texts in later for text in texts):
            if index.nearest(text).text is None:
                index.add(text)
        run = cpu_seconds() - start
        cells = [f"{size:,}", *map(readable, (seconds / num, cpu / num, both / num, run / num / 10, build / size))]
        print(f"| {' | '.join(cells)} | {memory / size:,.0f} | {sum(close):,} of {num:,} |", flush=True)
        del index


def arriving(pool: Sequence[str], originals: Iterator[str], rng: random.Random) -> str:
    return edited(rng.choice(pool), rng) if rng.random() < 0.25 else next(originals)


def edited(text: str, rng: random.Random, num_words: int = 200_000) -> str:
    """The text after one to eight edits; the words put in are as frequent as those of `made_up_texts`."""
    words = text.split()
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(words) + 1)
        words[at : at + rng.randint(0, 1)] = [spell(int(num_words ** rng.random()))] * rng.randint(0, 1)
    return " ".join(words) or text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000], help="texts in the pool")
    parser.add_argument("--num", type=int, default=2_000, help="how many texts are decided about")
    args = parser.parse_args()
    alone(args.sizes, args.num)


if __name__ == "__main__":
    main()
