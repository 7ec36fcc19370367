"""Kill a run at random moments, over and over: what it ends with, and what it paid for twice.

    python benchmarks/chaos.py --kills 200
    python benchmarks/chaos.py --kills 200 --share 0.2      # and one in five requests meets a fault of the server
    python benchmarks/chaos.py --kills 20 --engine ray      # replicas and simulated machines, while the run goes on

A server of our own answers, in a process of its own. A run that is left alone says how many requests there must be and
which bytes come out. Then runs are started and killed with all their processes, until one ends by itself; then the next
run begins, until there were as many kills as asked for.
"""

import argparse
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pipeline.runs.files import stage_files

ROOT = Path(__file__).parent.parent
SERVER = ROOT / "tests" / "engines" / "chaos_server.py"
WINDOW = 4


class Ended(NamedTuple):
    """What came out of a run that was killed now and then."""

    kills: Counter[str]  # by the stage they fell in
    requests: int  # answered by the server
    hashes: dict[str, str]


@contextmanager
def served(folder: Path, share: float) -> Iterator[tuple[str, Path]]:
    """A server's url, and the file it writes a line to for each request."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "server.log"
    log.touch()
    options = {"port": port, "share": share, "seed": 1, "log": log, "answers": "sprout"}
    command = [sys.executable, str(SERVER), *(f"--{name}={value}" for name, value in options.items())]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if process.poll() is not None:
                raise SystemExit("the server did not start")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1", log
    finally:
        process.kill()
        process.wait()


def sprout(folder: Path, url: str, num_tasks: int) -> subprocess.Popen[bytes]:
    """Start a run in a process group of its own."""
    settings = {
        "engine.url": url, "engine.chat": "false", "engine.window": WINDOW, "instructions.num_tasks": num_tasks,
        "instructions.window": WINDOW,
    }  # fmt: skip
    command = [sys.executable, "-m", "pipeline", "run", "--quiet", "--engine", "server", "--model", "tiny"]
    command += ["--seeds", "nano", "--out", str(folder), *(f"--set={key}={value}" for key, value in settings.items())]
    return subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def run_and_kill(folder: Path, url: str, log: Path, num_tasks: int, most: int, seconds: float, seed: object) -> Ended:
    """Run to the end, with up to `most` kills, each at a random moment of `seconds`."""
    rng, kills, before = random.Random(str(seed)), Counter[str](), answered(log)
    while True:
        process = sprout(folder, url, num_tasks)
        try:
            _, error = process.communicate(timeout=rng.uniform(0, seconds) if kills.total() < most else None)
        except subprocess.TimeoutExpired:
            kills[stage_of(folder)] += 1
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            continue
        if process.returncode:
            raise SystemExit(f"the run ended with {process.returncode}: {error.decode()}")
        return Ended(kills, answered(log) - before, hashes(folder))


def stage_of(folder: Path) -> str:
    """The stage that was last to write something."""
    if (folder / "dataset.partial").exists():
        return "export"
    return list(stage_files(folder))[-1] if any(folder.glob("1_*.jsonl")) else "start"


def answered(log: Path) -> int:
    """How many requests the server has answered well."""
    return sum(line.split()[-1] in ("ok", "delay") for line in log.read_text().splitlines())


def hashes(folder: Path) -> dict[str, str]:
    paths = [*folder.glob("*.jsonl"), *(folder / "dataset").rglob("*")]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=100, help="instructions in a run")
    parser.add_argument("--share", type=float, default=0.0, help="of requests that meet a fault of the server")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=["server", "ray"], default="server")
    args = parser.parse_args()
    if args.engine == "ray":
        on_ray(args.kills, args.tasks, args.seed)
    kills, runs, extra, different = Counter[str](), 0, 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with served(folder, 0) as (url, log):
            start = time.monotonic()
            ideal = run_and_kill(folder / "ideal", url, log, args.tasks, 0, 0, 0)
            seconds = time.monotonic() - start
        with served(folder, args.share) as (url, log):
            while kills.total() < args.kills:
                left = args.kills - kills.total()
                ended = run_and_kill(folder / str(runs), url, log, args.tasks, left, seconds, f"{args.seed}:{runs}")
                runs, kills, extra = runs + 1, kills + ended.kills, extra + ended.requests - ideal.requests
                different += ended.hashes != ideal.hashes
    total, where = kills.total(), ", ".join(f"{stage} {count}" for stage, count in sorted(kills.items()))
    print(f"{total} kills in {runs} runs of {args.tasks} tasks ({where})")
    print(f"{different} of {runs} runs ended with other bytes than one that was left alone")
    print(
        f"{extra:,} requests were answered besides the ideal {ideal.requests * runs:,}: "
        f"{extra / max(1, total):.2f} a kill, with up to {WINDOW} in flight"
    )
    sys.exit(different > 0 or extra > total * WINDOW)


def on_ray(kills: int, num_tasks: int, seed: int) -> None:
    sys.path.insert(0, str(ROOT))
    import chaos_ray

    found = chaos_ray.strike(kills, num_tasks, seed)
    where = ", ".join(f"{kind} {count}" for kind, count in sorted(found.blows.items()))
    print(f"{found.blows.total()} blows in {found.runs} runs of {num_tasks} tasks ({where})")
    print(f"{found.different} of {found.runs} runs ended with other bytes than the serial run")
    print(f"{found.extra} requests were asked besides those that count; {found.most} at most were in flight and lost")
    sys.exit(found.different > 0 or found.extra > found.most)


if __name__ == "__main__":
    main()
