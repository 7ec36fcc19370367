"""A server with a batch API as OpenAI has it: files, batches, metadata, answers in another order than the requests."""

import json
import re
import threading
import time
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.engines.chaos_server import toy_answer
from tests.engines.stand_in import Answer, Handler, StandIn, completion

Judge = Callable[[dict[str, Any]], dict[str, Any] | None]  # from a request to its line in the answers, or None


PREFIX = re.compile(r"^/(?:v1|openai)")


class BatchServer(StandIn):
    """Answers batches `seconds` after they came, if it takes them.

    Attributes:
        files: By id, what was sent and what is to be fetched.
        batches: In the order in which they came.
        outcome: What becomes of a request in a batch, where it is no completion.
        status: What becomes of a batch; changed from test to test.
        refuses: What a request for a path below /v1 gets instead, by method and path.
    """

    def __init__(self, seconds: float = 0.1, plan: Callable[[int, dict[str, Any]], Answer] | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: list[dict[str, Any]] = []
        self.seconds = seconds
        self.outcome: Judge = lambda body: None
        self.status: Callable[[dict[str, Any]], str] = lambda batch: "completed"
        self.error = {"code": "invalid", "message": "this batch is not right"}
        self.takes_metadata = True
        self.refuses: dict[tuple[str, str], Answer] = {}
        self.seen: list[tuple[str, str]] = []
        self.answering = threading.Lock()
        super().__init__(plan or (lambda tried, body: Answer()), text=toy_answer)
        self.RequestHandlerClass = BatchHandler

    @property
    def asked_in_batches(self) -> list[dict[str, Any]]:
        return [one for batch in self.batches for one in self.lines(batch)]

    def lines(self, batch: dict[str, Any]) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        batch = asked | {"id": f"batch_{len(self.batches)}", "status": "validating", "created_at": time.time()}
        batch["due"] = time.monotonic() + self.seconds
        self.batches.append(batch)
        return self.look(batch)

    def look(self, batch: dict[str, Any]) -> dict[str, Any]:
        with self.answering:
            if batch["status"] == "validating" and time.monotonic() >= batch["due"]:
                batch["status"] = self.status(batch)
                if batch["status"] == "failed":
                    batch["errors"] = {"object": "list", "data": [self.error | {"line": None, "param": None}]}
                else:
                    self.complete(batch)
        return {key: value for key, value in batch.items() if key != "due"}

    def complete(self, batch: dict[str, Any]) -> None:
        lines = self.lines(batch)
        if batch["status"] != "completed":
            lines = lines[: len(lines) // 2]
        answers, errors = [], []
        for line in sorted(lines, key=lambda line: str(line["custom_id"])):
            assert line["url"] == batch["endpoint"]
            body = line["body"]
            good = {"status_code": 200, "request_id": "r", "body": completion(body, self.text(body), "stop")}
            found = self.outcome(body) or {"response": good, "error": None}
            failed = found.get("error") or found["response"]["status_code"] >= 400
            (errors if failed else answers).append({"id": "x", "custom_id": line["custom_id"]} | found)
        for name, content in (("output_file_id", answers), ("error_file_id", errors)):
            if content:
                batch[name] = self.keep("\n".join(map(json.dumps, content)).encode())
        batch["request_counts"] = {"total": len(self.lines(batch)), "completed": len(answers), "failed": len(errors)}

    def keep(self, content: bytes) -> str:
        id = f"file-{len(self.files)}"
        self.files[id] = content
        return id


class BatchHandler(Handler):
    server: BatchServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = PREFIX.sub("", parts.path)
        if self.refused("GET", path):
            return
        if path == "/batches":
            self.listed(parse_qs(parts.query))
        elif found := re.fullmatch(r"/batches/(\w+)", path):
            there = [one for one in self.server.batches if one["id"] == found[1]]
            self.send(Answer(), self.server.look(there[0])) if there else self.send(Answer(404), {"error": "no batch"})
        elif found := re.fullmatch(r"/files/([\w-]+)/content", path):
            content = self.server.files.get(found[1])
            self.send(Answer(), content) if content else self.send(Answer(404), {"error": "no such file"})
        else:
            super().do_GET()

    def do_POST(self) -> None:
        path = PREFIX.sub("", urlsplit(self.path).path)
        if path not in ("/files", "/batches"):
            super().do_POST()
            return
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self.refused("POST", path):
            return
        assert self.headers["api-key"] == "KEY-123" or (self.headers["Authorization"] == "Bearer KEY-123")
        if path == "/batches":
            asked = json.loads(content)
            if "metadata" in asked and not self.server.takes_metadata:
                self.send(Answer(400), {"error": {"message": "Unknown parameter: metadata"}})
            else:
                self.send(Answer(), self.server.create(asked))
            return
        head = b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n"
        parts = {part.get_param("name", header="content-disposition"): part
                 for part in BytesParser(policy=HTTP).parsebytes(head + content).iter_parts()}  # fmt: skip
        assert parts["purpose"].get_payload(decode=True) == b"batch"
        self.send(Answer(), {"id": self.server.keep(parts["file"].get_payload(decode=True)), "object": "file"})

    def refused(self, method: str, path: str) -> bool:
        self.server.seen.append((method, path))
        answer = self.server.refuses.get((method, path))
        if answer:
            self.send(answer, {"error": {"message": answer.message}} if answer.body is None else answer.body)
        return answer is not None

    def listed(self, query: dict[str, list[str]]) -> None:
        """The latest first, two a page."""
        batches = [self.server.look(one) for one in reversed(self.server.batches)]
        ids = [one["id"] for one in batches]
        start = ids.index(query["after"][0]) + 1 if "after" in query else 0
        self.send(Answer(), {"data": batches[start : start + 2], "has_more": start + 2 < len(batches)})
