"""A connection that asks until there is an answer: when to try again, when to set a request aside, when to give up."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from math import inf
from typing import Any

from pipeline.engines.base import Arrived, Completion, Request, Sampling
from pipeline.engines.server.slots import Gate, Slots
from pipeline.engines.server.wire import Trouble, Wire
from pipeline.errors import EngineUnreachable, SproutError

MAX_CLOSE = 10.0  # seconds to wait for an end; not for ever, it may be asked for where a lock is held
MAX_PAUSE = 20.0  # seconds between two tries
MIN_TRIES = 3  # before a request is set aside that fails while others do not
MAX_UNREADABLE = 6  # tries, if the server never gave a right answer; with the usual pauses some ten seconds
BUSY_PATIENCE = 10  # patiences; a server too busy for one request says nothing about it
POLL = 1.0  # seconds between two looks at what waits in the server
REPORT = 60.0  # seconds between two lines about troubles

log = logging.getLogger(__name__)


class Connection:
    """The event loop requests are asked in, in a thread of its own."""

    def __init__(self, model: str, url: str, slots: Slots, timeout: float, patience: float, pause: float) -> None:
        self.model, self.url, self.patience, self.pause = model, url, patience, pause
        self.wire = Wire(model, url, timeout)  # first of all: it may object to the environment
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
            return await self._insist(request, number)
        except Trouble as trouble:
            if "chat template" in trouble.message and not isinstance(request.prompt, str):
                raise SproutError(
                    f"{self.url}: {self.model} has no chat template there; use raw completion (chat=False)"
                ) from None
            self._warn("request set aside", str(trouble))
            return Completion(id=request.id, text=str(trouble), finish_reason="error")

    async def takes_messages(self) -> bool:
        """Whether the model has a chat template, found out by asking for one token."""
        try:
            await self._insist(one_token(({"role": "user", "content": "Hello"},)), next(self.numbers))
        except Trouble as trouble:
            if "template" in trouble.message:
                return False
            raise SproutError(
                f"{self.url}: cannot tell whether {self.model} is a chat model ({trouble}); say so with chat"
            ) from None
        return True

    async def _insist(self, request: Request, number: int) -> Completion:
        """Ask until there is an answer.

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
                    completion = await self.wire.complete(request)
                    self.answered = self.loop.time()
                    self.slots.answered()
                    return completion
                except Trouble as error:
                    trouble = error
                if trouble.crowded and self.slots.crowded(began, self.loop.time()):
                    self.gate.close_for(self.pause)
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
        if trouble.refused or failures.proven or failures.own(self.loop.time()):
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
        prompt = "Hello" if isinstance(request.prompt, str) else ({"role": "user", "content": "Hello"},)
        async with self.probing:
            for _ in range(MIN_TRIES):
                try:
                    await self.wire.complete(one_token(prompt))
                    self.answered = self.loop.time()
                    return True
                except Trouble:
                    await asyncio.sleep(self.pause)
            return False

    async def _hopeless(self, trouble: Trouble) -> SproutError:
        if trouble.status in (401, 403):
            return SproutError(
                f"{self.url}: refuses the API key for {self.model} ({trouble.status}); set SPROUT_API_KEY"
            )
        if trouble.status == 407:
            return SproutError(f"{self.url}: the proxy on the way wants a user and a password that it knows (407)")
        if trouble.status == 402:
            return SproutError(f"{self.url}: wants to be paid first ({trouble})")
        try:
            served = f"it serves {await self.wire.served()}"
        except Trouble as other:
            served = f"nor does it list its models ({other}): is the url right? Most end in /v1"
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


class Failures:
    """What went wrong with one request, and whose fault it is."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.count = self.unreadable = self.alone = 0  # alone: while others were answered
        self.first = self.last = self.first_alone = 0.0
        self.busy = False
        self.proven = False  # the server answered another request, asked only to find that out

    def add(self, trouble: Trouble, now: float, answered: float) -> None:
        """Count a failure; `answered` is when the server last gave a right answer to any request."""
        self.first = self.first if self.count else now
        if self.count and answered > self.last:
            self.first_alone = self.first_alone if self.alone else now
            self.alone += 1
        self.count += 1
        self.unreadable += trouble.unreadable
        self.last, self.busy = now, trouble.busy

    def own(self, now: float) -> bool:
        """Whether it is this request that can't be answered, as far as patience goes."""
        patience = self.patience * (BUSY_PATIENCE if self.busy else 1)
        return self.alone >= MIN_TRIES and now - self.first_alone >= patience


class Warnings:
    """Lines for the log: the first trouble at once, then counts by kind, a line a minute for as long as it goes on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts: Counter[str] = Counter()
        self.told = False

    def add(self, kind: str, message: str) -> str | None:
        if self.told:
            self.counts[kind] += 1
            return None
        self.told = True
        return f"{self.name}: {kind}: {message}"

    def sum_up(self, in_flight: int) -> str | None:
        """What came since the last line; after a minute without any, the next trouble is said at once again."""
        kinds = [plural(number, kind) for kind, number in self.counts.most_common()]
        self.counts.clear()
        self.told = bool(kinds)
        return f"{self.name}: {', '.join(kinds)} in the last minute, {in_flight} in flight" if kinds else None


def plural(number: int, kind: str) -> str:
    """ "132 answers 429": the noun comes first."""
    noun, space, rest = kind.partition(" ")
    return f"{number} {noun}{'' if number == 1 else 's'}{space}{rest}"


def one_token(prompt: Any) -> Request:
    return Request(id="hello", prompt=prompt, sampling=Sampling(temperature=0, max_tokens=1))
