"""The batch API of a server, which answers within a day, at half the price with most providers."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from pydantic import Field

from pipeline.engines.base import Completion, Request
from pipeline.engines.batch.gather import Batches, Sizes
from pipeline.engines.server import RequestOptions, Server
from pipeline.engines.server.client import LoopThread
from pipeline.engines.server.connection import Connection
from pipeline.engines.server.slots import Slots
from pipeline.engines.server.wire import Wire

MOST = 50_000  # requests of a batch, as OpenAI takes them


class BatchOptions(RequestOptions):
    url: str = Field(
        default="https://api.openai.com/v1", description="of the server's OpenAI API; ends in /v1 with most servers"
    )
    window: int = Field(
        default=5000, ge=1, le=MOST, description="the most requests in flight, which is also the most of one batch"
    )
    smallest: int = Field(
        default=100,
        ge=1,
        le=256,
        description="fewer requests than this are asked one by one, which is quicker and dearer",
    )
    poll: float = Field(default=30, gt=0, description="seconds between two looks at a batch")
    completion_window: str = Field(default="24h", description="within which the server shall answer a batch")


class Batch(Server):
    """Asks by files of requests, OpenAI's batch API, which others have as well.

    A run that is stopped leaves its batch with the server, and finds it again when it goes on: nothing is paid for
    twice. Single requests, such as the first of each kind, which shows what the server refuses, are asked as the engine
    `server` asks them, and so is the likelihood of texts.

    Args:
        url: Ends in /v1 with most servers.
        chat: None finds out, as `Server` does.
        window: The most requests in flight, which is also the most of one batch: from 1 to 50,000.
        smallest: Fewer requests than this are asked one by one, which is quicker and dearer.
        poll: Seconds between two looks at a batch.
        completion_window: Within which the server shall answer a batch; most know 24h alone.
        timeout: Seconds for a completion that is asked for alone.
        patience: Seconds to wait for a server that is gone, or that has nothing but errors.
        pause: Seconds before the second try; longer before each further one.
        chat_template_kwargs, omit, max_thought_tokens, tokenizer: As of `Server`.

    Example:
        >>> engine = Batch("my-model", "https://api.openai.com/v1", window=20_000)
    """

    options: ClassVar[type[RequestOptions]] = BatchOptions
    max_window: ClassVar[int] = MOST

    def __init__(
        self,
        model: str,
        url: str = "https://api.openai.com/v1",
        chat: bool | None = None,
        window: int = 5000,
        smallest: int = 100,
        poll: float = 30,
        completion_window: str = "24h",
        timeout: float = 600,
        patience: float = 300,
        pause: float = 0.5,
        chat_template_kwargs: dict[str, Any] | None = None,
        omit: tuple[str, ...] = (),
        max_thought_tokens: int = 8192,
        tokenizer: str | None = None,
    ) -> None:
        super().__init__(
            model, url, chat, window, timeout, patience, pause, chat_template_kwargs=chat_template_kwargs, omit=omit,
            max_thought_tokens=max_thought_tokens, tokenizer=tokenizer,
        )  # fmt: skip
        self.sizes = Sizes(window, smallest, poll, completion_window)

    @property
    def reach(self) -> int:
        return self.window  # no straggler, since all answers of a batch come together

    def _opened(self, thread: LoopThread) -> Connection:
        wire = Wire(self.model, self.url, self.timeout, self.dialect, self.max_thought_tokens)
        wire.sender = Batches(self.url, self.sizes, self.waits, self.timeout, thread)
        return Lead(wire, self.window, self.waits, thread)


class Lead(Connection):
    """Has the first request of each kind go ahead, so that what the server refuses is known before a batch is sent."""

    def __init__(self, wire: Wire, window: int, *others: Any) -> None:
        slots = Slots(window)
        slots.limit = float(window)
        super().__init__(wire, slots, *others)
        self.led: dict[tuple[object, ...], asyncio.Event] = {}

    async def _complete(self, request: Request, number: int) -> Completion:
        kind = kind_of(request)
        if led := self.led.get(kind):
            await led.wait()
            return await super()._complete(request, number)
        led = self.led[kind] = asyncio.Event()
        try:
            return await super()._complete(request, number)
        finally:
            led.set()

    def _note_quiet(self) -> None:
        """That answers take long is no news here."""


def kind_of(request: Request) -> tuple[object, ...]:
    """Which parameters a request has: where a server takes one request, it takes all others of its kind."""
    return (
        isinstance(request.prompt, str), *sorted(request.sampling.bearing()), bool(request.choices),
        request.json_schema is not None, bool(request.prefill), *sorted(request.chat_template_kwargs),
    )  # fmt: skip
