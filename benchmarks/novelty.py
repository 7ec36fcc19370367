"""The ROUGE-L filter beside what else is used for it: time, memory and wrong decisions, all in one run.

    python benchmarks/novelty.py --sizes 1000 10000 50000

The corpus is made here: words by Zipf's law, half of the texts with a frequent opening, a quarter of them edits of an
earlier one; or it is a file, an instruction a line. It is filtered as in a run: a text joins the pool if it is not too
close to it. At each size every method decides about the texts that come next, each against the same pool. For the
approximate methods: `pip install datasketch semhash`.

`novelty_alone.py` measures the index alone, up to ten million texts.
"""

import argparse
import gc
import importlib.util
import math
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import accumulate, islice
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from rouge_score import rouge_scorer

from pipeline.novelty.rouge import RougeIndex, tokens

MAX_ROUGE = 0.7
PROCESSES = 2
ANY = sys.maxsize
FORK = get_context("fork")  # as both programs did

Decide = Callable[[Sequence[str]], list[bool]]  # which of these texts are rejected


class Method(NamedTuple):
    name: str
    build: Callable[[Sequence[str]], Decide]
    num: int = ANY  # decides about no more texts than this,
    pairs: int = ANY  # compares no more pairs than this (but two texts with all of the pool),
    largest: int = ANY  # and runs on no larger pool
    linear: bool = False  # its time on a larger pool can be extrapolated


class Measured(NamedTuple):
    seconds: float  # for each text decided about
    cpu: float  # seconds of all processes together, for each text decided about
    build: float  # seconds for each text of the pool
    memory: float  # bytes for each text of the pool, besides the text
    rejected: list[bool]


def reference(pool: Sequence[str]) -> Decide:
    """Self-Instruct: a new pool of processes scores every pair of texts."""
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)

    def rejects(text: str) -> bool:
        with FORK.Pool(PROCESSES) as processes:
            scores = processes.map(partial(scorer.score, text), pool)
        return any(score["rougeL"].fmeasure > MAX_ROUGE for score in scores)

    return one_by_one(rejects)


def alpaca(pool: Sequence[str]) -> Decide:
    """Stanford Alpaca: the same, but the pool is split into tokens once."""
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    split = [scorer._tokenizer.tokenize(text) for text in pool]

    def rejects(text: str) -> bool:
        with FORK.Pool(PROCESSES) as processes:
            scores = processes.map(partial(rouge_scorer._score_lcs, scorer._tokenizer.tokenize(text)), split)
        return any(score.fmeasure > MAX_ROUGE for score in scores)

    return one_by_one(rejects)


def rapidfuzz(pool: Sequence[str]) -> Decide:
    index = RougeIndex(pool, MAX_ROUGE)
    index.closest(pool[0])
    return one_by_one(lambda text: index.closest(text).score > MAX_ROUGE)


def ours(pool: Sequence[str]) -> Decide:
    index = RougeIndex(pool, MAX_ROUGE)
    return one_by_one(lambda text: index.nearest(text).text is not None)


def minhash(jaccard: float, pool: Sequence[str]) -> Decide:
    """Words as a set. Texts of one length with F1 0.7 share 0.7 of their words: a Jaccard similarity of 0.538."""
    from datasketch import MinHash, MinHashLSH

    def sketch(text: str) -> MinHash:
        made = MinHash(num_perm=128)
        made.update_batch([word.encode() for word in tokens(text)])
        return made

    index = MinHashLSH(threshold=jaccard, num_perm=128)
    for row, text in enumerate(pool):
        index.insert(row, sketch(text))
    return one_by_one(lambda text: bool(index.query(sketch(text))))


def semhash(folder: Path, pool: Sequence[str]) -> Decide:
    from model2vec import StaticModel
    from semhash import SemHash

    index = SemHash.from_records(list(pool), model=StaticModel.from_pretrained(folder))

    def decide(texts: Sequence[str]) -> list[bool]:
        selected = set(index.deduplicate(list(texts), threshold=0.9).selected)
        return [text not in selected for text in texts]

    return decide


def one_by_one(rejects: Callable[[str], bool]) -> Decide:
    return lambda texts: [rejects(text) for text in texts]


def methods(encoder: Path | None, largest: int) -> list[Method]:
    """The reference first; ours second, as it is the truth for the others."""
    chosen = [
        Method(f"`rouge_score`, Pool({PROCESSES})", reference, 10, 100_000, largest=50_000, linear=True),
        Method("**`RougeIndex`**", ours),
        Method(f"pool tokenised once, Pool({PROCESSES})", alpaca, 10, 100_000, largest=50_000, linear=True),
        Method("rapidfuzz on the whole pool", rapidfuzz, pairs=20_000_000),
    ]
    if importlib.util.find_spec("datasketch"):
        chosen += [
            Method(f"datasketch, Jaccard {jaccard}", partial(minhash, jaccard), largest=largest)
            for jaccard in (0.7, 0.538)
        ]
    else:
        print("Left out: datasketch is not installed.")
    if not importlib.util.find_spec("semhash"):
        print("Left out: semhash is not installed.")
    elif not encoder:
        print("Left out: semhash needs an --encoder.")
    else:
        chosen.append(Method("semhash, cosine 0.9", partial(semhash, encoder), largest=largest))
    return chosen


def made_up_texts(seed: int, num_words: int = 200_000, edits: float = 0.25) -> Iterator[str]:
    """Texts of 15 words on average; words as frequent as their rank by Zipf's law says, and frequent ones short.

    Args:
        edits: The share of them that are edits of an earlier one.
    """
    rng = random.Random(seed)
    words = [spell(rank) for rank in range(num_words)]
    cumulative = list(accumulate(1 / (rank + 2) for rank in range(num_words)))
    draw = partial(rng.choices, words, cum_weights=cumulative)
    openings = [draw(k=rng.randint(2, 5)) for _ in range(500)]
    common = list(accumulate(1 / (rank + 2) for rank in range(len(openings))))
    texts: list[str] = []
    while True:
        if texts and rng.random() < edits:
            text = texts[int(rng.random() * len(texts))].split()
            for _ in range(rng.randint(1, 8)):
                at = rng.randrange(len(text) + 1)
                text[at : at + rng.randint(0, 1)] = draw(k=rng.randint(0, 1))
        else:
            opening = rng.choices(openings, cum_weights=common)[0] if rng.random() < 0.5 else []
            text = opening + draw(k=max(1, round(rng.gammavariate(4, 3.3))))
        texts.append(" ".join(text or draw(k=3)))
        yield texts[-1]


def spell(number: int) -> str:
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    text = syllables[number % 70]
    while number := number // 70:
        text += syllables[number % 70]
    return text


def pools(texts: Iterator[str], sizes: Sequence[int], num: int) -> Iterator[tuple[list[str], list[str]]]:
    """The pool at each size, and the texts that come next."""
    index, kept, seconds = RougeIndex(max_rouge=MAX_ROUGE), list[str](), 0.0
    for size in sorted(sizes):
        start = time.perf_counter()
        while len(kept) < size and (text := next(texts, None)) is not None:
            if index.nearest(text).text is None:
                index.add(text)
                kept.append(text)
        seconds += time.perf_counter() - start
        coming = list(islice(texts, num))
        if len(kept) < size or not coming:
            raise SystemExit(f"the corpus ends at a pool of {len(kept):,}: too small for --sizes {size}")
        print(f"\nA pool of {size:,}, filled in {seconds:.1f} s.", end=" ", flush=True)
        yield kept, coming


def compare(pool: Sequence[str], texts: Sequence[str], chosen: Sequence[Method], linear: dict[str, float]) -> None:
    """Print a row for each method; `linear` remembers the seconds a text of the pool of those that are extrapolated."""
    results: dict[str, Measured] = {}
    for method in chosen:
        if len(pool) <= method.largest:
            num = min(method.num, max(2, method.pairs // len(pool)))
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:  # to tell its memory apart
                results[method.name] = process.submit(measure, method, pool, texts[:num]).result()
            if method.linear:
                linear[method.name] = results[method.name].seconds / len(pool)
    truth = results[chosen[1].name].rejected
    first = linear.get(chosen[0].name, math.nan) * len(pool)
    print(f"{sum(truth):,} of the next {len(texts):,} texts are too close to it.\n")
    print(
        "| pool | method | time a text | CPU | times faster | build, a text | bytes a text | kept + rejected wrongly |"
    )
    print("|---:|---|---:|---:|---:|---:|---:|---:|")
    for method in chosen:
        cells = [f"{len(pool):,}", method.name]
        if method.name in results:
            result = results[method.name]
            wrong = Counter(zip(result.rejected, truth, strict=False))
            cells += [readable(result.seconds), readable(result.cpu), short(first / result.seconds)]
            cells += [readable(result.build), f"{result.memory:,.0f}"]
            cells += [f"{wrong[False, True]} + {wrong[True, False]} of {wrong.total():,}"]
        elif method.name in linear:
            seconds = linear[method.name] * len(pool)
            cells += [f"{readable(seconds)} (extrapolated)", "", short(first / seconds), "", "", ""]
        else:
            cells += ["not run", "", "", "", "", ""]
        print(f"| {' | '.join(cells)} |", flush=True)


def measure(method: Method, pool: Sequence[str], texts: Sequence[str]) -> Measured:
    method.build(pool[:100])(texts[:2])  # imports and models are not counted
    gc.collect()
    before, start = resident(), time.perf_counter()
    decide = method.build(pool)
    build, memory = time.perf_counter() - start, resident() - before
    cpu, start = cpu_seconds(), time.perf_counter()
    rejected = decide(texts)
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    return Measured(seconds / len(texts), cpu / len(texts), build / len(pool), memory / len(pool), rejected)


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in used)


def resident() -> int:
    """Bytes of memory this process holds (Linux)."""
    return 1024 * int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])


def readable(seconds: float) -> str:
    scale, unit = next(((s, u) for s, u in ((1, "s"), (1e3, "ms")) if seconds * s >= 1), (1e6, "µs"))
    return f"{short(seconds * scale)} {unit}"


def short(number: float) -> str:
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000], help="how many texts are in the pool")
    parser.add_argument("--num", type=int, default=2_000, help="how many texts are decided about")
    parser.add_argument("--corpus", type=Path, help="a file with an instruction a line, instead of made-up ones")
    parser.add_argument("--encoder", type=Path, help="folder of a model2vec model, for semhash")
    parser.add_argument("--largest", type=int, default=200_000, help="largest pool for the approximate methods")
    args = parser.parse_args()
    texts = iter(args.corpus.read_text().splitlines()) if args.corpus else made_up_texts(seed=0)
    chosen = methods(args.encoder, args.largest)
    linear: dict[str, float] = {}
    for pool, coming in pools(texts, args.sizes, args.num):
        compare(pool, coming, chosen, linear)


if __name__ == "__main__":
    main()
