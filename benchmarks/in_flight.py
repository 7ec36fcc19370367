"""How fast raw vLLM is with so many requests in flight: what a window costs that is smaller than the engine could take.

    python benchmarks/in_flight.py

The prompts of a run on nano, stage by stage, put straight to vLLM's engine; a new one goes in when one is done.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import ways
from ways import Prompts, Spent

from pipeline.engines.vllm import VLLM

STAGES = ("instructions", "classify", "instances")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[16, 32, 64, 128, 256])
    args = parser.parse_args()
    speeds: dict[int, list[dict[str, Spent]]] = {most: [] for most in args.in_flight}
    with tempfile.TemporaryDirectory() as temporary, ways.child() as call:
        recorded = Path(temporary) / "recorded"
        call(ways.sprout, recorded, args.tasks)
        prompts = ways.prompts_of(recorded)
        for _ in range(args.rounds):
            for most in args.in_flight:
                speeds[most].append(call(kept_in_flight, prompts, most))
    print(f"| in flight | {', tokens/s | '.join(STAGES)}, tokens/s |\n|---:|{'---:|' * len(STAGES)}")
    best = {stage: max(median(one[stage].speed for one in runs) for runs in speeds.values()) for stage in STAGES}
    for most, runs in speeds.items():
        middle = {stage: median(one[stage].speed for one in runs) for stage in STAGES}
        cells = [f"{middle[stage]:,.0f} ({middle[stage] / best[stage]:.2f})" for stage in STAGES]
        print(f"| {most} | {' | '.join(cells)} |")


def kept_in_flight(engine: VLLM, prompts: Prompts, most: int) -> dict[str, Spent]:
    """By stage, with `most` requests in flight for as long as there are any to add."""
    from vllm.sampling_params import RequestOutputKind

    work, found, number = ways.loaded(engine).llm_engine, {}, 0
    for stage, asked in prompts.items():
        outputs: list[Any] = []
        start, at = time.perf_counter(), 0
        while len(outputs) < len(asked):
            while at < len(asked) and at - len(outputs) < most:
                prompt, sampling = asked[at]
                params = ways.sampling_params(sampling, output_kind=RequestOutputKind.FINAL_ONLY)
                work.add_request(f"{number}", prompt, params)
                at, number = at + 1, number + 1
            outputs += [output for output in work.step() if output.finished]
        found[stage] = ways.spent(outputs, time.perf_counter() - start)
    return found


if __name__ == "__main__":
    main()
