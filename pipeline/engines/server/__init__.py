"""A server that speaks the OpenAI API: `vllm serve`, or any other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
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
)
from pipeline.engines.model_folder import choose_chat, load_tokenizer, local_pre_query
from pipeline.engines.server.address import check_url
from pipeline.engines.server.connection import Connection, hello
from pipeline.engines.server.dialect import OMITTABLE, Dialect
from pipeline.engines.server.names import check_folder
from pipeline.engines.server.score import Scorer, takes_prefill
from pipeline.engines.server.slots import Slots
from pipeline.engines.server.trouble import Trouble
from pipeline.engines.server.wire import Wire
from pipeline.errors import SproutError, unknown

Q = TypeVar("Q", Request, ScoreRequest)
A = TypeVar("A", Completion, Likelihood)
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
    omit: tuple[str, ...] = Field(default=(), description=f"parameters that are never sent, of {', '.join(OMITTABLE)}")
    max_thought_tokens: int = Field(
        default=8192,
        ge=0,
        description="tokens that a model which thinks first may use for that, besides max_tokens",
    )
    tokenizer: str | None = Field(
        default=None, description="a folder or a name on the hub with the model's tokenizer; to score answers in chat"
    )


class Server(Engine):
    """Keeps as many requests in flight as the server takes well, and gets an answer to each if there is a way.

    It follows what vLLM tells of its queue, or else how requests fare. The API key is read from SPROUT_API_KEY or
    OPENAI_API_KEY and nowhere else; it is sent to this server only, and is in no message.

    Args:
        model: The name the server gives it. A folder here is asked for only if the server lists it by that path.
        url: Ends in /v1 with most servers.
        chat: None finds out: from the tokenizer if `model` is a folder here, else by asking for one token.
        window: The most requests in flight. None: 1,000 if the server tells what waits in it, as vLLM does, else 256.
        timeout: Seconds for one completion.
        patience: Seconds to wait for a server that is gone, or that has nothing but errors.
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

    options = ServerOptions
    loads_folders = False

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
        omit: tuple[str, ...] = (),
        max_thought_tokens: int = 8192,
        tokenizer: str | None = None,
    ) -> None:
        check_url(url)
        if strange := [name for name in omit if name not in OMITTABLE]:
            raise SproutError(f"omit: {unknown('parameter to leave out', strange[0], OMITTABLE)}")
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
        self.dialect, self.max_thought_tokens = Dialect(frozenset(omit)), max_thought_tokens
        self.tokenizer = tokenizer or (model if Path(model).is_dir() else None)
        self._chat = chat
        self._connection: Connection | None = None

    @cached_property
    def chat(self) -> bool:
        if self._chat is not None:
            return self._chat
        if self.tokenizer:
            return choose_chat(self.tokenizer, None)
        return bool(self._connect().submit(Connection.takes_messages).result())

    def remember(self, chat: bool) -> None:
        if self._chat is None and not self.tokenizer:
            self._chat = chat

    @cached_property
    def can_prefill(self) -> bool:
        return bool(self._connect().submit(takes_prefill).result())

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        """As `Engine.generate`.

        Raises:
            SproutError: for a request with `prefill`, where the server cannot go on with an answer that is begun.
        """

        def ask(connection: Connection, request: Request, failed: Future[Any]) -> Future[Completion]:
            if request.prefill and not isinstance(request.prompt, str) and not self.can_prefill:
                raise SproutError(
                    f"{self.url}: cannot begin an answer with a given text, which takes continue_final_message as in "
                    f"vLLM; serve {self.model} with that, or set engine.chat=false"
                )
            return connection.submit(Connection.complete, request, arrived, failed)

        yield from self._in_flight(requests, ask)

    def score(self, requests: Iterable[ScoreRequest | None], arrived: Scored | None = None) -> Likelihoods:
        scorer = Scorer(self._connect(), load_tokenizer(self.tokenizer) if self.tokenizer else None)

        def ask(connection: Connection, request: ScoreRequest, failed: Future[Any]) -> Future[Likelihood]:
            return connection.submit(lambda _: scorer.score(request, arrived, failed))

        yield from self._in_flight(requests, ask)

    def pre_query(self, system: str | None = None) -> str | None:
        return local_pre_query(self.tokenizer, system, self.chat_template_kwargs) if self.tokenizer else None

    def close(self) -> None:
        if self._connection:
            self._close()
            self._connection = None

    def _connect(self) -> Connection:
        if not self._connection:
            wire = Wire(self.model, self.url, self.timeout, self.dialect, self.max_thought_tokens)
            self._connection = Connection(wire, self.url, Slots(self.window, self.blind), self.patience, self.pause)
            self._close = finalize(self, self._connection.close)  # if nobody does it before
            if Path(self.model).is_dir():
                try:
                    self._connection.submit(name_folder).result()
                except SproutError:
                    self.close()
                    raise
        return self._connection

    def _in_flight(
        self, requests: Iterable[Q | None], ask: Callable[[Connection, Q, Future[Any]], Future[A]]
    ) -> Generator[A, None, None]:
        """The answers in the order of the requests, as many of which are asked at once as the server takes well."""
        connection, source = self._connect(), iter(requests)
        flight: deque[Future[A]] = deque()
        failed: Future[Any] = Future()
        try:
            while True:
                for request in islice(at_hand(source), AHEAD * self.window - len(flight)):
                    flight.append(ask(connection, request, failed))
                if not flight:
                    return
                yield first_of(flight, failed)
        finally:
            for future in flight:
                future.cancel()


def first_of(flight: deque[Future[A]], failed: Future[Any]) -> A:
    """The answer whose turn it is, unless the run has failed meanwhile at another."""
    wait((flight[0], failed), return_when=FIRST_COMPLETED)
    if not flight[0].done():
        failed.result()
    return flight.popleft().result()


async def name_folder(connection: Connection) -> None:
    """See that the server has the model of a folder here, and ask for it under its name there; see `check_folder`."""
    try:
        ask, number = connection.wire.served, next(connection.numbers)
        served = await connection.insist(hello("Hello"), number, probing=True, ask=ask)
    except Trouble:
        served = []  # it does not say
    connection.model = connection.wire.model = check_folder(connection.model, served, connection.url)
