"""Brings a batch to the server, waits for it, and brings its answers back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, TypeVar

from pipeline.engines.batch.api import ENDED, FAILED, Batch, BatchApi, status
from pipeline.engines.server.client import Waits
from pipeline.engines.server.connection import REPORT
from pipeline.engines.server.trouble import Trouble
from pipeline.errors import EngineUnreachable, SproutError

log = logging.getLogger(__name__)
T = TypeVar("T")


class Carried(NamedTuple):
    """A batch that is over, and what it brought, by the ids of its requests."""

    batch: Batch
    answers: dict[str, bytes | Trouble]
    found: bool  # it was sent in an earlier sitting


class Carrier:
    """Asks until there is an answer, for as long as patience goes.

    The mark of a batch is the id of its last request. A run that was stopped finds the batch by it among those of the
    server: the last request is still unanswered then, since it is the last to get its answer.
    """

    def __init__(self, url: str, api: BatchApi, waits: Waits, poll: float) -> None:
        self.url, self.api, self.waits, self.poll = url, api, waits, poll
        self.earlier: dict[str, Batch] | None = None  # those of earlier sittings, by their marks
        self.looking = asyncio.Lock()
        self.awaited: set[str] = set()  # ids of batches

    async def carry(self, lines: Mapping[str, bytes], endpoint: str) -> Carried:
        """Have requests answered, by their ids: by a batch of an earlier sitting that may hold others, or a new one.

        Raises:
            SproutError: if the server takes no batches, or refuses this one.
            EngineUnreachable: if it cannot be asked any more.
            Trouble: for what no other try would change.
        """
        async with self.looking:
            if self.earlier is None:
                self.earlier = await self._from_before()
        found = next((self.earlier.pop(id) for id in reversed([*lines]) if id in self.earlier), None)
        if found:
            log.info("server %s: batch %s is there from before, with %s", self.url, found["id"], counts(found))
        batch = await self._ended(found or await self._created(lines, endpoint))
        if status(batch) == FAILED:
            return Carried(batch, {}, bool(found))
        try:
            answers = await self._insist(lambda: self.api.answers(batch), f"get the answers of batch {batch['id']}")
        except Trouble as trouble:
            if not (found and trouble.missing):  # files are kept for some weeks
                raise
            answers = {}
        return Carried(batch, answers, bool(found))

    async def _from_before(self) -> dict[str, Batch]:
        try:
            return await self._insist(self.api.earlier, "list batches")
        except Trouble as trouble:
            if not (trouble.missing or trouble.refused):
                raise
            return {}  # a server without such a list, or without batches, which it says when it is sent one

    async def _created(self, lines: Mapping[str, bytes], endpoint: str) -> Batch:
        mark, sent = [*lines][-1], False

        async def create() -> Batch:
            nonlocal sent
            if sent and (there := (await self.api.earlier()).get(mark)) and there["id"] not in self.awaited:
                return there  # it was made, and only the answer went astray
            sent = True
            return await self.api.create(mark, lines, endpoint)

        try:
            batch = await self._insist(create, "send a batch")
        except Trouble as trouble:
            words = str(trouble).rstrip(".")
            if trouble.refused and "metadata" in trouble.message and self.api.takes_metadata:
                self.api.takes_metadata = False
                log.warning(
                    "server %s: takes no metadata with a batch (%s), so a run that is stopped cannot find it again",
                    self.url, words,
                )  # fmt: skip
                return await self._created(lines, endpoint)
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
        self.awaited.add(id)
        told, last = loop.time(), ""
        while status(batch) not in ENDED:
            await asyncio.sleep(self.poll)
            batch = await self._insist(lambda: self.api.look(id), f"look at batch {id}", patient=True)
            if (far := counts(batch)) != last and loop.time() - told >= REPORT:
                log.info("server %s: batch %s: %s", self.url, id, far)
                told, last = loop.time(), far
        return batch

    async def _insist(self, ask: Callable[[], Awaitable[T]], what: str, patient: bool = False) -> T:
        """Ask until there is an answer, for as long as patience goes.

        Args:
            patient: Whether even what is missing is asked for again: a batch may take a moment to be known.

        Raises:
            EngineUnreachable: when patience is over.
            Trouble: for what no other try would change.
        """
        loop, retry = asyncio.get_running_loop(), 0
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
                await asyncio.sleep(max(trouble.wait, self.waits.before(retry)))
                retry += 1


def counts(batch: Batch) -> str:
    """How far a batch is, as its server says."""
    numbers = batch.get("request_counts") or {}
    done = (numbers.get("completed") or 0) + (numbers.get("failed") or 0)
    return f"{done:,} of {numbers.get('total') or 0:,} requests answered, {status(batch)}"
