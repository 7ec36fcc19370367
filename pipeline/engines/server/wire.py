"""One request to a server that speaks the OpenAI API, and what its answer comes to: a completion or some trouble."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.engines.base import Completion, Request
from pipeline.engines.server.address import Address
from pipeline.engines.server.answer import Reply, Unreadable, read
from pipeline.engines.server.dialect import Attempt, Dialect, lessons
from pipeline.engines.server.environment import proxy, read_key
from pipeline.engines.server.names import is_another, note_of
from pipeline.engines.server.refusals import after_refusal, after_reply, cut_at_stop, shape_ignored
from pipeline.engines.server.said import said
from pipeline.engines.server.shape import taken_out
from pipeline.engines.server.trouble import Trouble
from pipeline.engines.server.waiting import retry_after, wait_said
from pipeline.engines.shape import has_shape
from pipeline.text import short

if TYPE_CHECKING:
    from aiohttp import ClientSession

MAX_CONNECT = 10.0  # seconds
KEEP_ALIVE = 3.0  # seconds; vLLM closes a connection that is idle for 5
INVALID = re.compile(r"\bvalidation errors?\b|extra_forbidden|\binput should be\b", re.IGNORECASE)
MAX_ATTEMPTS = 18  # ways to put one request; a server that refuses all parameters one by one takes about fourteen
EMPTY = "the answer holds no text, and nothing in it says why; maybe the prompt did not fit into the model"


class Wire:
    """Asks once, in the way that the server takes. All that goes wrong is a `Trouble`, and none of them holds the key.

    Args:
        timeout: Seconds for one answer.
        dialect: What is known of the server.
        max_thought_tokens: What a model that thinks first may use for that, besides max_tokens.

    Attributes:
        tell: Is told what is learned of the server, a sentence each.
    """

    def __init__(
        self,
        model: str,
        url: str,
        timeout: float,
        dialect: Dialect | None = None,
        max_thought_tokens: int = 0,
    ) -> None:
        self.model, self.url, self.address, self.timeout = model, url, Address(url), timeout
        self.dialect, self.max_thought_tokens = dialect or Dialect(), max_thought_tokens
        self.tell: Callable[[str], None] = lambda lesson: None
        self.key, self.proxy = read_key(url), proxy(url)
        # With each request: the headers of a session go to the proxy as well.
        name = self.address.key_header
        key = {name or "Authorization": self.key if name else f"Bearer {self.key}"} if self.key else {}
        self.headers = {"Content-Type": "application/json"} | key
        self.session: ClientSession | None = None  # belongs to the event loop
        self.counted = True  # as far as is known, it tells how many tokens requests take
        self.holds = True  # as far as is known, it holds completions to a shape
        self.own_name = True  # as far as is known, it answers as the model that is asked for

    async def complete(self, request: Request, thinking: bool = True) -> Completion:
        """The completion. What a refusal says is done otherwise, and from then on.

        Args:
            thinking: Whether a model that thinks first is given more tokens for that.
        """
        attempt, spent = Attempt(self.dialect), (0, 0)
        tried = [attempt.body(request)]
        before: Reply | None = None  # an answer that ended in thoughts
        thoughts = self.max_thought_tokens if thinking else 0
        while True:
            try:
                reply = await self._complete(request, attempt)
            except Trouble as trouble:
                ways = after_refusal(attempt, request, trouble, thoughts) if trouble.refused else iter(())
                other = next((way for way in ways if way.body(request) not in tried), None)
                if not other or len(tried) >= MAX_ATTEMPTS:
                    if before and trouble.refused:
                        return self._whole(request, before, (0, 0))
                    raise
            else:
                other = after_reply(attempt, request, reply, thoughts)
                if not other or len(tried) >= MAX_ATTEMPTS or other.body(request) in tried:
                    if not reply.empty:
                        self._learn(request, attempt, reply)
                    return self._whole(request, reply, spent)
                before = reply
                spent = (spent[0] + reply.completion.prompt_tokens, spent[1] + reply.completion.completion_tokens)
            attempt = other
            tried.append(attempt.body(request))

    async def _complete(self, request: Request, attempt: Attempt) -> Reply:
        path = "/completions" if isinstance(request.prompt, str) else "/chat/completions"
        content = await self._ask(self.address.at(path), self.timeout, {"model": self.model} | attempt.body(request))
        try:
            reply = read(content, request, attempt.limit_of(request))
        except Unreadable as problem:
            start = short(self._clean(content.decode(errors="replace")), 80)
            trouble = Trouble("answer unreadable", f"not as an OpenAI server does: {problem}: {start!r}")
        except Trouble as error:
            error.message, error.path = self._clean(error.message), path
            trouble = error
        else:
            self._count(reply)
            self._compare(reply.model)
            return self._ended(reply, request, attempt)
        raise trouble from None

    def _ended(self, reply: Reply, request: Request, attempt: Attempt) -> Reply:
        """With its text up to the first stop string, which some servers do not keep to; without the key in an error.

        A choice comes without what is around it.
        """
        completion = reply.completion
        if request.choices and attempt.shape(request) and completion.finish_reason == "stop":
            completion = completion.model_copy(update={"text": taken_out(completion.text, request)})
            reply = reply._replace(completion=completion)
            if completion.text in request.choices:
                return reply
        if completion.finish_reason == "error":
            return reply._replace(completion=completion.model_copy(update={"text": self._clean(completion.text)}))
        if request.sampling.min_tokens:
            return reply  # a stop string among the first tokens does not count, and which these are is not known here
        text = cut_at_stop(completion.text, request)
        if text == completion.text:
            return reply
        return reply._replace(completion=completion.model_copy(update={"text": text, "finish_reason": "stop"}))

    def _whole(self, request: Request, reply: Reply, spent: Sequence[int]) -> Completion:
        """The completion with all that was spent on it.

        Raises:
            Trouble: for one that holds no text, where nothing says that the model chose so.
        """
        completion = reply.completion
        chosen = completion.completion_tokens > 0 if isinstance(request.prompt, str) else reply.thought
        if reply.empty and completion.finish_reason == "stop" and not chosen:
            raise Trouble("answer empty", EMPTY)
        prompt, written = spent[0] + completion.prompt_tokens, spent[1] + completion.completion_tokens
        return completion.model_copy(update={"prompt_tokens": prompt, "completion_tokens": written})

    def _learn(self, request: Request, attempt: Attempt, reply: Reply) -> None:
        """Keep what a request that succeeded shows of the server."""
        omit = attempt.dialect.omit | shape_ignored(attempt, request, reply)
        thinks = attempt.dialect.thinks or (reply.thought and not isinstance(request.prompt, str))
        learned = replace(attempt.dialect, omit=omit, thinks=thinks)
        if attempt.most is not None and learned.thoughts > self.dialect.thoughts:  # all that the context leaves
            left = (attempt.most - request.sampling.max_tokens) * 9 // 10  # the next prompt may be somewhat longer
            learned = replace(learned, thoughts=max(self.dialect.thoughts, left))
        joined = self.dialect.joined(learned)
        for lesson in lessons(self.dialect, joined, self._clean(attempt.words)):
            self.tell(lesson)
        self.dialect = joined
        if self.holds and has_shape(request) and not replace(attempt, dialect=joined).shape(request):
            self.holds = False
            why = "the model thinks first, so its" if joined.thinks else "it does not know how to do that, so"
            self.tell(f"{why} answers are not held to a few words, or to JSON, but read as they come")

    def _count(self, reply: Reply) -> None:
        if self.counted and not reply.counted:
            self.counted = False
            self.tell("does not say how many tokens a request takes; they are estimated from the length of the text, 4 "
                      "bytes each, and so is what --max-tokens, --max-cost and plan count")  # fmt: skip

    def _compare(self, said: str) -> None:
        if self.own_name and not self.address.names_deployments and is_another(self.model, said):
            self.own_name = False
            self.tell(note_of(self.model, self._clean(said), self.address.at("/models")))

    async def served(self) -> list[str]:
        """The names of the models the server has."""
        return [model["id"] for model in await self.entries()]

    async def entries(self) -> list[dict[str, Any]]:
        """What the server tells of each of its models; all have an id."""
        content = await self._ask(self.address.at("/models"), MAX_CONNECT)
        try:
            return [{**model, "id": self._clean(str(model["id"]))} for model in json.loads(content)["data"]]
        except (ValueError, LookupError, TypeError, RecursionError):
            pass
        raise Trouble("answer unreadable", "it answers something else")

    async def queue(self) -> tuple[float, float] | None:
        """How many requests run and wait in the server, whoever asked them; None if it has no such metrics of vLLM."""
        try:
            content = await self._ask(self.address.beside("/metrics"), MAX_CONNECT)
            return queue(content.decode(errors="replace"))
        except Trouble as trouble:
            if trouble.refused or trouble.hopeless:
                return None
            raise

    async def post(self, url: str, payload: dict[str, Any]) -> Any:
        """The JSON of a good answer to anything else than a request for a completion."""
        content = await self._ask(url, self.timeout, payload)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            start = short(self._clean(content.decode(errors="replace")), 80)
        raise Trouble("answer unreadable", f"not as an OpenAI server does: {start!r}")

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
            trouble = self._trouble(content, answer.status, retry_after(answer.headers), answer.url.path)
        except TimeoutError:
            trouble = Trouble("time-out", f"no answer within {timeout:g} s")
        except (ClientError, OSError, ValueError) as error:
            trouble = Trouble("disconnection", self._clean(broken(error)))
        raise trouble  # out here, so that it has no context: that may hold the key

    def _trouble(self, content: bytes, status: int, wait: float, path: str) -> Trouble:
        found = said(content, status)
        if status == 429 and "insufficient_quota" in found.code:
            status = 402  # no wait brings it back
        if status == 429 and re.search(r"request (?:is )?too large", found.words, re.IGNORECASE):
            status = 413
        if status == 500 and INVALID.search(found.words):
            status = 400  # it is the request that is wrong, in the eyes of a server that has no answer for that
        wait = wait or wait_said(content[:20_000].decode(errors="replace"))
        trouble = Trouble(f"answer {status}", self._clean(found.words), status, wait, found.params)
        trouble.path = path
        return trouble

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


NUMBER = r"(\d+(?:\.\d+)?(?:[eE]\+?\d+)?)"


def queue(metrics: str) -> tuple[float, float] | None:
    """Requests that run and that wait, summed over vLLM's engines, from its Prometheus metrics."""
    sums = []
    for name in ("running", "waiting"):
        lines = re.findall(rf"^vllm:num_requests_{name}(?:\{{.*\}})? {NUMBER}\s*$", metrics, re.MULTILINE)
        sums.append(sum(map(float, lines)) if lines else None)
    running, waiting = sums
    return None if running is None or waiting is None else (running, waiting)
