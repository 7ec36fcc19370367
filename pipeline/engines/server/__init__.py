"""A server that speaks the OpenAI API: `vllm serve`, or any other."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from weakref import finalize

from pydantic import Field

from pipeline.engines.base import (
    Arrived,
    ChatOptions,
    Completion,
    Completions,
    Engine,
    Likelihood,
    Likelihoods,
    Request,
    Scored,
    ScoreRequest,
    at_hand,
    reach,
)
from pipeline.engines.model_folder import choose_chat, load_tokenizer, local_pre_query
from pipeline.engines.server.client import Client, LoopThread, Waits, hello
from pipeline.engines.server.connection import Connection
from pipeline.engines.server.dialect import OMITTABLE, Dialect
from pipeline.engines.server.files import room_for
from pipeline.engines.server.fleet import Fleet
from pipeline.engines.server.listing import Listing
from pipeline.engines.server.names import check_folder
from pipeline.engines.server.score import Scorer, takes_prefill
from pipeline.engines.server.slots import Gate, Slots
from pipeline.engines.server.trouble import Trouble
from pipeline.engines.server.wire import Wire
from pipeline.errors import SproutError, unknown

Q = TypeVar("Q", Request, ScoreRequest)
A = TypeVar("A", Completion, Likelihood)
MAX_WINDOW = 1000  # connections to one server; more than servers are made for
MAX_OF_ALL = 65_536  # to several
BLIND = 256  # requests in flight where nobody tells how many are too many

log = logging.getLogger(__name__)


class RequestOptions(ChatOptions):
    """Options of engines that ask a server, however they do it."""

    timeout: float = Field(default=600, gt=0, description="seconds for one completion")
    patience: float = Field(default=300, ge=0, description="seconds to wait for a server that cannot be reached")
    pause: float = Field(default=0.5, gt=0, description="seconds before the second try; longer before each further one")
    omit: tuple[str, ...] = Field(default=(), description=f"parameters that are never sent, of {', '.join(OMITTABLE)}")
    max_thought_tokens: int = Field(
        default=8192,
        ge=0,
        description="tokens that a model which thinks first may use for that, besides max_tokens",
    )
    tokenizer: str | None = Field(
        default=None, description="a folder or a name on the hub with the model's tokenizer; to score answers in chat"
    )


class ServerOptions(RequestOptions):
    url: str | tuple[str, ...] = Field(
        default="http://127.0.0.1:8000/v1",
        description="of the server's OpenAI API; ends in /v1 with most servers. Several servers of the same model: a "
        "list, or a file with a url a line, which is read again while the run goes on",
    )
    window: int | None = Field(
        default=None, ge=1, description="the most requests in flight; unset: what the server handles well"
    )
    silence: float = Field(
        default=60,
        gt=0,
        description="seconds without an answer from one of several servers, while others answer, until it is set "
        "aside; more where answers take long",
    )


class Server(Engine):
    """Keeps as many requests in flight as the server handles well, and retries until each is answered.

    It follows what vLLM tells of its queue, or else how requests fare. The API key is read from SPROUT_API_KEY or
    OPENAI_API_KEY, or for one host from SPROUT_API_KEY_HOST, and nowhere else; it is sent to the server only, and is in
    no message. Of several servers, the one with the fewest requests in flight is asked.

    Args:
        model: The name the server gives it. A folder here is asked for only if the server lists it by that path.
        url: Ends in /v1 with most servers. Several of them, or a file that lists them, for servers of the same model.
        chat: None finds out: from the tokenizer if `model` is a folder here, else by asking for one token.
        window: The most requests in flight, at all servers together. None: 1,000, and at most 256 at a server that does
            not tell what waits in it, as vLLM does.
        timeout: Seconds for one completion.
        patience: Seconds to wait for a server that is gone, or that has nothing but errors.
        silence: Seconds without an answer from one of several servers, while others answer, until it is set aside; or
            three times as long as the slowest recent answer took, if that is more.
        pause: Seconds before the second try; longer before each further one, up to 20.
        chat_template_kwargs: What the chat template gets besides messages, such as `{"enable_thinking": False}`; sent
            only if given, as vLLM and SGLang know it and others may not.
        omit: Parameters that are never sent, such as `("temperature", "seed")`. One that the server refuses by its name
            is left out anyway; stop strings that are not sent end texts here.
        max_thought_tokens: Tokens that a model which thinks first may use for that, besides max_tokens; 0 for none.
        tokenizer: A folder or a name on the hub with the model's tokenizer. With it answers to messages can be scored,
            and the chat template is known up to the user's message. None: `model`, if that is a folder here.

    Example:
        >>> engine = Server("my-model", "http://127.0.0.1:8000/v1")
    """

    options: ClassVar[type[RequestOptions]] = ServerOptions
    loads_folders = False
    max_window: ClassVar[int] = MAX_WINDOW

    def __init__(
        self,
        model: str,
        url: str | Sequence[str] = "http://127.0.0.1:8000/v1",
        chat: bool | None = None,
        window: int | None = None,
        timeout: float = 600,
        patience: float = 300,
        pause: float = 0.5,
        silence: float = 60,
        chat_template_kwargs: dict[str, Any] | None = None,
        omit: tuple[str, ...] = (),
        max_thought_tokens: int = 8192,
        tokenizer: str | None = None,
    ) -> None:
        self.listing = Listing(url)
        if strange := [name for name in omit if name not in OMITTABLE]:
            raise SproutError(f"omit: {unknown('parameter to leave out', strange[0], OMITTABLE)}")
        most = MAX_OF_ALL if self.listing.several else self.max_window
        if window is not None and not 1 <= window <= most:
            raise SproutError(f"window {window}: from 1 to {most} requests can be in flight")
        if pause <= 0:
            raise SproutError(f"pause {pause}: some time must pass before the next try")
        self.model = model
        self.url = self.listing.urls[0]
        self.window = window or self.max_window
        self.blind = window or BLIND
        self.timeout = timeout
        self.waits = Waits(patience, pause, silence)
        self.chat_template_kwargs = chat_template_kwargs or {}
        self.dialect, self.max_thought_tokens = Dialect(frozenset(omit)), max_thought_tokens
        self.tokenizer = tokenizer or (model if Path(model).is_dir() else None)
        self._chat = chat
        self._client: Client | None = None

    @cached_property
    def chat(self) -> bool:
        if self._chat is not None:
            return self._chat
        if self.tokenizer:
            return choose_chat(self.tokenizer, None)
        return bool(self._submit(Client.takes_messages).result())

    @property
    def reach(self) -> int:
        """How many requests to pull at most."""
        return reach(self.window)

    def remember(self, chat: bool) -> None:
        if self._chat is None and not self.tokenizer:
            self._chat = chat

    @cached_property
    def can_prefill(self) -> bool:
        return bool(self._submit(takes_prefill).result())

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        """As `Engine.generate`.

        Raises:
            SproutError: for a request with `prefill`, where the server cannot go on with an answer that is begun.
        """

        def ask(client: Client, request: Request, failed: Future[Any]) -> Future[Completion]:
            if request.prefill and not isinstance(request.prompt, str) and not self.can_prefill:
                raise SproutError(
                    f"{self.url}: cannot begin an answer with a given text, which takes continue_final_message as in "
                    f"vLLM; serve {self.model} with that, or set engine.chat=false"
                )
            return client.thread.submit(client.complete, request, arrived, failed)

        yield from self._in_flight(requests, ask)

    def score(self, requests: Iterable[ScoreRequest | None], arrived: Scored | None = None) -> Likelihoods:
        scorer = Scorer(self._connect(), load_tokenizer(self.tokenizer) if self.tokenizer else None)

        def ask(client: Client, request: ScoreRequest, failed: Future[Any]) -> Future[Likelihood]:
            return client.thread.submit(scorer.score, request, arrived, failed)

        yield from self._in_flight(requests, ask)

    def pre_query(self, system: str | None = None) -> str | None:
        return local_pre_query(self.tokenizer, system, self.chat_template_kwargs) if self.tokenizer else None

    def close(self) -> None:
        if self._client:
            self._close()
            self._client = None

    def _submit(self, ask: Callable[[Client], Any]) -> Future[Any]:
        client = self._connect()
        return client.thread.submit(ask, client)

    def _connect(self) -> Client:
        if not self._client:
            thread = LoopThread()
            self._close = finalize(self, thread.close)  # if nobody does it before
            self._client = client = self._opened(thread)
            try:
                if isinstance(client, Fleet):
                    thread.submit(client.start).result()
                elif Path(self.model).is_dir():
                    thread.submit(name_folder, client).result()
            except SproutError:
                self.close()
                raise
        return self._client

    def _opened(self, thread: LoopThread) -> Connection | Fleet:
        model, timeout, dialect, thoughts = self.model, self.timeout, self.dialect, self.max_thought_tokens
        wanted = self.window if self.listing.several else min(self.window, MAX_WINDOW)
        if (window := room_for(wanted)) < wanted:
            log.warning("server %s: at most %s requests in flight, as this process may open no more files; raise that "
                        "limit with ulimit -n", self.url, f"{window:,}")  # fmt: skip
        most, blind, waits = min(window, MAX_WINDOW), min(self.blind, window, MAX_WINDOW), self.waits

        def join(url: str, gate: Gate | None = None) -> Connection:
            wire = Wire(model, url, timeout, dialect, thoughts)
            return Connection(wire, Slots(most, blind), waits, thread, gate)

        return Fleet(self.listing, join, waits, thread, window) if self.listing.several else join(self.url)

    def _in_flight(
        self, requests: Iterable[Q | None], ask: Callable[[Client, Q, Future[Any]], Future[A]]
    ) -> Generator[A, None, None]:
        """The answers in the order of the requests, as many of which are asked at once as the server takes well."""
        client, source = self._connect(), iter(requests)
        flight: deque[Future[A]] = deque()
        failed: Future[Any] = Future()
        try:
            while True:
                for request in islice(at_hand(source), self.reach - len(flight)):
                    flight.append(ask(client, request, failed))
                if not flight:
                    return
                yield first_of(flight, failed)
        finally:
            for future in flight:
                future.cancel()


def first_of(flight: deque[Future[A]], failed: Future[Any]) -> A:
    """The answer whose turn it is, unless the run has failed meanwhile at another."""
    if not flight[0].done():
        wait((flight[0], failed), return_when=FIRST_COMPLETED)
    if not flight[0].done():
        failed.result()
    return flight.popleft().result()


async def name_folder(connection: Connection) -> None:
    """See that the server has the model of a folder here, and ask for it under its name there; see `check_folder`."""
    try:
        served = await connection.insist(hello("Hello"), next(connection.numbers), probing=True, ask=Wire.served)
    except Trouble:
        served = []  # it does not say
    connection.model = connection.wire.model = check_folder(connection.model, served, connection.url)
