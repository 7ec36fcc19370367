"""What the shared prefix of the stage `instances` is worth: its requests a second with prefix caching on and off.

    python benchmarks/prefix.py

The stage itself, on nano and the tasks of one run, in engines of their own that differ in nothing else; each time it
begins with an empty cache. vLLM shares whole blocks of tokens, by default of 128 on a CPU and of 16 on a GPU, so much
of a short prompt is computed again: smaller blocks are measured too. Medians over rounds in turn, with the lowest and
the highest ratio.
"""

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import ways
from ways import Spent

DEMOS = {
    "as in the quick start": [],
    "as many as in the paper": ["instances.num_input_first_demos=11", "instances.num_output_first_demos=16"],
}
OFF = "off"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--block-sizes", type=int, nargs="+", default=[128, 32])
    args = parser.parse_args()
    found: dict[tuple[str, str], list[Spent]] = {}
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        engines = {OFF: stack.enter_context(ways.child(enable_prefix_caching=False))}
        for size in args.block_sizes:
            engines[f"on, blocks of {size}"] = stack.enter_context(ways.child(block_size=size))
        recorded = Path(temporary) / "recorded"
        engines[OFF](ways.sprout, recorded, args.tasks)
        for number in range(-1, args.rounds):  # the first is for warming up
            for demos, changes in DEMOS.items():
                for caching in list(engines) if number % 2 == 0 else reversed(list(engines)):
                    folder = Path(temporary) / f"{number}{demos}{caching}"
                    spent = engines[caching](ways.instances, folder, recorded, changes).whole
                    if number >= 0:
                        found.setdefault((demos, caching), []).append(spent)
                        print(f"round {number + 1}, {demos}, {caching}: {rate(spent):.1f} requests/s", flush=True)
    show(found)


def rate(spent: Spent) -> float:
    return spent.requests / spent.seconds


def show(found: dict[tuple[str, str], list[Spent]]) -> None:
    print("\n| demos | prefix caching | tokens a prompt | of them cached | tokens a completion | requests/s | to off |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for (demos, caching), runs in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] != OFF)):
        one, base = runs[0], found[demos, OFF]
        ratios = [rate(on) / rate(off) for on, off in zip(runs, base, strict=True)]
        cached = one.cached_tokens / one.prompt_tokens
        print(
            f"| {demos} | {caching} | {one.prompt_tokens / one.requests:.0f} | {cached:.0%} "
            f"| {one.tokens / one.requests:.0f} | {median(map(rate, runs)):.1f} "
            f"| {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |"
        )


if __name__ == "__main__":
    main()
