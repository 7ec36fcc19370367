"""A connection to one server: when to try again, when to set a request aside, when to give up."""

from __future__ import annotations

import asyncio
import difflib
import logging
import random
from math import inf
from typing import Any

from pipeline.engines.base import Prompt, Request
from pipeline.engines.server.client import Ask, Client, LoopThread, Waits, hello
from pipeline.engines.server.environment import advice_on_key
from pipeline.engines.server.failures import MIN_TRIES, Failures, Warnings
from pipeline.engines.server.slots import Gate, Slots
from pipeline.engines.server.trouble import MOVED, UNTRUSTED, Trouble
from pipeline.engines.server.wire import Wire
from pipeline.errors import EngineUnreachable, SproutError
from pipeline.text import some_of

MAX_UNREADABLE = 6  # tries; with the usual pauses some ten seconds
POLL = 1.0  # seconds between two looks at what waits in the server
SLOW = 0.25  # of the time-out; more requests at once might make answers take all of it
QUIET = 30.0  # seconds without a first answer, before the log says what is waited for
REPORT = 60.0  # seconds between two lines about troubles

log = logging.getLogger(__name__)


class Connection(Client):
    """One server; those of a `Fleet` share a gate."""

    url: str = ""
    answered: float = -inf

    def __init__(self, wire: Wire, slots: Slots, waits: Waits, thread: LoopThread, gate: Gate | None = None) -> None:
        super().__init__(wire.model, thread, slots.most)
        self.wire, self.slots, self.url = wire, slots, wire.url
        self.waits, self.patience, self.pause = waits, waits.patience, waits.pause
        wire.tell = lambda lesson: log.warning("server %s: %s", wire.url, lesson)
        thread.wires.append(wire)
        self.gate = gate or Gate(self.loop, slots)
        self.probing = asyncio.Lock()
        self.warnings = Warnings(f"server {wire.url}")
        self.watcher: asyncio.Task[Any] | None = None
        self.tells = True  # what waits in it; not known before it is asked
        self.awaited: asyncio.TimerHandle | None = None

    async def insist(self, request: Request, number: int, probing: bool = False, ask: Ask | None = None) -> Any:
        failures = Failures(self.patience)
        while True:
            trouble: Trouble
            async with self.gate.slot(number):
                try:
                    return await self.attempt(request, probing, ask)
                except Trouble as error:
                    trouble = error
            if probing and trouble.missing:
                raise trouble
            failures.add(trouble, self.loop.time(), self.answered)
            await self._judge(trouble, failures, request)
            self.warn(trouble.kind, f"{str(trouble).rstrip('.')}; trying again")
            await self._wait(trouble, failures, request)

    async def attempt(self, request: Request, probing: bool = False, ask: Ask | None = None) -> Any:
        """Ask once, and learn from it how many requests the server takes well.

        Raises:
            Trouble: for whatever goes wrong.
        """
        self._watch()
        if self.answered == -inf and not self.awaited:
            self.awaited = self.loop.call_later(QUIET, self._note_quiet)
        began = self.loop.time()
        try:
            answer = await (ask(self.wire) if ask else self.wire.complete(request, not probing))
        except Trouble as trouble:
            if trouble.crowded and self.slots.crowded(began, self.loop.time()):
                self.gate.close_for(self.slots, self.pause)
            raise
        self.answered = self.loop.time()
        self.slots.answered(slowly=self.answered - began > SLOW * self.wire.timeout)
        return answer

    async def _judge(self, trouble: Trouble, failures: Failures, request: Request) -> None:
        """Raise if it is of no use to try this request again, or any."""
        never = self.answered == -inf
        if never and trouble.hopeless:
            raise await self.hopeless(trouble)
        if never and failures.unreadable >= MAX_UNREADABLE:
            raise SproutError(f"{self.url}: answers, but {trouble}; is the url right? Most end in /v1")
        if trouble.unreadable and failures.unreadable == MAX_UNREADABLE:
            failures.proven = await self._answers_another(request)
        if trouble.refused or failures.proven or failures.own(self.loop.time()) or failures.in_vain:
            raise trouble

    async def _wait(self, trouble: Trouble, failures: Failures, request: Request) -> None:
        """Wait before the next try.

        Raises:
            SproutError: when patience is over.
        """
        pause = self.waits.before(failures.count - 1) * random.uniform(0.5, 1)
        until = self.loop.time() + max(pause, trouble.wait)
        if trouble.busy:
            self.gate.close_for(self.slots, min(trouble.wait, self.patience))  # then a small request is tried
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
                raise await self.hopeless(trouble)
            else:
                reason = f"no completion for {silence:.0f} s ({str(trouble).rstrip('.')})"
                raise EngineUnreachable(f"{self.url}: {reason}; {advice(trouble, self.patience)} and run again")

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

    async def hopeless(self, trouble: Trouble) -> SproutError:
        if trouble.status in (401, 403):
            key = trouble.status == 401
            what, advice = "the API key for" if key else "access to", "" if key else "if that is for the key, "
            return SproutError(
                f"{self.url}: refuses {what} {self.model} ({trouble.status}): {str(trouble).rstrip('.')}; "
                f"{advice}{advice_on_key(self.url)}"
            )
        if trouble.status == 407:
            return SproutError(
                f"{self.url}: a proxy on the way lets no request through ({trouble}); if it wants a user and a "
                f"password, put them into its own url"
            )
        if trouble.status == 402:
            return SproutError(f"{self.url}: requires payment first ({trouble})")
        if trouble.status in MOVED:
            return SproutError(f"{self.url}: {str(trouble).rstrip('.')} (answer {trouble.status})")
        if trouble.status == UNTRUSTED:
            return SproutError(
                f"{self.url}: {trouble}; for a certificate of your own set SSL_CERT_FILE to a file with it, and for a "
                f"server without TLS give a url with http://"
            )
        if self.answered != -inf:
            gone = f"no longer serves {self.model} at {trouble.path} ({str(trouble).rstrip('.')})"
            return EngineUnreachable(f"{self.url}: {gone}; load it there again, and run again")
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
        if not names:
            return SproutError(
                f"{self.url}: has no model yet ({str(trouble).rstrip('.')}); load {self.model} there first"
            )
        close = difflib.get_close_matches(self.model, names, 1)
        served = f"did you mean {close[0]}?" if close else f"it serves {some_of(names)}"
        return SproutError(f"{self.url}: does not serve {self.model} at {trouble.path}; {served}")

    def _watch(self) -> None:
        if self.tells and (self.watcher is None or self.watcher.done()):
            self.watcher = self.thread.begin(self._follow)

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

    def _note_quiet(self) -> None:
        if self.answered == -inf and self.slots.in_flight and not self.warnings.told:
            most = self.wire.timeout
            log.warning("server %s: no answer after %g s; each may take %g s, by engine.timeout", self.url, QUIET, most)

    def warn(self, kind: str, message: str) -> None:
        if line := self.warnings.add(kind, message):
            log.warning(line)
            self.loop.call_later(REPORT, self._sum_up)

    def _sum_up(self) -> None:
        if line := self.warnings.sum_up(self.slots.in_flight):
            log.warning(line)
            self.loop.call_later(REPORT, self._sum_up)


def advice(trouble: Trouble, patience: float) -> str:
    """What to do about a server that went on with a trouble until patience was over."""
    if trouble.wait > patience:
        minutes = trouble.wait / 60
        return f"it asks to wait {f'{minutes / 60:.1f} hours' if minutes >= 60 else f'{minutes:.0f} minutes'}: wait"
    if trouble.kind == "time-out":
        return "check the server, or give it more time with engine.timeout,"
    return "check the server and its url," if trouble.kind == "disconnection" else "check the server"
