"""What asks a server, or several: an event loop in a thread of its own, and what an answer means for its request."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from itertools import count
from typing import Any, NamedTuple

from pipeline.engines.base import Arrived, Completion, Prompt, Request, Sampling
from pipeline.engines.server.refusals import MORE
from pipeline.engines.server.slots import Turns
from pipeline.engines.server.trouble import Trouble
from pipeline.engines.server.wire import Wire
from pipeline.errors import SproutError

MAX_PAUSE = 20.0  # seconds between two tries
MAX_CLOSE = 10.0  # seconds to wait for an end; not for ever, it may be asked for where a lock is held

# What a server says of a model that takes no messages, where messages are asked for.
NO_CHAT = re.compile(
    r"template(?!_kwargs)|not a chat|n't a chat|(?<!chat)(?<!chat/)[/ `']completions\b[^.]{0,20}(?:instead|\?|endpoint)"
    r"|not support(?:ed)?[^.]{0,40}chat|n't support[^.]{0,20}chat|chat ?completions? operation does not work",
    re.IGNORECASE,
)

log = logging.getLogger(__name__)

Ask = Callable[[Wire], Awaitable[Any]]  # what to ask a server instead of a completion


class Waits(NamedTuple):
    """How long to wait, in seconds; see `Server`."""

    patience: float
    pause: float
    silence: float

    def before(self, retry: int) -> float:
        """The pause before a try, which gets longer from one retry to the next; the first is number 0."""
        return min(self.pause * 2.0 ** min(retry, 20), MAX_PAUSE)


class LoopThread(threading.Thread):
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        super().__init__(name="server", daemon=True)
        self.loop = asyncio.new_event_loop()
        self.process = os.getpid()
        self.tasks: set[asyncio.Task[Any]] = set()  # ours; the client starts some of its own in them
        self.wires: list[Wire] = []  # closed at the end
        self.start()

    def submit(self, ask: Callable[..., Any], *arguments: object) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(self._counted(ask, *arguments), self.loop)

    def begin(self, ask: Callable[..., Any], *arguments: object) -> asyncio.Task[Any]:
        """As `submit`, from within the loop."""
        task = self.loop.create_task(self._counted(ask, *arguments))
        self.tasks.add(task)  # it may be closed before it has begun
        return task

    def close(self) -> None:
        """Drop what is in flight. Called in any thread, where an engine that nobody closed is garbage, and at exit."""
        if os.getpid() == self.process and self.is_alive():  # a process that forks takes no threads along
            self.loop.call_soon_threadsafe(self._end)
            if threading.current_thread() is not self:
                self.join(MAX_CLOSE)

    def run(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    async def _counted(self, ask: Callable[..., Any], *arguments: object) -> Any:
        task = asyncio.current_task()
        assert task
        self.tasks.add(task)
        try:
            return await ask(*arguments)
        finally:
            self.tasks.discard(task)

    def _end(self) -> None:
        self.loop.create_task(self._close()).add_done_callback(lambda _: self.loop.stop())

    async def _close(self) -> None:
        others = {*self.tasks}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for wire in self.wires:
            await wire.close()


class Client(ABC):
    """Asks until there is an answer."""

    def __init__(self, model: str, thread: LoopThread, most: int) -> None:
        self.model, self.thread, self.loop = model, thread, thread.loop
        self.trying = Turns(most)  # those in a pause between two tries included
        self.numbers = count()

    @property
    @abstractmethod
    def url(self) -> str:
        """Of the server, for messages."""

    @property
    @abstractmethod
    def answered(self) -> float:
        """When a right answer last came, by the clock of the loop; -inf before the first."""

    @abstractmethod
    async def insist(self, request: Request, number: int, probing: bool = False, ask: Ask | None = None) -> Any:
        """Ask until there is an answer: a completion, or what `ask` brings.

        Args:
            probing: A path that is missing is no reason to give up, and a few tokens are enough.

        Raises:
            Trouble: when this request fails for good, but others do not.
            SproutError: when none can succeed: unknown model, refused key, server gone.
        """

    @abstractmethod
    async def hopeless(self, trouble: Trouble) -> SproutError:
        """What to say of a trouble that every request would meet."""

    @abstractmethod
    def warn(self, kind: str, message: str) -> None: ...

    async def complete(self, request: Request, arrived: Arrived | None, failed: Future[Any]) -> Completion:
        """The completion, told to `arrived`; what ends the run is told to `failed`, whoever is waited for."""
        try:
            async with self.trying:
                completion = await self._complete(request, next(self.numbers))
            if arrived:
                arrived(request, completion)
            return completion
        except SproutError as error:
            if not failed.done():
                failed.set_exception(error)
            raise

    async def _complete(self, request: Request, number: int) -> Completion:
        try:
            completion: Completion = await self.insist(request, number)
            return completion
        except Trouble as trouble:
            if "chat template" in trouble.message and not isinstance(request.prompt, str):
                raise SproutError(
                    f"{self.url}: {self.model} has no chat template there; use raw completion (chat=False)"
                ) from None
            self.warn("request set aside", str(trouble))
            return Completion(id=request.id, text=str(trouble), finish_reason="error")

    async def takes_messages(self) -> bool:
        """Whether the model has a chat template, found out by asking for a few tokens.

        A refusal that says so tells, and so does an endpoint that the server lacks, if it has the other one.
        """
        refusal = await self._probe(({"role": "user", "content": "Hello"},))
        if refusal is None or refusal.broken_off or (MORE.search(refusal.message) and not refusal.missing):
            return True
        if NO_CHAT.search(refusal.message):
            if "template" in refusal.message and not refusal.missing:
                log.warning(
                    "server %s: takes no messages for %s (%s), so it is asked for plain text; if it is a chat model, "
                    "serve it with its chat template", self.url, self.model, str(refusal).rstrip("."),
                )  # fmt: skip
            return False
        other = await self._probe("Hello")
        if other is None or other.broken_off:
            return False
        if refusal.missing and other.missing:
            raise await self.hopeless(refusal)
        if other.missing or re.search(r"chat", other.message, re.IGNORECASE):
            return True
        if other.message == refusal.message:
            raise SproutError(
                f"{self.url}: refuses a small request to {self.model}, as messages and as plain text: "
                f"{str(refusal).rstrip('.')}; if only such a small one is refused, set engine.chat = true or false"
            )
        raise SproutError(
            f"{self.url}: cannot tell whether {self.model} is a chat model ({refusal}); say so with engine.chat = true "
            f"or false"
        )

    async def _probe(self, prompt: Prompt) -> Trouble | None:
        """Why the model does not complete such a prompt; None if it does."""
        try:
            await self.insist(hello(prompt), next(self.numbers), probing=True)
        except Trouble as trouble:
            return trouble
        return None


def hello(prompt: Prompt) -> Request:
    """A request for a few tokens: fewer than 16 are refused by some."""
    return Request(id="hello", prompt=prompt, sampling=Sampling(temperature=0, max_tokens=16))
