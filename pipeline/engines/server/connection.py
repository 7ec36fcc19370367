"""A connection that asks until there is an answer: when to try again, when to set a request aside, when to give up."""

from __future__ import annotations

import asyncio
import difflib
import logging
import os
import random
import re
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from itertools import count
from math import inf
from typing import Any

from pipeline.engines.base import Arrived, Completion, Prompt, Request, Sampling
from pipeline.engines.server.failures import MIN_TRIES, Failures, Warnings
from pipeline.engines.server.refusals import MORE
from pipeline.engines.server.slots import Gate, Slots
from pipeline.engines.server.trouble import Trouble
from pipeline.engines.server.wire import Wire
from pipeline.errors import EngineUnreachable, SproutError
from pipeline.text import some_of

MAX_CLOSE = 10.0  # seconds to wait for an end; not for ever, it may be asked for where a lock is held
MAX_PAUSE = 20.0  # seconds between two tries
MAX_UNREADABLE = 6  # tries, if the server never gave a right answer; with the usual pauses some ten seconds
POLL = 1.0  # seconds between two looks at what waits in the server
SLOW = 0.25  # of the time-out; more requests at once might make answers take all of it
REPORT = 60.0  # seconds between two lines about troubles

# What a server says of a model that takes no messages, where messages are asked for.
NO_CHAT = re.compile(
    r"template(?!_kwargs)|not a chat|n't a chat|(?<!chat)(?<!chat/)[/ `']completions\b[^.]{0,20}(?:instead|\?|endpoint)"
    r"|not support(?:ed)?[^.]{0,40}chat|n't support[^.]{0,20}chat|chat ?completions? operation does not work",
    re.IGNORECASE,
)

log = logging.getLogger(__name__)


class Connection:
    """The event loop requests are asked in, in a thread of its own."""

    def __init__(self, wire: Wire, url: str, slots: Slots, patience: float, pause: float) -> None:
        self.model, self.url, self.patience, self.pause = wire.model, url, patience, pause
        self.wire = wire
        wire.tell = lambda lesson: log.warning("server %s: %s", url, lesson)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._serve, name="server", daemon=True)
        self.thread.start()
        self.process = os.getpid()
        self.slots = slots
        self.gate = Gate(self.slots, self.loop)
        self.trying = asyncio.Semaphore(slots.most)  # those in a pause between two tries included
        self.probing = asyncio.Lock()
        self.numbers = count()
        self.warnings = Warnings(f"server {url}")
        self.answered = -inf  # when the server last gave a right answer, by the clock of the loop
        self.tasks: set[asyncio.Task[Any]] = set()  # ours; the client starts some of its own in them
        self.watcher: asyncio.Task[Any] | None = None
        self.tells = True  # what waits in it; not known before it is asked

    def submit(self, ask: Callable[..., Any], *arguments: object) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(self._run(ask, *arguments), self.loop)

    async def _run(self, ask: Callable[..., Any], *arguments: object) -> Any:
        task = asyncio.current_task()
        assert task
        self.tasks.add(task)
        try:
            return await ask(self, *arguments)
        finally:
            self.tasks.discard(task)

    def _serve(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            self.loop.close()

    def close(self) -> None:
        """Drop what is in flight. Called in any thread, where an engine that nobody closed is garbage, and at exit."""
        if os.getpid() == self.process and self.thread.is_alive():  # a process that forks takes no threads along
            self.loop.call_soon_threadsafe(self._end)
            if threading.current_thread() is not self.thread:
                self.thread.join(MAX_CLOSE)

    def _end(self) -> None:
        self.loop.create_task(self._close()).add_done_callback(lambda _: self.loop.stop())

    async def _close(self) -> None:
        others = self.tasks | ({self.watcher} if self.watcher else set())  # which may not have begun
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.wire.close()

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
            self._warn("request set aside", str(trouble))
            return Completion(id=request.id, text=str(trouble), finish_reason="error")

    async def takes_messages(self) -> bool:
        """Whether the model has a chat template, found out by asking for a few tokens.

        A refusal that says so tells, and so does an endpoint that the server lacks, if it has the other one.
        """
        refusal = await self._probe(({"role": "user", "content": "Hello"},))
        if refusal is None or refusal.broken_off or (MORE.search(refusal.message) and not refusal.missing):
            return True
        if NO_CHAT.search(refusal.message):
            return False
        other = await self._probe("Hello")
        if other is None or other.broken_off:
            return False
        if refusal.missing and other.missing:
            raise await self._hopeless(refusal)
        if other.missing or re.search(r"chat", other.message, re.IGNORECASE):
            return True
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

    async def insist(
        self,
        request: Request,
        number: int,
        probing: bool = False,
        ask: Callable[[], Awaitable[Any]] | None = None,
    ) -> Any:
        """Ask until there is an answer: a completion, or what `ask` brings.

        Args:
            probing: A path that is missing is no reason to give up, and a few tokens are enough.

        Raises:
            Trouble: when this request fails for good, but others do not.
            SproutError: when none can succeed: unknown model, refused key, server gone.
        """
        failures = Failures(self.patience)
        while True:
            trouble: Trouble
            async with self.gate.slot(number):
                self._watch()
                began = self.loop.time()
                try:
                    answer = await (ask() if ask else self.wire.complete(request, not probing))
                    self.answered = self.loop.time()
                    self.slots.answered(slowly=self.answered - began > SLOW * self.wire.timeout)
                    return answer
                except Trouble as error:
                    trouble = error
                if trouble.crowded and self.slots.crowded(began, self.loop.time()):
                    self.gate.close_for(self.pause)
            if probing and trouble.missing:
                raise trouble
            failures.add(trouble, self.loop.time(), self.answered)
            await self._judge(trouble, failures)
            self._warn(trouble.kind, f"{str(trouble).rstrip('.')}; trying again")
            await self._wait(trouble, failures, request)

    async def _judge(self, trouble: Trouble, failures: Failures) -> None:
        """Raise if it is of no use to try this request again, or any."""
        never = self.answered == -inf
        if never and trouble.hopeless:
            raise await self._hopeless(trouble)
        if never and failures.unreadable >= MAX_UNREADABLE:
            raise SproutError(f"{self.url}: answers, but {trouble}; is the url right? Most end in /v1")
        if trouble.refused or failures.proven or failures.own(self.loop.time()) or failures.in_vain:
            raise trouble

    async def _wait(self, trouble: Trouble, failures: Failures, request: Request) -> None:
        """Wait before the next try.

        Raises:
            SproutError: when patience is over.
        """
        pause = min(self.pause * 2 ** min(failures.count - 1, 20), MAX_PAUSE) * random.uniform(0.5, 1)
        until = self.loop.time() + max(pause, trouble.wait)
        if trouble.busy:
            self.gate.close_for(trouble.wait)
        while (left := until - self.loop.time()) > 0:
            silence = self.loop.time() - max(failures.first, self.answered)
            if silence < self.patience:
                await asyncio.sleep(min(left, self.patience - silence))
            elif self.probing.locked():
                await asyncio.sleep(min(left, self.pause))
            elif await self._answers_another(request):
                failures.proven = not trouble.busy
                return
            elif trouble.hopeless:
                raise await self._hopeless(trouble)
            else:
                reason = f"no completion for {silence:.0f} s ({trouble})"
                raise EngineUnreachable(f"{self.url}: {reason}; see to the server and run again")

    async def _answers_another(self, request: Request) -> bool:
        """Whether the server is well, and the request is what it cannot do: the last of a run may be alone."""
        prompt: Prompt = "Hello" if isinstance(request.prompt, str) else ({"role": "user", "content": "Hello"},)
        async with self.probing:
            for _ in range(MIN_TRIES):
                try:
                    await self.wire.complete(hello(prompt), thinking=False)
                    self.answered = self.loop.time()
                    return True
                except Trouble:
                    await asyncio.sleep(self.pause)
            return False

    async def _hopeless(self, trouble: Trouble) -> SproutError:
        if trouble.status in (401, 403):
            return SproutError(
                f"{self.url}: refuses the API key for {self.model} ({trouble.status}): {trouble}; set SPROUT_API_KEY"
            )
        if trouble.status == 407:
            return SproutError(f"{self.url}: the proxy on the way wants a user and a password that it knows (407)")
        if trouble.status == 402:
            return SproutError(f"{self.url}: wants to be paid first ({trouble})")
        try:
            names = await self.wire.served()
        except Trouble as other:
            served = f"nor does it list its models ({other}): is the url right? Most end in /v1"
            return SproutError(f"{self.url}: does not serve {self.model} at {trouble.path} ({trouble}); {served}")
        if self.model in names:
            chat = "false" if "/chat/" in trouble.path else "true"
            return SproutError(
                f"{self.url}: serves {self.model}, but not at {trouble.path} ({trouble}); set engine.chat = {chat}"
            )
        close = difflib.get_close_matches(self.model, names, 1)
        served = f"did you mean {close[0]}?" if close else f"it serves {some_of(names)}"
        return SproutError(f"{self.url}: does not serve {self.model} at {trouble.path}; {served}")

    def _watch(self) -> None:
        if self.tells and (self.watcher is None or self.watcher.done()):
            self.watcher = self.loop.create_task(self._run(Connection._follow))

    async def _follow(self) -> None:
        """Look at what waits in the server for as long as requests are in flight."""
        while self.tells and self.slots.in_flight:
            try:
                queue = await self.wire.queue()
                self.tells = queue is not None
                if queue:
                    self.slots.observed(*queue)
                    self.gate.let_in()
            except Trouble:
                self.slots.measured = False
            await asyncio.sleep(POLL / 4 if self.slots.steep else POLL)

    def _warn(self, kind: str, message: str) -> None:
        if line := self.warnings.add(kind, message):
            log.warning(line)
            self.loop.call_later(REPORT, self._sum_up)

    def _sum_up(self) -> None:
        if line := self.warnings.sum_up(self.slots.in_flight):
            log.warning(line)
            self.loop.call_later(REPORT, self._sum_up)


def hello(prompt: Prompt) -> Request:
    """A request for a few tokens: fewer than 16 are refused by some."""
    return Request(id="hello", prompt=prompt, sampling=Sampling(temperature=0, max_tokens=16))
