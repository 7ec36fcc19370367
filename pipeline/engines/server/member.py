"""One of several servers: what it is at work on, and whether it is left aside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.engines.base import Request
from pipeline.engines.server.client import Ask
from pipeline.engines.server.connection import Connection
from pipeline.engines.server.models import context_of
from pipeline.engines.server.names import check_folder, is_another
from pipeline.engines.server.trouble import Trouble
from pipeline.errors import SproutError
from pipeline.text import some_of

LOST = "answer overdue"  # the kind of trouble
IN_A_ROW = 3  # failures without an answer between them


class Asked(NamedTuple):
    """A request that the server is at work on."""

    scope: asyncio.Timeout
    began: float
    moves: int  # how often it was taken away from a silent server before; each time it is given twice as long


class Told(NamedTuple):
    """What a server tells of its model."""

    root: str = ""  # where it has it from
    context: int | None = None  # tokens


class Member:
    """A server of a fleet.

    Attributes:
        trouble: Why it is left aside; None while it is asked.
        words: The last trouble with it.
        due: When to find out whether it is back, by the clock of the loop.
        told: What it tells of its model.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection, self.url = connection, connection.url
        self.trouble: Trouble | None = None
        self.words = "not asked yet"
        self.due, self.tries, self.failed, self.num_answered = 0.0, 0, 0, 0
        self.probing = False
        self.at_work: set[Asked] = set()
        self.told = Told()

    @property
    def aside(self) -> bool:
        return self.trouble is not None

    @property
    def quiet_since(self) -> float:
        """Since when it has answered nothing of what it was asked."""
        now = self.connection.loop.time()
        return max(self.connection.answered, min((asked.began for asked in self.at_work), default=now))

    async def ask(self, request: Request, probing: bool, ask: Ask | None, moves: int) -> Any:
        """
        Raises:
            Trouble: for whatever goes wrong, `LOST` among it.
        """
        asked: Asked | None = None
        try:
            async with asyncio.timeout(None) as scope:
                asked = Asked(scope, self.connection.loop.time(), moves)
                self.at_work.add(asked)
                answer = await self.connection.attempt(request, probing, ask)
        except TimeoutError:
            raise Trouble(LOST, "no answer while others answer") from None
        finally:
            if asked:
                self.at_work.discard(asked)
        self.failed = 0
        self.num_answered += 1
        return answer

    def late(self, now: float, limit: float) -> bool:
        """Whether it is at work on something for longer than that may take."""
        return any(now - asked.began >= limit * 2**asked.moves for asked in self.at_work)

    def give_up(self, now: float, limit: float) -> None:
        """Drop what it is at work on, but for what was taken from another server and may still be slow."""
        for asked in self.at_work:
            if not asked.moves or now - asked.began >= limit * 2**asked.moves:
                asked.scope.reschedule(now)

    def is_lost(self, trouble: Trouble) -> bool:
        """Whether to leave it aside after this trouble."""
        self.failed += 1
        self.words = str(trouble)
        gone = trouble.hopeless or trouble.message.startswith("cannot connect") or trouble.kind in (LOST, "time-out")
        return gone or self.failed >= IN_A_ROW

    def leave_aside(self, trouble: Trouble, due: float) -> None:
        self.trouble, self.words, self.due = trouble, str(trouble), due
        self.tries += 1
        self.connection.slots.aside = True

    def come_back(self) -> None:
        self.trouble, self.tries, self.failed = None, 0, 0
        self.connection.slots.restart()
        self.connection.slots.aside = False

    async def try_out(self, sample: Request, seconds: float) -> Told:
        """Ask for a few tokens, and for what it tells of its model.

        Raises:
            Trouble: if none come.
        """
        try:
            told = await self.look()
            async with asyncio.timeout(seconds):
                await self.connection.wire.complete(sample, thinking=False)
        except TimeoutError:
            raise Trouble(LOST, f"no answer to a small request within {seconds:g} s") from None
        except SproutError as error:
            raise Trouble("other model", str(error)) from None
        self.connection.answered = self.connection.loop.time()
        return told

    async def look(self) -> Told:
        """See that it serves the model, as far as it tells.

        Raises:
            Trouble: if it does not answer.
            SproutError: if it lists other models only.
        """
        connection = self.connection
        try:
            entries = await connection.wire.entries()
        except Trouble as trouble:
            if not (trouble.missing or trouble.refused or trouble.unreadable):
                raise
            entries = []  # it does not say
        names = [one["id"] for one in entries]
        if Path(connection.model).is_dir():
            connection.model = connection.wire.model = check_folder(connection.model, names, self.url)
        alike = [one for one in entries if one["id"] == connection.model]
        alike = alike or [one for one in entries if not is_another(connection.model, one["id"])]
        if alike:
            return Told(str(alike[0].get("root") or ""), context_of(alike[0]))
        if entries and not connection.wire.address.names_deployments:
            raise SproutError(
                f"{self.url}: does not serve {connection.model}, it serves {some_of(names)}; all servers of a run have "
                f"the same model"
            )
        return Told()

    def said(self) -> str:
        """How it does, for the log."""
        slots = self.connection.slots
        state = f"left aside ({self.trouble})" if self.trouble else f"{slots.in_flight} in flight"
        return f"{self.url} {self.num_answered:,} answered, {state}"


def clash(member: Member, told: Told, others: Sequence[Member]) -> str:
    """What tells the model of a server from that of another one; empty if nothing does."""
    for other in others:
        if other is not member and told.root and other.told.root and is_another(other.told.root, told.root):
            return (
                f"{member.url}: has {member.connection.model} from {told.root}, and {other.url} has it from "
                f"{other.told.root}; all servers of a run have the same model"
            )
        if other is not member and told.context and other.told.context and told.context != other.told.context:
            return (
                f"{member.url}: takes {told.context:,} tokens, and {other.url} takes {other.told.context:,}; start all "
                f"servers of a run with the same context (--max-model-len)"
            )
    return ""
