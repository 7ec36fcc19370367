"""What the coordinator of the engine `ray` costs: requests a second, and CPU time a request, with order and journal.

    python benchmarks/coordinator.py --replicas 8 64

Replicas are simulated: each is a process of its own on a local Ray cluster, and answers a request after a random time
without computing anything. Prompts have 2 KB, answers 1 KB. A thousand requests and more are asked before the clock
starts, until all replicas are at work. CPU time is that of this process with all its threads: what the machine does
besides for the replicas counts in the wall clock alone. Needs the ray extra, and 80 MB of memory for each replica. Some
hundred replicas wake up so often that they take all of two cores: `--step 0.2` lets them do so less often.
"""

import argparse
import os
import random
import secrets
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.engines.base import Completion, Request, Sampling
from pipeline.resources import NANO

PROMPT, ANSWER = 2048, 1024  # characters


class Simulated:
    """Answers each request after a random time, `seconds` on average."""

    def __init__(self, model: str, options: dict[str, Any]) -> None:
        self.seconds, self.pause = float(options["seconds"]), float(options["step"])
        self.due: dict[str, tuple[float, Request]] = {}
        self.text = "a" * ANSWER

    def add(self, name: str, request: Request) -> None:
        self.due[name] = time.monotonic() + random.uniform(0.5, 1.5) * self.seconds, request

    def step(self) -> list[tuple[str, Completion]]:
        time.sleep(self.pause)
        now = time.monotonic()
        names = [name for name, (due, _) in self.due.items() if due <= now]
        return [(name, Completion(id=self.due.pop(name)[1].id, text=self.text, prompt_tokens=512)) for name in names]

    def abort(self, names: Iterable[str]) -> None:
        for name in names:
            self.due.pop(name, None)

    def close(self) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--slots", type=int, default=64, help="requests that a replica holds")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=2.0, help="for an answer, on average")
    parser.add_argument("--step", type=float, default=0.02, help="seconds of a step of a replica")
    args = parser.parse_args()
    print("| replicas | in flight | requests/s | most there can be | CPU of the coordinator a request |")
    print("|---:|---:|---:|---:|---:|")
    for replicas in args.replicas:
        speed, cpu = measure(replicas, args)
        limit = replicas * args.slots / args.seconds
        print(
            f"| {replicas} | {replicas * args.slots:,} | {speed:,.0f} | {limit:,.0f} | {cpu * 1e6:.0f} µs |", flush=True
        )


def measure(replicas: int, args: argparse.Namespace) -> tuple[float, float]:
    """Requests a second, and seconds of CPU for each."""
    from pipeline.engines.ray.cluster import LOCAL_SETTINGS

    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # one for all sizes, as Ray reads it once
    os.environ |= LOCAL_SETTINGS
    import ray

    from pipeline.engines.ray import Ray
    from pipeline.runs.budget import Budget
    from pipeline.runs.journal import FILE, Journal
    from pipeline.runs.recorded import Recorded

    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "configure_logging": False}
    ray.init(address="local", num_cpus=replicas, object_store_memory=200 << 20, **quiet)
    options: dict[str, Any] = {"slots": args.slots, "window": replicas * args.slots, "chat": False}
    options |= {"seconds": args.seconds, "step": args.step}
    engine = Ray(str(NANO), num_replicas=replicas, replica="coordinator:Simulated", **options)
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / FILE) as journal:
        recorded = Recorded(engine, journal, "measured", Budget())
        completions = recorded.generate(requests())
        handed_out = 0
        while handed_out < 1000 or not engine._fleet or len(engine._fleet.live) < replicas:
            next(completions)
            handed_out += 1
        wall, cpu = time.perf_counter(), time.process_time()
        for number in range(args.requests):
            assert next(completions).id == f"r{handed_out + number}"
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        completions.close()
    engine.close()
    ray.shutdown()
    return args.requests / wall, cpu / args.requests


def requests() -> Iterator[Request]:
    prefix = "word " * (PROMPT // 5)
    number = 0
    while True:
        yield Request(id=f"r{number}", prompt=f"{prefix}{number}", sampling=Sampling(seed=number))
        number += 1


if __name__ == "__main__":
    main()
