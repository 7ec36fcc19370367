"""A server that speaks the OpenAI API: `vllm serve`, or any other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from weakref import finalize

from pydantic import Field

from pipeline.engines.base import Arrived, ChatOptions, Completion, Completions, Engine, Request, at_hand
from pipeline.engines.model_folder import choose_chat
from pipeline.engines.server.connection import Connection
from pipeline.engines.server.slots import Slots
from pipeline.errors import SproutError

AHEAD = 4  # windows: how far to read ahead, so that no straggler stalls the rest
MAX_WINDOW = 1000  # connections; more than servers are made for
BLIND = 256  # requests in flight where nobody tells how many are too many


class ServerOptions(ChatOptions):
    url: str = Field(
        default="http://127.0.0.1:8000/v1", description="of the server's OpenAI API; ends in /v1 with most servers"
    )
    window: int | None = Field(
        default=None, ge=1, description="the most requests in flight; unset: what the server takes well"
    )
    timeout: float = Field(default=600, gt=0, description="seconds for one completion")
    patience: float = Field(default=300, ge=0, description="seconds to wait for a server that is gone")
    pause: float = Field(default=0.5, gt=0, description="seconds before the second try; longer before each further one")


class Server(Engine):
    """Keeps as many requests in flight as the server takes well, and gets an answer to each if there is a way.

    It follows what vLLM tells of its queue, or else how requests fare. The API key is read from SPROUT_API_KEY or
    OPENAI_API_KEY and nowhere else; it is sent to this server only, and is in no message.

    Args:
        model: The name the server gives it.
        url: Ends in /v1 with most servers.
        chat: None finds out: from the tokenizer if `model` is a folder here, else by asking for one token.
        window: The most requests in flight. None: 1,000 if the server tells what waits in it, as vLLM does, else 256.
        timeout: Seconds for one completion.
        patience: Seconds to wait for a server that is gone, or that has nothing but errors.
        pause: Seconds before the second try; longer before each further one, up to 20.
        chat_template_kwargs: What the chat template gets besides messages, such as `{"enable_thinking": False}`; sent
            only if given, as vLLM and SGLang know it and others may not.

    Example:
        >>> engine = Server("my-model", "http://127.0.0.1:8000/v1")
    """

    options = ServerOptions

    def __init__(
        self,
        model: str,
        url: str = "http://127.0.0.1:8000/v1",
        chat: bool | None = None,
        window: int | None = None,
        timeout: float = 600,
        patience: float = 300,
        pause: float = 0.5,
        chat_template_kwargs: dict[str, Any] | None = None,
    ) -> None:
        check_url(url)
        if window is not None and not 1 <= window <= MAX_WINDOW:
            raise SproutError(f"window {window}: from 1 to {MAX_WINDOW} requests can be in flight")
        if pause <= 0:
            raise SproutError(f"pause {pause}: some time must pass before the next try")
        self.model = model
        self.url = url
        self.window = window or MAX_WINDOW
        self.blind = window or BLIND
        self.timeout = timeout
        self.patience = patience
        self.pause = pause
        self.chat_template_kwargs = chat_template_kwargs or {}
        self._chat = chat
        self._connection: Connection | None = None

    @cached_property
    def chat(self) -> bool:
        if self._chat is not None:
            return self._chat
        if Path(self.model).is_dir():
            return choose_chat(self.model, None)
        return bool(self._connect().submit(Connection.takes_messages).result())

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        connection, source = self._connect(), iter(requests)
        flight: deque[Future[Completion]] = deque()
        failed: Future[Any] = Future()
        try:
            while True:
                for request in islice(at_hand(source), AHEAD * self.window - len(flight)):
                    flight.append(connection.submit(Connection.complete, request, arrived, failed))
                if not flight:
                    return
                yield first_of(flight, failed)
        finally:
            for future in flight:
                future.cancel()

    def close(self) -> None:
        if self._connection:
            self._close()
            self._connection = None

    def _connect(self) -> Connection:
        if not self._connection:
            slots = Slots(self.window, self.blind)
            self._connection = Connection(self.model, self.url, slots, self.timeout, self.patience, self.pause)
            self._close = finalize(self, self._connection.close)  # if nobody does it before
        return self._connection


def first_of(flight: deque[Future[Completion]], failed: Future[Any]) -> Completion:
    """The completion whose turn it is, unless the run has failed meanwhile at another."""
    wait((flight[0], failed), return_when=FIRST_COMPLETED)
    if not flight[0].done():
        failed.result()
    return flight.popleft().result()


def check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise SproutError(f"{url}: is no url of a server; it begins with http:// or https:// and most end in /v1")
    if parts.username or parts.password or parts.query:
        raise SproutError(
            f"the url of {parts.hostname} holds a user, a password or a query, which would be seen in logs; "
            f"give it without, and set SPROUT_API_KEY if there is a key"
        )
