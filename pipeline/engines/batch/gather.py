"""Gathers requests until they make up a batch, sends it, and hands each request its answer."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pipeline.engines.batch.api import CANCELLED, FAILED, Batch, BatchApi, status, why_failed
from pipeline.engines.batch.carry import Carrier
from pipeline.engines.server.address import Address
from pipeline.engines.server.client import LoopThread, Waits
from pipeline.engines.server.sender import Sender, encoded
from pipeline.engines.server.trouble import Trouble
from pipeline.errors import EngineUnreachable, SproutError

GATHER = 1.0  # seconds at most without another request until those that are there are sent
MAX_BYTES = 100 << 20  # of a file; OpenAI takes 200 MB
FULL = re.compile(  # with what waits there already, it is too much
    r"token_limit_exceeded|enqueued|queued|too many [^.]{0,40}batches|batch(?:es)? (?:queue|limit)", re.IGNORECASE
)

log = logging.getLogger(__name__)


class Sizes(NamedTuple):
    """How batches are made: see `Batch`."""

    largest: int
    smallest: int
    poll: float
    within: str


@dataclass(frozen=True)
class Line:
    """A request that waits for its answer."""

    url: str
    body: bytes
    timeout: float
    answer: asyncio.Future[bytes]

    @property
    def endpoint(self) -> str:
        return "/chat/completions" if urlsplit(self.url).path.endswith("/chat/completions") else "/completions"

    @property
    def id(self) -> str:
        """The same for the same request, in whichever sitting it is asked."""
        return hashlib.blake2b(self.endpoint.encode() + self.body, digest_size=16).hexdigest()


class Batches(Sender):
    """Sends requests for completions as batches, a few of them one by one, and everything else as it comes."""

    def __init__(self, url: str, sizes: Sizes, waits: Waits, timeout: float, thread: LoopThread) -> None:
        super().__init__(url, Address(url).key_header)
        self.url, self.sizes, self.thread = url, sizes, thread
        self.carrier = Carrier(url, BatchApi(self, url, sizes.within, timeout), waits, sizes.poll)
        self.lines: deque[Line] = deque()
        self.gathering = False

    async def ask(self, url: str, timeout: float, payload: dict[str, Any] | None = None) -> bytes:
        if payload is None or not urlsplit(url).path.endswith("/completions"):
            return await super().ask(url, timeout, payload)
        line = Line(url, encoded(payload), timeout, asyncio.get_running_loop().create_future())
        self.lines.append(line)
        if not self.gathering:
            self.gathering = True
            self.thread.begin(self._gather)
        return await line.answer

    async def _gather(self) -> None:
        while self.lines:
            there = -1
            while there < len(self.lines) < self.sizes.largest:
                there = len(self.lines)
                await asyncio.sleep(min(GATHER, self.sizes.poll))
            group: list[Line] = []
            left = MAX_BYTES
            while self.lines and len(group) < self.sizes.largest and left > 0:
                group.append(self.lines.popleft())
                left -= len(group[-1].body)
            for endpoint in {line.endpoint: None for line in group}:
                self.thread.begin(self._send, [line for line in group if line.endpoint == endpoint])
        self.gathering = False

    async def _send(self, group: Sequence[Line]) -> None:
        """Bring each request its answer, or what went wrong."""
        while group := [line for line in group if not line.answer.done()]:
            if len(group) < self.sizes.smallest:
                await asyncio.gather(*map(self._send_alone, group))
                return
            try:
                await self._send_batch(group)
            except Exception as error:
                for line in group:
                    give(line, error.copy() if isinstance(error, Trouble) else error)

    async def _send_alone(self, line: Line) -> None:
        try:
            give(line, await self.send(line.url, line.timeout, line.body))
        except Exception as error:
            give(line, error)

    async def _send_batch(self, group: Sequence[Line]) -> None:
        """Bring as many requests as one batch answers their answers.

        Raises:
            SproutError: if the server takes no batches, or refuses this one.
            EngineUnreachable: if it cannot be asked any more, or the batch was cancelled.
            Trouble: if none of its requests was answered.
        """
        named = by_id(group)
        lines = {id: line.body for id, line in named.items()}
        batch, answers, found = await self.carrier.carry(lines, group[0].endpoint)
        if status(batch) == FAILED:
            await self._failed(batch, group)
            return
        for id, line in named.items():  # in their order, so that the last one is the last to be known
            if id in answers:
                give(line, answers[id])
        if status(batch) == CANCELLED and not found:
            raise EngineUnreachable(
                f"{self.url}: batch {batch['id']} was cancelled; run the same command again, which asks what it left"
            )
        if not found and not any(line.answer.done() for line in group):
            raise Trouble("batch unanswered", f"batch {batch['id']} is {status(batch)}, and holds no answers", 503)

    async def _failed(self, batch: Batch, group: Sequence[Line]) -> None:
        """Halve a batch that is too much beside those that wait already; another one fails for good.

        Raises:
            SproutError: with what the server says.
        """
        found = why_failed(batch)
        words = self.clean(found.words).rstrip(".")
        if not FULL.search(f"{found.code} {words}"):
            raise SproutError(f"{self.url}: refuses batch {batch['id']}: {words}")
        if len(group) < 2 * self.sizes.smallest:
            raise EngineUnreachable(
                f"{self.url}: takes no more batches for now ({words}); run the same command again when others are done"
            )
        log.warning("server %s: batch %s is too large for now (%s); trying half of it", self.url, batch["id"], words)
        for half in (group[: len(group) // 2], group[len(group) // 2 :]):
            await self._send(half)


def by_id(group: Sequence[Line]) -> dict[str, Line]:
    """Requests by their ids, with a number behind that of one that is there already."""
    named: dict[str, Line] = {}
    times: Counter[str] = Counter()
    for line in group:
        id = line.id
        named[f"{id}-{times[id]}" if times[id] else id] = line
        times[id] += 1
    return named


def give(line: Line, answer: bytes | Exception) -> None:
    """Hand a request its answer, unless it has one or nobody waits for it any more."""
    if line.answer.done():
        return
    if isinstance(answer, Exception):
        line.answer.set_exception(answer)
    else:
        line.answer.set_result(answer)
