"""The exact ROUGE-L index on texts made to slow it down, beside `rouge_score` on the very same pairs.

    python benchmarks/adversarial.py

For each kind a pool of that kind is built, and the texts that come next are decided about. `rouge_score` runs in this
process, without the cost of a pool of processes, on as many pairs as `--seconds` allow; the rest is extrapolated. It is
given our tokens, since its own know no letters but Latin ones; on ASCII text they are the same.
"""

import argparse
import random
import time
from collections.abc import Callable

from rouge_score import rouge_scorer, tokenizers

from pipeline.novelty.rouge import RougeIndex, tokens

MAX_ROUGE = 0.7
NUM = 20  # texts decided about
WORDS = [f"word{number}" for number in range(3000)]
SCRIPTS = {
    "Chinese": (0x4E00, 0x5200),
    "Arabic": (0x0627, 0x064A),
    "Thai": (0x0E01, 0x0E2E),
    "emoji": (0x1F300, 0x1F5FF),
}


class Tokenizer(tokenizers.Tokenizer):  # type: ignore[misc]
    def tokenize(self, text: str) -> list[str]:
        return tokens(text)


def kinds() -> dict[str, tuple[int, Callable[[random.Random], str]]]:
    """By name: how many texts are in the pool, and how the next one is made."""
    same = " ".join(WORDS[:60])
    found: dict[str, tuple[int, Callable[[random.Random], str]]] = {
        "2,000 words": (1000, lambda rng: " ".join(rng.choices(WORDS, k=2000))),
        "2,000 of ten frequent words": (1000, lambda rng: " ".join(rng.choices(WORDS[:10], k=2000))),
        "60 words in common, then 30 others": (5000, lambda rng: f"{same} {' '.join(rng.choices(WORDS, k=30))}"),
        "the same words in another order": (5000, lambda rng: " ".join(rng.sample(WORDS[:40], 40))),
        "one word repeated": (2000, lambda rng: "again " * rng.randrange(1, 2000)),
        "empty or only punctuation": (5000, lambda rng: rng.choice(["", " ", "?!", "…"])),
    }
    for name, (first, last) in SCRIPTS.items():
        found[f"{name}, no Latin letter"] = (
            5000,
            lambda rng, first=first, last=last: "".join(  # type: ignore[misc]
                chr(rng.randint(first, last)) + (" " if rng.random() < 0.2 else "") for _ in range(60)
            ),
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="for rouge_score, for each kind")
    args = parser.parse_args()
    scorer = rouge_scorer.RougeScorer(["rougeL"], tokenizer=Tokenizer())
    print("| texts | pool | `RougeIndex`, a text | `rouge_score`, a text | times faster | wrong decisions |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, (size, make) in kinds().items():
        rng = random.Random(name)
        pool = [make(rng) for _ in range(size)]
        coming = [make(rng) for _ in range(NUM)]
        index = RougeIndex(pool, MAX_ROUGE)
        index.nearest(coming[0])
        start = time.perf_counter()
        decided = [index.nearest(text).text is not None for text in coming]
        ours = (time.perf_counter() - start) / NUM
        seconds, wrong, checked = reference(scorer, pool, coming, decided, args.seconds)
        print(
            f"| {name} | {size:,} | {ours * 1e6:,.0f} µs | {seconds * 1e3:,.0f} ms | {seconds / ours:,.0f} | "
            f"{wrong} of {checked} |",
            flush=True,
        )


def reference(
    scorer: rouge_scorer.RougeScorer, pool: list[str], coming: list[str], decided: list[bool], most: float
) -> tuple[float, int, int]:
    """Seconds a text; how many of the decisions it had time to check are wrong, and how many it checked."""
    start, pairs, wrong, checked = time.perf_counter(), 0, 0, 0
    for text, rejected in zip(coming, decided, strict=True):
        best = 0.0
        for other in pool:
            best = max(best, scorer.score(text, other)["rougeL"].fmeasure)
            pairs += 1
            if time.perf_counter() - start > most:
                break
        else:
            if tokens(text):  # of a text without any, `rouge_score` says 0; ours compares it as it stands
                checked += 1
                wrong += (best > MAX_ROUGE) != rejected
            continue
        break
    return (time.perf_counter() - start) / pairs * len(pool), wrong, checked


if __name__ == "__main__":
    main()
