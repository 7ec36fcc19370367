"""The batch API of a server: a file of requests goes up, and within a day a file of answers comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.engines.server.address import Address
from pipeline.engines.server.said import Said, read_error
from pipeline.engines.server.sender import MAX_CONNECT, Sender
from pipeline.engines.server.trouble import Trouble

Batch = dict[str, Any]  # as the server describes it: id, status, request_counts, …
FAILED = "failed"  # as a whole, without an answer
CANCELLED = "cancelled"
ENDED = ("completed", FAILED, "expired", CANCELLED)
DEPLOYMENT = re.compile(r"/deployments/[^/?#]+")
MARK = "sprout"  # of the metadata of a batch
UNASKED = ("batch_expired", "batch_cancelled", "request_cancelled")  # codes of requests that were not answered in time
PAGE, PAGES = 100, 20  # batches a page, and pages, when looking for earlier ones
MIN_TRANSFER = 600.0  # seconds for a file to go up or down; those of OpenAI have up to 200 MB


class BatchApi:
    """Asks once each time; all that goes wrong is a `Trouble`.

    Older urls of Azure name a deployment. Its batches lie beside it, and their endpoints have no version.
    """

    def __init__(self, sender: Sender, url: str, within: str, timeout: float) -> None:
        outside = DEPLOYMENT.sub("", url)
        self.sender, self.address, self.within = sender, Address(outside), within
        self.version = "" if outside != url else "/v1"
        self.transfer = max(MIN_TRANSFER, timeout)
        self.takes_metadata = True  # as far as is known

    async def create(self, mark: str, lines: Mapping[str, bytes], endpoint: str) -> Batch:
        """Send requests, by their ids, as one batch; `mark` tells it from others when it is looked for."""
        endpoint = self.version + endpoint
        file = await self._upload(b"".join(line(id, endpoint, body) for id, body in lines.items()))
        asked: dict[str, Any] = {"input_file_id": file, "endpoint": endpoint, "completion_window": self.within}
        if self.takes_metadata:
            asked["metadata"] = {MARK: mark}
        return self._batch(await self.sender.ask(self.address.at("/batches"), self.transfer, asked))

    async def look(self, id: str) -> Batch:
        return self._batch(await self.sender.ask(self.address.at(f"/batches/{id}"), MAX_CONNECT))

    async def answers(self, batch: Batch) -> dict[str, bytes | Trouble]:
        """What a batch has brought so far, by the ids of its requests: the body of a good answer, or what went wrong.

        Requests that were not answered in time are left out.
        """
        found: dict[str, bytes | Trouble] = {}
        for name in ("output_file_id", "error_file_id"):
            if id := batch.get(name):
                content = await self.sender.ask(self.address.at(f"/files/{id}/content"), self.transfer)
                found |= dict(self._read(content.splitlines()))
        return found

    async def earlier(self) -> dict[str, Batch]:
        """The batches of earlier sittings by their marks, the latest of each; without those that failed as a whole."""
        found: dict[str, Batch] = {}
        after = ""
        for _ in range(PAGES):
            query: dict[str, str | int] = {"limit": PAGE} | ({"after": after} if after else {})
            page = _object(await self.sender.ask(self.address.at("/batches", **query), MAX_CONNECT))
            batches = [one for one in page.get("data") or () if isinstance(one, dict) and one.get("id") != after]
            for one in batches:
                mark = (one.get("metadata") or {}).get(MARK)
                if mark and status(one) != FAILED:
                    found.setdefault(mark, one)
            if not batches or not page.get("has_more"):
                break
            after = str(batches[-1].get("id"))
        return found

    async def _upload(self, content: bytes) -> str:
        from aiohttp import FormData

        form = FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", content, filename="sprout.jsonl", content_type="application/jsonl")
        writer = form()
        body = await writer.as_bytes()
        answer = await self.sender.send(self.address.at("/files"), self.transfer, body, writer.content_type)
        return str(self._batch(answer)["id"])

    def _batch(self, content: bytes) -> Batch:
        found = _object(content)
        if not isinstance(found.get("id"), str):
            raise Trouble("answer unreadable", f"has no id: {self.sender.clean(content[:80].decode(errors='replace'))}")
        return found

    def _read(self, lines: Iterable[bytes]) -> Iterator[tuple[str, bytes | Trouble]]:
        for one in lines:
            try:
                found = json.loads(one)
                id, answer, error = str(found["custom_id"]), found.get("response") or {}, found.get("error") or {}
                code = int(answer.get("status_code") or 0)
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                continue  # the request counts as not answered
            if code and code < 300 and not error:
                yield id, json.dumps(answer.get("body")).encode()
            elif not (isinstance(error, dict) and error.get("code") in UNASKED):
                body = answer.get("body") or error
                yield id, self.sender.trouble(read_error(body), code or 500)


def line(id: str, endpoint: str, body: bytes) -> bytes:
    """A request as it stands in the file of a batch."""
    head = json.dumps({"custom_id": id, "method": "POST", "url": endpoint})
    return head[:-1].encode() + b', "body": ' + body + b"}\n"


def status(batch: Batch) -> str:
    return str(batch.get("status")).lower()


def why_failed(batch: Batch) -> Said:
    """What the server says of a batch that failed as a whole."""
    errors = batch.get("errors")
    return read_error((errors.get("data") if isinstance(errors, dict) else errors) or "it does not say why")


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Trouble("answer unreadable", "answers something else where batches should be")
    return found
