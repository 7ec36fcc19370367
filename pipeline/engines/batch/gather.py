"""Gathers requests until they make up a batch, sends it, and hands each request its answer."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from pipeline.engines.batch.api import ENDED, FAILED, Batch, BatchApi, status, why_failed
from pipeline.engines.server.address import Address
from pipeline.engines.server.client import LoopThread, Waits
from pipeline.engines.server.sender import Sender, encoded
from pipeline.engines.server.trouble import Trouble
from pipeline.errors import EngineUnreachable, SproutError

GATHER = 1.0  # seconds at most without another request until those that are there are sent
MAX_BYTES = 100 << 20  # of a file; OpenAI takes 200 MB
MAX_PAUSE = 20.0  # seconds between two tries
REPORT = 60.0  # seconds between two lines about a batch
FULL = re.compile(  # with what waits there already, it is too much
    r"token_limit_exceeded|enqueued|queued|too many [^.]{0,40}batches|batch(?:es)? (?:queue|limit)", re.IGNORECASE
)

log = logging.getLogger(__name__)
T = TypeVar("T")


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
    """Sends requests for completions as batches, a few of them one by one, and everything else as it comes.

    A batch is named after its last request. A run that was stopped finds it again by that name among the batches of the
    server, since the last request is the last to get its answer.
    """

    def __init__(self, url: str, sizes: Sizes, waits: Waits, timeout: float, thread: LoopThread) -> None:
        address = Address(url)
        super().__init__(url, address.key_header)
        self.url, self.sizes, self.waits, self.thread = url, sizes, waits, thread
        self.api = BatchApi(self, address, sizes.within, timeout)
        self.lines: deque[Line] = deque()
        self.gathering = False
        self.earlier: dict[str, Batch] | None = None  # those of earlier sittings, by their marks
        self.looking = asyncio.Lock()

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
            self.thread.begin(self._send, group)
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
                    if not line.answer.done():
                        line.answer.set_exception(error.copy() if isinstance(error, Trouble) else error)

    async def _send_alone(self, line: Line) -> None:
        try:
            answer = await self.send(line.url, line.timeout, line.body)
        except Exception as error:
            if not line.answer.done():
                line.answer.set_exception(error)
        else:
            if not line.answer.done():
                line.answer.set_result(answer)

    async def _send_batch(self, group: Sequence[Line]) -> None:
        """Bring as many requests as one batch answers their answers.

        Raises:
            SproutError: if the server takes no batches, or refuses this one.
            EngineUnreachable: if it cannot be asked any more, or the batch was cancelled.
            Trouble: if none of its requests was answered.
        """
        named = by_id(group)
        async with self.looking:
            if self.earlier is None:
                self.earlier = await self._from_before()
        if found := next((self.earlier.pop(id) for id in reversed(named) if id in self.earlier), None):
            log.info("server %s: batch %s is there from before, with %s", self.url, found["id"], counts(found))
        batch = found or await self._created(named, group[0].endpoint)
        batch = await self._ended(batch)
        if status(batch) == FAILED:
            await self._failed(batch, group)
            return
        try:
            answers = await self._insist(lambda: self.api.answers(batch), f"get the answers of batch {batch['id']}")
        except Trouble as trouble:
            if not (found and trouble.missing):  # files are kept for some weeks
                raise
            answers = {}
        for id, line in named.items():  # in their order, so that the last one is the last to be known
            give(line, answers.get(id))
        if status(batch) == "cancelled" and not found:
            raise EngineUnreachable(
                f"{self.url}: batch {batch['id']} was cancelled; run the same command again, which asks what it left"
            )
        if found or any(line.answer.done() for line in group):
            return
        raise Trouble("batch unanswered", f"batch {batch['id']} is {status(batch)}, and holds no answers", 503)

    async def _from_before(self) -> dict[str, Batch]:
        try:
            return await self._insist(self.api.earlier, "list batches")
        except Trouble as trouble:
            if not (trouble.missing or trouble.refused):
                raise
            return {}  # a server without such a list, or without batches, which it says when it is sent one

    async def _created(self, named: Mapping[str, Line], endpoint: str) -> Batch:
        lines = {id: line.body for id, line in named.items()}
        mark = next(reversed(lines))
        try:
            batch = await self._insist(lambda: self.api.create(mark, lines, endpoint), "send a batch")
        except Trouble as trouble:
            words = str(trouble).rstrip(".")
            if trouble.refused and "metadata" in trouble.message and self.api.takes_metadata:
                self.api.takes_metadata = False
                log.warning(
                    "server %s: takes no metadata with a batch (%s), so a run that is stopped cannot find it again",
                    self.url, words,
                )  # fmt: skip
                return await self._created(named, endpoint)
            if trouble.missing:
                raise SproutError(
                    f"{self.url}: has no batch API at {trouble.path} ({words}); use --engine server"
                ) from None
            if trouble.refused:
                raise SproutError(f"{self.url}: refuses a batch of {len(lines):,} requests: {words}") from None
            raise
        log.info("server %s: batch %s with %s requests is on its way", self.url, batch["id"], f"{len(lines):,}")
        return batch

    async def _ended(self, batch: Batch) -> Batch:
        """The batch once it is over; the log says how far it is."""
        loop, id = asyncio.get_running_loop(), batch["id"]
        told, last = loop.time(), ""
        while status(batch) not in ENDED:
            await asyncio.sleep(self.sizes.poll)
            batch = await self._insist(lambda: self.api.look(id), f"look at batch {id}", patient=True)
            if (far := counts(batch)) != last and loop.time() - told >= REPORT:
                log.info("server %s: batch %s: %s", self.url, id, far)
                told, last = loop.time(), far
        return batch

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

    async def _insist(self, ask: Callable[[], Awaitable[T]], what: str, patient: bool = False) -> T:
        """Ask until there is an answer, for as long as patience goes.

        Args:
            patient: Whether even what is missing is asked for again: a batch may take a moment to be known.

        Raises:
            EngineUnreachable: when patience is over.
            Trouble: for what no other try would change.
        """
        loop, number = asyncio.get_running_loop(), 0
        begun = loop.time()
        while True:
            try:
                return await ask()
            except Trouble as trouble:
                if (trouble.hopeless or trouble.refused or trouble.missing) and not (patient and trouble.missing):
                    raise
                if loop.time() - begun > self.waits.patience:
                    raise EngineUnreachable(
                        f"{self.url}: cannot {what} for {self.waits.patience:g} s ({str(trouble).rstrip('.')}); check "
                        f"the server and run the same command again, which finds its batches again"
                    ) from None
                await asyncio.sleep(max(trouble.wait, min(self.waits.pause * 2**number, MAX_PAUSE)))
                number = min(number + 1, 20)


def by_id(group: Sequence[Line]) -> dict[str, Line]:
    """Requests by their ids, with a number behind that of one that is there already."""
    named: dict[str, Line] = {}
    times: Counter[str] = Counter()
    for line in group:
        id = line.id
        named[f"{id}-{times[id]}" if times[id] else id] = line
        times[id] += 1
    return named


def give(line: Line, answer: bytes | Trouble | None) -> None:
    if line.answer.done() or answer is None:
        return
    if isinstance(answer, Trouble):
        line.answer.set_exception(answer)
    else:
        line.answer.set_result(answer)


def counts(batch: Batch) -> str:
    """How far a batch is, as its server says."""
    numbers = batch.get("request_counts") or {}
    done = (numbers.get("completed") or 0) + (numbers.get("failed") or 0)
    return f"{done:,} of {numbers.get('total') or 0:,} requests answered, {status(batch)}"
