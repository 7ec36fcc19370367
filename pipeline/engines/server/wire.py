"""One request to a server that speaks the OpenAI API, and what its answer comes to: a completion or some trouble."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from pipeline.engines.base import Completion, Request
from pipeline.engines.server.environment import proxy, read_key

if TYPE_CHECKING:
    from aiohttp import ClientSession

BUSY = {429, 503}  # the server has too much to do, which says nothing about the request
LATE = {408, 504}
PASSING = BUSY | LATE | {409, 425}  # and what is not 4xx: worth another try
HOPELESS = {401, 402, 403, 404, 405, 407}  # no other request would fare better
MAX_CONNECT = 10.0  # seconds
KEEP_ALIVE = 3.0  # seconds; vLLM closes a connection that is idle for 5
CUT_OFF = {"abort", "error"}  # reasons to finish that leave no whole text, and are not the request's fault
# What reading another shape of answer ends in.
NOT_OPENAI = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


class Trouble(Exception):
    """An answer that is no completion, or no answer.

    Args:
        kind: How it is counted in the log, the noun first: "answer 429".
        message: What the server says, without the key.
        status: Of HTTP, if there was a whole answer.
        wait: Seconds the server asks to wait.
        path: What was asked for, of the url.
    """

    def __init__(self, kind: str, message: str, status: int = 0, wait: float = 0.0, path: str = "") -> None:
        super().__init__(message)
        self.kind, self.message, self.status, self.wait, self.path = kind, message, status, wait, path

    def __str__(self) -> str:
        return self.message[:300]

    @property
    def refused(self) -> bool:
        """Whether this request can never succeed, while others can."""
        return 400 <= self.status < 500 and self.status not in PASSING | HOPELESS

    @property
    def hopeless(self) -> bool:
        return self.status in HOPELESS

    @property
    def busy(self) -> bool:
        return self.status in BUSY

    @property
    def crowded(self) -> bool:
        """Whether it is a sign that fewer requests should be in flight."""
        return self.busy or self.status in LATE or self.kind == "time-out"

    @property
    def unreadable(self) -> bool:
        return self.kind == "answer unreadable"


class Wire:
    """Asks once. Everything that goes wrong is a `Trouble`, and none of them holds the key."""

    def __init__(self, model: str, url: str, timeout: float) -> None:
        self.model, self.url, self.timeout = model, url.rstrip("/"), timeout
        self.key, self.proxy = read_key(), proxy(url)
        # With each request: the headers of a session go to the proxy as well.
        key = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        self.headers = {"Content-Type": "application/json"} | key
        self.session: ClientSession | None = None  # belongs to the event loop

    async def complete(self, request: Request) -> Completion:
        try:
            return await self._complete(request, request.sampling.max_tokens)
        except Trouble as trouble:
            fewer = fewer_tokens(trouble.message, request) if trouble.status == 400 else 0
            if fewer == 0:
                raise
        return await self._complete(request, fewer)

    async def _complete(self, request: Request, max_tokens: int | None) -> Completion:
        path = "/completions" if isinstance(request.prompt, str) else "/chat/completions"
        content = await self._ask(self.url + path, self.timeout, {"model": self.model} | body(request, max_tokens))
        try:
            return read(content, request)
        except NOT_OPENAI:
            start = self._clean(content.decode(errors="replace"))[:80]
        raise Trouble("answer unreadable", f"not as an OpenAI server does: {start!r}")

    async def served(self) -> str:
        """The names of the models the server has."""
        content = await self._ask(f"{self.url}/models", MAX_CONNECT)
        try:
            return self._clean(", ".join(str(model["id"]) for model in json.loads(content)["data"])) or "nothing"
        except NOT_OPENAI:
            pass
        raise Trouble("answer unreadable", "it answers something else")

    async def queue(self) -> tuple[float, float] | None:
        """How many requests run and wait in the server, whoever asked them; None if it has no such metrics of vLLM."""
        try:
            content = await self._ask(f"{self.url.removesuffix('/v1')}/metrics", MAX_CONNECT)
            return queue(content.decode(errors="replace"))
        except Trouble as trouble:
            if trouble.refused or trouble.hopeless:
                return None
            raise

    async def close(self) -> None:
        if self.session:
            await self.session.close()

    async def _ask(self, url: str, timeout: float, payload: dict[str, Any] | None = None) -> bytes:
        """The body of a good answer; with a payload it is a POST."""
        from aiohttp import ClientError

        try:
            data = None if payload is None else json.dumps(payload, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise Trouble("request unfit", f"the prompt cannot be sent: {error.reason}", 400) from None
        parts: dict[str, Any] = {"data": data, "headers": self.headers, "proxy": self.proxy}
        try:
            async with asyncio.timeout(timeout):
                async with self._session().request("POST" if data else "GET", url, **parts) as answer:
                    content = await answer.read()
            if answer.status < 300:
                return content
            status, wait = answer.status, retry_after(answer.headers)
            message = self._clean(said(content, status))
            trouble = Trouble(f"answer {status}", message, status, wait, answer.url.path)
        except TimeoutError:
            trouble = Trouble("time-out", f"no answer within {timeout:g} s")
        except (ClientError, OSError, ValueError) as error:
            trouble = Trouble("disconnection", self._clean(broken(error)))
        raise trouble  # out here, so that it has no context: that may hold the key

    def _session(self) -> ClientSession:
        from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

        if self.session is None:
            self.session = ClientSession(
                connector=TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE),  # `Slots` say how many there are
                timeout=ClientTimeout(sock_connect=min(self.timeout, MAX_CONNECT)),
                cookie_jar=DummyCookieJar(),
            )
        return self.session

    def _clean(self, text: str) -> str:
        """Without the key, which servers like to repeat, and on one line."""
        return " ".join((text.replace(self.key, "[key]") if self.key else text).split())


def broken(error: Exception) -> str:
    """What is wrong with a connection, without an address: that of a proxy may hold a password."""
    if isinstance(cause := getattr(error, "os_error", None), OSError):
        own = isinstance(cause, (ssl.SSLError, socket.gaierror)) or not cause.errno  # the number is not the system's
        why = cause.strerror or str(cause) if own else os.strerror(cause.errno or 0)
        return f"cannot connect: {why or type(cause).__name__}"
    if isinstance(error, ValueError):
        return "the address, or that of a proxy or a redirection, is none"
    message = getattr(error, "message", str(error))
    return message if isinstance(message, str) and message else "the connection broke"


def body(request: Request, max_tokens: int | None) -> dict[str, Any]:
    sampling = request.sampling
    settings: dict[str, Any] = sampling.model_dump(include={"temperature", "top_p", "presence_penalty"})
    if max_tokens is not None:
        settings["max_tokens"] = max_tokens
    if sampling.stop:
        settings["stop"] = list(sampling.stop)
    if sampling.seed is not None:
        settings["seed"] = sampling.seed
    if isinstance(request.prompt, str):
        return settings | {"prompt": request.prompt}
    more = {"chat_template_kwargs": request.chat_template_kwargs} if request.chat_template_kwargs else {}
    return settings | {"messages": list(request.prompt)} | more


def read(content: bytes, request: Request) -> Completion:
    """The completion in the body of an answer.

    Raises:
        Trouble: if the server broke it off.
        NOT_OPENAI: if it is not what an OpenAI server answers.
    """
    answer = json.loads(content)
    choice, usage = answer["choices"][0], answer.get("usage") or {}
    plain = isinstance(request.prompt, str)
    text = choice["text"] if plain else choice["message"]["content"] or ""
    reason = choice["finish_reason"]
    if not isinstance(text, str) or not isinstance(reason, str):
        raise TypeError
    if reason in CUT_OFF:
        raise Trouble("answer aborted", f"the server ended it early: {reason}")
    if reason == "content_filter":
        return Completion(id=request.id, text=f"the server ended it early: {reason}", finish_reason="error")
    return Completion(
        id=request.id,
        text=text,
        finish_reason="length" if reason == "length" else "stop",
        prompt_tokens=usage.get("prompt_tokens") or 0,
        cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
        completion_tokens=usage.get("completion_tokens") or 0,
    )


TOO_MANY = re.compile(r"max_(?:completion_)?tokens=\d+ cannot be greater than max_model_len=(\d+)")  # vLLM 0.32
CONTEXT = re.compile(r"context length (?:is|of)(?: only)? (\d+)")  # older vLLM, OpenAI, SGLang; with the next
PROMPT = re.compile(r"(\d+) (?:input tokens|tokens from the input|in (?:the|your) (?:messages|prompt))")


def fewer_tokens(message: str, request: Request) -> int | None:
    """How many tokens to ask for instead, after a refusal; None for no number, 0 if that is not why it was refused.

    Without a number vLLM completes messages as far as the context reaches, but a plain prompt by 16 tokens only.
    """
    asked = request.sampling.max_tokens
    if found := TOO_MANY.search(message):
        return int(found[1]) if int(found[1]) < asked else 0
    context, prompt = CONTEXT.search(message), PROMPT.search(message)
    if context and prompt:
        room = int(context[1]) - int(prompt[1])
        return room if 0 < room < asked else 0
    says_so = "max_tokens" in message or "max_completion_tokens" in message
    return None if says_so and not isinstance(request.prompt, str) else 0


def retry_after(headers: Mapping[str, str]) -> float:
    """The seconds a server asks to wait, given as such or as a date; 0 if it does not."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    try:
        now = parsedate_to_datetime(headers.get("date", "")).timestamp()  # the server's clock may not be ours
    except (ValueError, OverflowError):
        now = time.time()
    return max(0.0, until - now)


def said(content: bytes, status: int) -> str:
    """What an error says, whatever its shape."""
    try:
        body = json.loads(content)
    except ValueError:
        return content.decode(errors="replace") or f"status {status}"
    except RecursionError:
        return f"status {status}"
    error = body.get("error") or body if isinstance(body, dict) else body
    message = error.get("message") or error.get("detail") or error if isinstance(error, dict) else error
    return str(message or f"status {status}")


NUMBER = r"(\d+(?:\.\d+)?(?:[eE]\+?\d+)?)"


def queue(metrics: str) -> tuple[float, float] | None:
    """Requests that run and that wait, summed over vLLM's engines, from its Prometheus metrics."""
    sums = []
    for name in ("running", "waiting"):
        lines = re.findall(rf"^vllm:num_requests_{name}(?:\{{.*\}})? {NUMBER}\s*$", metrics, re.MULTILINE)
        sums.append(sum(map(float, lines)) if lines else None)
    running, waiting = sums
    return None if running is None or waiting is None else (running, waiting)
