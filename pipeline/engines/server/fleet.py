"""Several servers of one model: the one with the fewest requests in flight is asked, one in trouble is left aside."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any

from pipeline.engines.base import Request
from pipeline.engines.server.client import Ask, Client, LoopThread, Waits, hello
from pipeline.engines.server.connection import REPORT, Connection
from pipeline.engines.server.failures import Failures
from pipeline.engines.server.listing import Listing
from pipeline.engines.server.member import LOST, Member, clash
from pipeline.engines.server.sender import MAX_CONNECT
from pipeline.engines.server.slots import Gate, Slots
from pipeline.engines.server.trouble import Trouble
from pipeline.errors import EngineUnreachable, SproutError

TICK = 0.1  # seconds between two looks at all servers
READ = 2.0  # seconds between two looks at the file that lists them
SLOWEST = 3  # times as long as the slowest recent answer, and a server is silent
RECENT = 256  # answers

log = logging.getLogger(__name__)

Join = Callable[[str, Gate], Connection]


class Fleet(Client):
    """The servers of a listing.

    A server is left aside if it cannot be reached, fails three times in a row, or is silent while others answer. What
    it had not answered is asked of the others, and a small request finds out whether it is back.

    Args:
        join: Opens the connection to one more server.
        most: Requests in flight, at all servers together.
    """

    def __init__(self, listing: Listing, join: Join, waits: Waits, thread: LoopThread, most: int) -> None:
        self.gate = Gate(thread.loop)
        self.listing, self.waits = listing, waits
        self._join = join
        self.members: list[Member] = []
        self.by_slots: dict[Slots, Member] = {}  # those that are no longer listed too
        self.last = self._opened(listing.urls[0])  # the one that was asked last
        self.sample = hello("Hello")  # of the kind that was asked last
        super().__init__(self.last.connection.model, thread, most)
        self.finding = asyncio.Lock()
        self.slowest: deque[float] = deque(maxlen=RECENT)  # seconds that answers took
        self.stuck_since = -inf  # when no server was left
        self.said = ""  # of the file that lists them

    @property
    def url(self) -> str:
        others = len(self.members) - 1
        return f"{self.last.url}{f' and {others} others' if others > 1 else ' and another one' if others else ''}"

    @property
    def answered(self) -> float:
        return max((member.connection.answered for member in self.members), default=-inf)

    async def start(self) -> None:
        """Look at all servers once, then keep an eye on them.

        Raises:
            SproutError: for one that does not serve the model, or not the same one as the others.
        """
        await self._follow_listing(self.listing.urls, strict=True)
        self.thread.begin(self._keep)

    async def insist(self, request: Request, number: int, probing: bool = False, ask: Ask | None = None) -> Any:
        failures, moves = Failures(self.waits.patience), 0
        self.sample = hello("Hello" if isinstance(request.prompt, str) else CHAT)
        while True:
            async with self.gate.slot(number) as slots:
                member = self.last = self.by_slots[slots]
                began = self.loop.time()
                try:
                    answer = await member.ask(request, probing, ask, moves)
                    self.slowest.append(self.loop.time() - began)
                    return answer
                except Trouble as error:
                    trouble = error
            if probing and trouble.missing:
                raise trouble
            moves += trouble.kind == LOST
            failures.add(trouble, self.loop.time(), self.answered)
            if trouble.refused or failures.proven or failures.own(self.loop.time()) or failures.in_vain:
                raise trouble
            await self._blame(member, trouble)
            await self._judge(failures)
            if failures.count >= len(self.members):
                await asyncio.sleep(self._pause(failures.count - len(self.members)))

    async def hopeless(self, trouble: Trouble) -> SproutError:
        return await self.last.connection.hopeless(trouble)

    def warn(self, kind: str, message: str) -> None:
        self.last.connection.warn(kind, message)

    def _pause(self, tries: int) -> float:
        return self.waits.before(tries) * random.uniform(0.5, 1)

    async def _blame(self, member: Member, trouble: Trouble) -> None:
        """Draw the consequences of a trouble for its server.

        Raises:
            SproutError: if no server takes any request.
        """
        if trouble.busy:
            wait = min(trouble.wait, self.waits.patience)  # then it is tried again, or the run ends
            self.gate.close_for(member.connection.slots, max(wait, self._pause(0)))
        elif member.is_lost(trouble):
            self._leave_aside(member, trouble)
            never = self.answered == -inf
            if never and all(one.trouble and one.trouble.hopeless for one in self.members):
                raise await member.connection.hopeless(trouble)
            if never and all(one.trouble and one.trouble.unreadable for one in self.members):
                raise SproutError(f"{self._words()}; are the urls right? Most end in /v1")
            return
        member.connection.warn(trouble.kind, f"{str(trouble).rstrip('.')}; trying again")

    async def _judge(self, failures: Failures) -> None:
        """End the run where every server is asked and none has answered for too long.

        Raises:
            EngineUnreachable: if none answers a small request either.
        """
        if self._silence(failures.first) < self.waits.patience:
            return
        async with self.finding:
            for member in self.members:
                if self._silence(failures.first) >= self.waits.patience:
                    await self._try(member)
        if (silence := self._silence(failures.first)) >= self.waits.patience:
            raise self._unreachable(silence)

    def _silence(self, since: float) -> float:
        return self.loop.time() - max(since, self.answered)

    def _leave_aside(self, member: Member, trouble: Trouble) -> None:
        if member.aside:
            return
        member.leave_aside(trouble, self.loop.time() + self._pause(0))
        left = sum(not one.aside for one in self.members)
        member.connection.warn(
            "left aside", f"{str(trouble).rstrip('.')}; {left} of {len(self.members)} servers remain"
        )
        if not left:
            self.stuck_since = self.loop.time()

    async def _keep(self) -> None:
        """Look after all servers, for as long as the engine is open."""
        read = report = self.loop.time()
        while True:
            await asyncio.sleep(TICK)
            now = self.loop.time()
            if self.listing.path and now - read >= READ:
                read = now
                await self._read_again()
            for member in [*self.members]:
                if member.aside and now >= member.due and not member.probing:
                    self.thread.begin(self._try, member)
                self._listen(member, now)
            silence = self._silence(self.stuck_since)
            if self.gate.waiting and all(one.aside for one in self.members) and silence >= self.waits.patience:
                self.gate.fail(self._unreachable(silence))
                self.stuck_since = now
            if now - report >= REPORT:
                report = now
                self._say_how_they_do()

    def _listen(self, member: Member, now: float) -> None:
        """Leave a server aside from which nothing comes while another one answers."""
        others = [one.connection.answered for one in self.members if one is not member and not one.aside]
        limit = max(self.waits.silence, SLOWEST * max(self.slowest, default=0.0))
        quiet = member.quiet_since
        if now - quiet >= limit and max(others, default=-inf) > quiet and member.late(now, limit):
            self._leave_aside(member, Trouble(LOST, f"no answer for {now - quiet:.0f} s, while others answer"))
            member.give_up(now, limit)

    async def _try(self, member: Member) -> None:
        """Find out whether a server is back."""
        member.probing = True
        try:
            told = await member.try_out(self.sample, max(self.waits.silence, MAX_CONNECT))
            if problem := clash(member, told, self.members):
                raise Trouble("other model", problem)
        except Trouble as trouble:
            member.leave_aside(trouble, self.loop.time() + self._pause(member.tries))
            return
        finally:
            member.probing = False
        member.told = told
        if not member.aside:
            return
        member.come_back()
        log.warning("server %s: answers and is asked again", member.url)
        self.gate.let_in()

    async def _read_again(self) -> None:
        """Follow the file that lists the servers; while it cannot be read, those it listed before are asked."""
        try:
            urls, problem = self.listing.read(), ""
        except SproutError as error:
            urls, problem = [], str(error)
        if problem and problem != self.said:
            log.warning("%s; the servers listed before are asked meanwhile", problem)
        self.said = problem
        if urls and urls != [member.url for member in self.members]:
            await self._follow_listing(urls)

    async def _follow_listing(self, urls: list[str], strict: bool = False) -> None:
        known = {member.url: member for member in self.members or [self.last]}
        new = [known[url] if url in known else self._opened(url) for url in urls]
        added = [member for member in new if member not in self.members]
        for gone in [member for member in self.members if member not in new]:
            log.warning("server %s: is no longer listed; Sprout waits for its requests in flight", gone.url)
            self.gate.slots.remove(gone.connection.slots)
        self.members = new
        for found in await asyncio.gather(*(self._look_at(member) for member in added)):
            if strict and found:
                raise found
        for member in added:
            if not strict:
                log.warning(
                    "server %s: is asked from now on" if not member.aside else "server %s: is listed now", member.url
                )
            self.gate.slots.append(member.connection.slots)
        self.gate.let_in()

    def _opened(self, url: str) -> Member:
        member = Member(self._join(url, self.gate))
        self.by_slots[member.connection.slots] = member
        return member

    async def _look_at(self, member: Member) -> SproutError | None:
        """What keeps a new server from being asked for the model; one that cannot be reached is left aside."""
        try:
            told = await member.look()
            problem = clash(member, told, self.members)
            member.told = member.told if problem else told
        except Trouble as trouble:
            self._leave_aside(member, trouble)
            return None
        except SproutError as error:
            problem = str(error)
        if not problem:
            return None
        self._leave_aside(member, Trouble("other model", problem))
        return SproutError(problem)

    def _unreachable(self, silence: float) -> EngineUnreachable:
        return EngineUnreachable(
            f"no completion for {silence:.0f} s from any server ({self._words()}); check the servers and run again"
        )

    def _words(self) -> str:
        """What is wrong with each server."""
        return "; ".join(f"{member.url}: {member.words}" for member in self.members)

    def _say_how_they_do(self) -> None:
        """One line for all servers, if they were asked anything."""
        if any(member.num_answered or member.connection.slots.in_flight for member in self.members):
            log.info("servers in the last minute: %s", "; ".join(member.said() for member in self.members))
        for member in self.members:
            member.num_answered = 0


CHAT = ({"role": "user", "content": "Hello"},)
