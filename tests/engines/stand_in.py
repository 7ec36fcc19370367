"""A small server of our own, that fails in the ways servers fail."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """How to answer once: a status with headers, after a while; status 0 drops the connection."""

    status: int = 200
    message: str = "sorry"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    finish_reason: str = "stop"
    body: dict[str, Any] | None = None


Plan = Callable[[int, dict[str, Any]], Answer]  # from how often this prompt came before, and the request


class StandIn(ThreadingHTTPServer):
    """Completes every prompt with `echo PROMPT`, unless the plan says otherwise."""

    daemon_threads = True

    def __init__(self, plan: Plan, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.plan = plan
        self.lock = threading.Lock()
        self.tries: dict[str, int] = {}
        self.calls: list[tuple[float, str, dict[str, Any], str]] = []  # when, path, body, key
        self.at_once = self.most_at_once = 0
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandIn

    def do_GET(self) -> None:
        self.send(200, {"object": "list", "data": [{"id": "tiny", "object": "model", "created": 0, "owned_by": "us"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body.get("prompt") or body["messages"][-1]["content"]
        stand_in = self.server
        with stand_in.lock:
            tried = stand_in.tries.get(prompt, 0)
            stand_in.tries[prompt] = tried + 1
            stand_in.calls.append((time.monotonic(), self.path, body, self.headers["Authorization"]))
            stand_in.at_once += 1
            stand_in.most_at_once = max(stand_in.most_at_once, stand_in.at_once)
        answer = stand_in.plan(tried, body)
        time.sleep(answer.seconds)
        with stand_in.lock:
            stand_in.at_once -= 1
        if not answer.status:
            self.close_connection = True
        elif answer.status >= 400:
            self.send(answer.status, {"error": {"message": answer.message}}, answer.headers)
        elif answer.body:
            self.send(answer.status, answer.body)
        else:
            choice = {"index": 0, "finish_reason": answer.finish_reason, "logprobs": None}
            text = {"text": f"echo {prompt}"} if "prompt" in body else {
                "message": {"role": "assistant", "content": f"echo {prompt}"}
            }  # fmt: skip
            usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
            made = {"id": "1", "object": "completion", "created": 0, "model": "tiny", "choices": [choice | text]}
            self.send(200, made | {"usage": usage})

    def send(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        content = json.dumps(body).encode()
        try:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the engine hung up; that is its right

    def log_message(self, format: str, *args: object) -> None:
        pass
