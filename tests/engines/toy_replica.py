"""What stands for vLLM in a replica: answers as the scripted model does, and gets into trouble when it is told to."""

import os
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.engines.base import Completion, Likelihood, Request, ScoreRequest
from pipeline.errors import EngineUnreachable, SproutError
from tests.conftest import answer

BATCH = 4  # requests that a step answers


class Toy:
    """Notes its process and each request in the file `log`, and takes `step` seconds for a step.

    Its options say what goes wrong: `broken` is why it cannot load, a request whose id is `poison` ends the process,
    `fails_after` so many answers its model dies, `hangs_after` so many a step has no end, and `loads` is how many
    seconds it takes to load. With `child` it starts a process first that starts another, as vLLM does.
    """

    def __init__(self, model: str, options: dict[str, Any]) -> None:
        self.options = options
        self.waiting: dict[str, Request | ScoreRequest] = {}
        self.answered = 0
        if options.get("child"):
            subprocess.Popen(["sh", "-c", "sleep 600 & wait"])
        self._note("loads")
        time.sleep(options.get("loads", 0))
        if options.get("broken"):
            raise SproutError(f"{model}: {options['broken']}")

    def add(self, name: str, request: Request | ScoreRequest) -> None:
        self._note(request.id)
        if request.id == self.options.get("poison"):
            os._exit(1)
        if request.prompt == "too long":
            raise ValueError("the prompt is too long")
        self.waiting[name] = request

    def step(self) -> list[tuple[str, Completion | Likelihood]]:
        time.sleep(self.options.get("step", 0))
        if self.answered >= self.options.get("hangs_after", 1 << 30):
            time.sleep(600)
        if self.answered >= self.options.get("fails_after", 1 << 30):
            raise EngineUnreachable("the GPU fell off the bus")
        names = list(self.waiting)[:BATCH]
        self.answered += len(names)
        return [(name, self._answer(self.waiting.pop(name))) for name in names]

    def abort(self, names: Iterable[str]) -> None:
        for name in names:
            if self.waiting.pop(name, None):
                self._note("aborted")

    def close(self) -> None:
        self._note("closed")

    def _answer(self, request: Request | ScoreRequest) -> Completion | Likelihood:
        if isinstance(request, ScoreRequest):
            return Likelihood(id=request.id, per_token=(-0.5,) * len(request.continuation))
        echo = self.options.get("echo")
        return Completion(id=request.id, text=f"answer to {request.prompt}" if echo else answer(request))

    def _note(self, what: str) -> None:
        if self.options.get("log"):
            line = f"{os.getpid()} {what}\n".encode()
            with Path(self.options["log"]).open("ab", buffering=0) as file:
                file.write(line)
