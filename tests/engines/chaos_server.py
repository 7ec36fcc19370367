"""A server that answers some requests as a broken network, a proxy or a crowded server would: for tests under fire.

In a process of its own: python tests/engines/chaos_server.py --port 8000 --share 0.2 --answers sprout --log FILE
"""

import argparse
import hashlib
import json
import os
import sys
import threading
import time
from collections import Counter
from email.utils import formatdate
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.engines.stand_in import Answer, StandIn, echo, prompt_of

FAULTS = (
    "drop",  # of the connection, before the answer
    "drop_in_body",
    "delay",  # and then the right answer
    "429",
    "429_seconds",  # with Retry-After
    "429_date",
    "500",
    "503",
    "cut",  # a body that seems whole, and is half
    "no_json",
    "wrong_shape",
)
PAGE = b"<html><head><title>Service Unavailable</title></head><body>Try again later.</body></html>"


class ChaosServer(StandIn):
    """What it completes is a function of prompt and sampling alone, never of time.

    Which tries of a request meet which fault is a function of the request, of how often it came to this process before,
    and of `seed`.

    Args:
        share: Of the requests that meet a fault.
        answers: "echo" gives back the prompt and the hash; "sprout" makes a toy run of Sprout work.
        delay: Seconds, of the fault of that name.
        latency: Seconds to each answer.
        log: Gets a line for each answer, "HASH ok" or "HASH fault", before it is sent.
    """

    def __init__(
        self,
        port: int = 0,
        share: float = 0.2,
        seed: int = 0,
        answers: str = "echo",
        delay: float = 0.1,
        latency: float = 0.0,
        log: Path | None = None,
    ) -> None:
        self.share, self.seed, self.delay, self.latency = share, seed, delay, latency
        self.came: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.counting = threading.Lock()
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if log else None
        super().__init__(self.next_answer, port, echo_with_hash if answers == "echo" else toy_answer)

    def next_answer(self, tried: int, body: dict[str, Any]) -> Answer:
        name = digest(body)
        with self.counting:
            kind = fault(name, self.came[name], self.seed, self.share) or "ok"
            self.came[name] += 1
            self.kinds[kind] += 1
        if self.log is not None:
            os.write(self.log, f"{name} {kind}\n".encode())  # one write: lines of two processes do not mix
        answer = self.faulty(kind)
        answer.seconds += self.latency
        return answer

    def faulty(self, kind: str) -> Answer:
        return {
            "ok": Answer(),
            "drop": Answer(0),
            "drop_in_body": Answer(drop_at=0.5),
            "delay": Answer(seconds=self.delay),
            "429": Answer(429, "slow down"),
            "429_seconds": Answer(429, "slow down", {"Retry-After": "0.05"}),
            "429_date": Answer(429, "slow down", {"Retry-After": formatdate(time.time(), usegmt=True)}),
            "500": Answer(500, "a bug"),
            "503": Answer(503, body=PAGE),
            "cut": Answer(cut_at=0.5),
            "no_json": Answer(body=PAGE),
            "wrong_shape": Answer(body={"object": "completion", "choices": []}),
        }[kind]


def digest(body: dict[str, Any]) -> str:
    """A request by its hash: prompt and sampling."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]


def fault(name: str, tried: int, seed: int, share: float) -> str | None:
    """The fault that a request meets when it comes, or None."""
    noise = hashlib.sha256(f"{seed}:{name}:{tried}".encode()).digest()
    if int.from_bytes(noise[:8]) >= share * 2**64:
        return None
    return FAULTS[int.from_bytes(noise[8:16]) % len(FAULTS)]


def echo_with_hash(body: dict[str, Any]) -> str:
    return f"{echo(body)} {digest(body)}"


def toy_answer(body: dict[str, Any]) -> str:
    """What each stage of Sprout can use; to the same prompt the same."""
    from pipeline import Request, Sampling
    from tests.conftest import answer

    return answer(Request(id="", prompt=prompt_of(body), sampling=Sampling()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--share", type=float, default=0.2, help="of the requests that meet a fault")
    parser.add_argument("--seed", type=int, default=0, help="another one for other faults")
    parser.add_argument("--answers", choices=("echo", "sprout"), default="echo")
    parser.add_argument("--delay", type=float, default=0.1, help="seconds, where the fault is a delay")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds to each answer")
    parser.add_argument("--log", type=Path, help="file that gets a line for each answer: hash, ok or kind of fault")
    server = ChaosServer(**vars(parser.parse_args()))
    print(server.url, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
