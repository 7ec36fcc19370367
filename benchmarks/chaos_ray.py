"""Replicas killed and frozen, machines lost and added, over and over: what a run on Ray ends with; see chaos.py."""

import os
import random
import secrets
import signal
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from pipeline import read_seeds, run
from pipeline.engines.ray import Ray
from pipeline.engines.ray.cluster import LOCAL_SETTINGS, first_line
from pipeline.engines.scripted import Scripted
from pipeline.resources import NANO
from pipeline.runs.journal import FILE, Journal
from pipeline.stages import Classify, Instances, Instructions

MACHINES, CPUS = 3, 2  # simulated; a replica takes a CPU
WINDOW, SLOTS = 16, 6
STEP, SILENCE = 0.1, 3.0  # seconds of a toy, and of silence
BLOWS = ("killed", "frozen", "machine lost", "machine added")


class Outcome(NamedTuple):
    blows: Counter[str]
    runs: int
    different: int  # runs that ended with other bytes
    extra: int  # requests that were asked besides those in the journals
    most: int  # what can have been in flight with what was lost, and at the end of a stage


class Storm(threading.Thread):
    """Strikes at replicas and machines at random moments until it has struck often enough."""

    def __init__(self, cluster: Any, log: Path, blows: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.cluster, self.log, self.left, self.rng = cluster, log, blows, random.Random(f"storm:{seed}")
        self.blows, self.calm, self.lost = Counter[str](), threading.Event(), 0  # replicas

    def run(self) -> None:
        machines = [self.machine() for _ in range(MACHINES)]
        self.calm.set()
        while self.left:
            time.sleep(self.rng.uniform(1, 4))
            kind = self.rng.choice(BLOWS)
            if kind == "machine lost" and len(machines) > 1:
                self.cluster.remove_node(machines.pop(self.rng.randrange(len(machines))), allow_graceful=False)
                self.lost += CPUS
            elif kind == "machine added" and len(machines) <= MACHINES:
                machines.append(self.machine())
            elif kind in ("killed", "frozen") and (there := self.processes()):
                os.kill(self.rng.choice(there), signal.SIGKILL if kind == "killed" else signal.SIGSTOP)
                self.lost += 1
            else:
                continue
            self.blows[kind] += 1
            self.left -= 1

    def machine(self) -> Any:
        """One more machine, however often Ray has to be asked: it gives parts of itself 15 s to start."""
        while True:
            try:
                return self.cluster.add_node(num_cpus=CPUS, object_store_memory=100 << 20)
            except Exception as error:
                print(f"a machine does not start, another one is asked for: {first_line(error)}", flush=True)

    def processes(self) -> list[int]:
        """Of the replicas that are at work."""
        last = {int(line.split()[0]) for line in self.log.read_text().splitlines()[-40:]}
        return [one for one in last if state(one) in ("R", "S", "D")]


def state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def strike(blows: int, num_tasks: int, seed: int) -> Outcome:
    """Do the same run again and again until there were so many blows."""
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)} | LOCAL_SETTINGS
    from ray.cluster_utils import Cluster

    from tests.conftest import answer

    seeds, stages = read_seeds("nano"), [Instructions(num_tasks=num_tasks), Classify(), Instances()]
    runs = different = extra = 0
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        log = folder / "asked.log"
        log.touch()
        run(stages, seeds, Scripted(answer, model=str(NANO), window=WINDOW), folder / "serial")
        head = {"num_cpus": 0, "object_store_memory": 100 << 20}
        # Without `shutdown_at_exit`, which handles signals, machines can be added by another thread than the first.
        cluster = Cluster(initialize_head=True, head_node_args=head, shutdown_at_exit=False)
        stack.callback(cluster.shutdown)
        storm = Storm(cluster, log, blows, seed)
        storm.start()
        storm.calm.wait()
        options: dict[str, Any] = {"slots": SLOTS, "window": WINDOW, "chat": False, "step": STEP, "log": str(log)}
        toy = "tests.engines.toy_replica:Toy"
        engine = Ray(str(NANO), address=cluster.address, silence=SILENCE, replica=toy, **options)
        while storm.left or not runs:
            run(stages, seeds, engine, folder / str(runs))
            different += files(folder / str(runs)) != files(folder / "serial")
            with Journal(folder / str(runs) / FILE) as journal:
                extra -= journal.db.execute("SELECT count(*) FROM completions").fetchone()[0]
            runs += 1
        engine.close()
        extra += sum(line.split()[1] not in ("loads", "closed", "aborted") for line in log.read_text().splitlines())
    return Outcome(storm.blows, runs, different, extra, storm.lost * SLOTS + runs * WINDOW)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.jsonl")}
