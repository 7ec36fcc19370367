"""A small server of our own, that fails in the ways servers fail."""

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

MODELS = {"object": "list", "data": [{"id": "tiny", "object": "model", "created": 0, "owned_by": "us"}]}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@dataclass
class Answer:
    """How to answer once: a status with headers, after a while; status 0 drops the connection."""

    status: int = 200
    message: str = "sorry"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    finish_reason: str = "stop"
    body: object = None  # instead of a completion or an error: JSON, or bytes as they are
    cut_at: float = 1.0  # how much of the body there is, as if that were all
    drop_at: float = 1.0  # how much of the body comes before the connection drops


Plan = Callable[[int, dict[str, Any]], Answer]  # from how often this prompt came before, and the request


def prompt_of(body: dict[str, Any]) -> str:
    return str(body["prompt"] if "prompt" in body else body["messages"][-1]["content"])


def echo(body: dict[str, Any]) -> str:
    return f"echo {prompt_of(body)}"


class StandIn(ThreadingHTTPServer):
    """Completes every prompt with `text(request)`, unless the plan says otherwise. It can die and come back."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, plan: Plan, port: int = 0, text: Callable[[dict[str, Any]], str] = echo) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.plan, self.text = plan, text
        self.metrics: Callable[[], str] | None = None
        self.lock = threading.Lock()
        self.connections: set[Any] = set()
        self.tries: dict[str, int] = {}
        self.calls: list[tuple[float, str, dict[str, Any], str]] = []  # when, path, body, key
        self.at_once = self.most_at_once = 0
        self._serve()

    def __exit__(self, *_: object) -> None:
        self.die()

    def __enter__(self) -> Self:
        return self

    def answer(self, tried: int, body: dict[str, Any], path: str, headers: dict[str, str]) -> Answer:
        return self.plan(tried, body)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def die(self) -> None:
        """Drop all connections and accept no more."""
        self.shutdown()
        self.server_close()
        with self.lock:
            for connection in self.connections:
                with suppress(OSError):  # the engine was faster
                    connection.shutdown(socket.SHUT_RDWR)

    def come_back(self) -> None:
        """Serve again, on the same port."""
        self.socket = socket.socket(self.address_family, self.socket_type)
        self.server_bind()
        self.server_activate()
        self._serve()

    def _serve(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.lock:
            self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.lock:
            self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the engine hung up; that is its right


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer takes 40 ms
    server: StandIn

    def do_GET(self) -> None:
        if not self.path.endswith("/metrics"):
            self.send(Answer(), MODELS)
        elif self.server.metrics:
            self.send(Answer(), self.server.metrics().encode())
        else:
            self.send(Answer(404), {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt, stand_in = prompt_of(body), self.server
        with stand_in.lock:
            tried = stand_in.tries.get(prompt, 0)
            stand_in.tries[prompt] = tried + 1
            stand_in.calls.append((time.monotonic(), self.path, body, self.headers["Authorization"] or ""))
            stand_in.at_once += 1
            stand_in.most_at_once = max(stand_in.most_at_once, stand_in.at_once)
        answer = stand_in.answer(tried, body, self.path, dict(self.headers))
        time.sleep(answer.seconds)
        with stand_in.lock:
            stand_in.at_once -= 1
        if not answer.status:
            self.close_connection = True
        elif answer.body is not None:
            self.send(answer, answer.body)
        elif answer.status >= 400:
            self.send(answer, {"error": {"message": answer.message}})
        else:
            self.send(answer, completion(body, stand_in.text(body), answer.finish_reason))

    def send(self, answer: Answer, body: object) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        content = content[: int(len(content) * answer.cut_at)]
        self.send_response(answer.status)
        for name, value in ({"Content-Length": str(len(content))} | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: int(len(content) * answer.drop_at)])
        self.close_connection = self.close_connection or answer.drop_at < 1

    def log_message(self, format: str, *args: object) -> None:
        pass


def completion(body: dict[str, Any], text: str, finish_reason: str) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish_reason, "logprobs": None}
    choice |= {"text": text} if "prompt" in body else {"message": {"role": "assistant", "content": text}}
    return {"id": "1", "object": "completion", "created": 0, "model": "tiny", "choices": [choice], "usage": USAGE}
