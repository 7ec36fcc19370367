"""A replica of the model in a process of the cluster: takes requests, hands back what is answered by then."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import pipeline
from pipeline.engines.base import Completion, Likelihood, Request, ScoreRequest, refused
from pipeline.engines.find import named
from pipeline.engines.ray.guard import guard
from pipeline.errors import SproutError

WAIT = 0.25  # seconds that a call waits for the first answer; the coordinator hands over new requests in between

Asked = Request | ScoreRequest
Answer = Completion | Likelihood


class Core(Protocol):
    """What answers in a replica: made with a model and options, given requests by names, and driven step by step.

    `pipeline.engines.vllm.core.Core` is the usual one.
    """

    def add(self, name: str, request: Asked) -> None:
        """Take a request. A ValueError says why it can't succeed."""

    def step(self) -> list[tuple[str, Answer]]:
        """Work for a while, and return what is answered by then."""

    def abort(self, names: Iterable[str]) -> None:
        """Drop those of these requests that still run."""

    def close(self) -> None:
        """Give back memory."""


class Place(NamedTuple):
    """Where a replica is, and which Sprout is installed there."""

    host: str
    pid: int
    version: str

    def __str__(self) -> str:
        return f"{self.host} (process {self.pid})"


class Answers(NamedTuple):
    """What a replica hands back: answers by their numbers, and why it can't go on if it can't."""

    answers: list[tuple[int, Answer]]
    failure: str


class Replica:
    """Loads a core in a thread, and drives it there. Its other methods are called from the coordinator, through Ray.

    Args:
        core: `module:Class` of what answers.
        silence: Seconds for a step; one that takes longer never ends.
    """

    def __init__(self, core: str, model: str, options: dict[str, object], silence: float) -> None:
        guard()
        self.core, self.model, self.options, self.silence = core, model, options, silence
        self.loaded, self.changed = threading.Event(), threading.Condition()
        self.new: list[tuple[int, Asked]] = []
        self.dropped: list[str] = []
        self.answers: list[tuple[int, Answer]] = []
        self.failure, self.ending, self.step_began = "", False, 0.0
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def hello(self) -> Place:
        return Place(socket.gethostname(), os.getpid(), pipeline.__version__)

    def ready(self) -> str:
        """Wait until the model is loaded; why it can't be, if it can't."""
        self.loaded.wait()
        return self.failure

    def exchange(self, new: list[tuple[int, Asked]], linger: float) -> Answers:
        """Take new requests, and hand back what is answered by then.

        It waits some time for the first answer, and `linger` seconds more for others that come with it.
        """
        with self.changed:
            self.new += new
            self.changed.notify_all()
            there = self.changed.wait_for(lambda: self.answers or self.failure, WAIT)
        if there and not self.failure:
            time.sleep(linger)
        with self.changed:
            answers, self.answers = self.answers, []
        if self.step_began and time.monotonic() - self.step_began > self.silence:
            self.failure = f"the model has computed for {self.silence:.0f} s without an end"
        return Answers(answers, self.failure)

    def drop(self, numbers: list[int]) -> None:
        """Forget requests that nobody waits for any more."""
        with self.changed:
            gone = {*numbers}
            self.new = [(number, request) for number, request in self.new if number not in gone]
            self.answers = [(number, answer) for number, answer in self.answers if number not in gone]
            self.dropped += map(str, numbers)
            self.changed.notify_all()

    def close(self) -> None:
        """Give back the memory of the model."""
        with self.changed:
            self.ending = True
            self.changed.notify_all()
        self.thread.join()

    def _work(self) -> None:
        core: Core | None = None
        try:
            core = named(self.core, "replica")(self.model, self.options)
            self.loaded.set()
            self._drive(core)
        except Exception as error:
            self.failure = str(error) if isinstance(error, SproutError) else f"{type(error).__name__}: {error}"
        self.loaded.set()
        with self.changed:
            self.changed.notify_all()
        if core:
            core.close()

    def _drive(self, core: Core) -> None:
        running = set[str]()
        while True:
            with self.changed:
                self.changed.wait_for(lambda: running or self.new or self.dropped or self.ending)
                new, self.new, dropped, self.dropped = self.new, [], self.dropped, []
            if self.ending:
                return
            core.abort(dropped)
            running.difference_update(dropped)
            answered: list[tuple[str, Answer]] = []
            for number, request in new:
                try:
                    core.add(str(number), request)
                    running.add(str(number))
                except ValueError as error:
                    answered.append((str(number), refused(request, str(error))))
            if running:
                self.step_began = time.monotonic()
                answered += core.step()
                self.step_began = 0.0
            if answered:
                running.difference_update(name for name, _ in answered)
                with self.changed:
                    self.answers += ((int(name), answer) for name, answer in answered)
                    self.changed.notify_all()
