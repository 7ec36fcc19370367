"""A server that speaks the OpenAI API: `vllm serve`, or any other."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.engines import Arrived, Completion, Request
from pipeline.engines.model_folder import choose_chat
from pipeline.errors import EngineUnreachable, SproutError

if TYPE_CHECKING:
    from openai import APIError, APIStatusError, AsyncOpenAI

T = TypeVar("T")
AHEAD = 4  # windows: how far to read ahead of a caller that sets no window, so that no straggler stalls the rest
MAX_PAUSE = 30.0  # seconds
BUSY = {408, 409, 425, 429}  # and 5xx: worth another try
CUT_OFF = {"abort", "error", "content_filter"}  # reasons to finish that leave no whole text

log = logging.getLogger(__name__)


class Server:
    """Keeps `window` requests in flight.

    The API key is read from SPROUT_API_KEY or OPENAI_API_KEY and nowhere else.

    Args:
        model: The name the server gives it.
        url: Ends in /v1 with most servers.
        chat: None finds out: from the tokenizer if `model` is a folder here, else by asking for one token.
        timeout: Seconds for one completion.
        patience: Seconds to wait for a server that is gone, or that has nothing but errors.
    """

    def __init__(
        self,
        model: str,
        url: str = "http://127.0.0.1:8000/v1",
        chat: bool | None = None,
        window: int = 64,
        timeout: float = 600,
        patience: float = 300,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise SproutError(f"{url}: is no url of a server; it begins with http:// or https:// and most end in /v1")
        self.model = model
        self.url = url
        self.window = window
        self.timeout = timeout
        self.patience = patience
        self._chat = chat
        self._connection: _Connection | None = None

    @cached_property
    def chat(self) -> bool:
        if self._chat is not None:
            return self._chat
        if Path(self.model).is_dir():
            return choose_chat(self.model, None)
        return bool(self._connect().submit(_Connection.takes_messages).result())

    def generate(
        self, requests: Iterable[Request], window: int | None = None, arrived: Arrived | None = None
    ) -> Iterator[Completion]:
        connection = self._connect()
        flight: deque[Future[Completion]] = deque()
        try:
            for request in requests:
                flight.append(connection.submit(_Connection.complete, request, arrived))
                if len(flight) == (window or AHEAD * self.window):
                    yield flight.popleft().result()
            while flight:
                yield flight.popleft().result()
        finally:
            for future in flight:
                future.cancel()

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _connect(self) -> _Connection:
        if not self._connection:
            self._connection = _Connection(self.model, self.url, self.window, self.timeout, self.patience)
        return self._connection


class _Connection:
    """The client, and the thread its event loop runs in."""

    def __init__(self, model: str, url: str, window: int, timeout: float, patience: float) -> None:
        self.model = model
        self.url = url
        self.patience = patience
        self.answered = 0.0  # when the server last answered anything, by the clock of the loop
        self.waiting = False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="server", daemon=True)
        self.thread.start()
        self.slots = asyncio.Semaphore(window)
        self.client = self._client(timeout)

    def _client(self, timeout: float) -> AsyncOpenAI:
        from openai import AsyncOpenAI

        key = os.environ.get("SPROUT_API_KEY") or os.environ.get("OPENAI_API_KEY") or "none"
        return AsyncOpenAI(base_url=self.url, api_key=key, timeout=timeout, max_retries=0)

    def submit(self, ask: Callable[..., Any], *arguments: object) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(ask(self, *arguments), self.loop)

    def close(self) -> None:
        self.submit(_Connection._close).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def _close(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.client.close()

    async def complete(self, request: Request, arrived: Arrived | None) -> Completion:
        completion = await self._complete(request)
        if arrived:
            arrived(request, completion)
        return completion

    async def _complete(self, request: Request) -> Completion:
        from openai import APIError

        async with self.slots:
            try:
                return await self._insist(lambda: self._ask(request))
            except APIError as error:
                if "chat template" in error.message and not isinstance(request.prompt, str):
                    raise SproutError(
                        f"{self.url}: {self.model} has no chat template there; use raw completion (chat=False)"
                    ) from None
                return Completion(id=request.id, text=_reason(error), finish_reason="error")

    async def takes_messages(self) -> bool:
        """Whether the model has a chat template, found out by asking for one token."""
        from openai import APIError

        messages: Any = [{"role": "user", "content": "Hello"}]
        try:
            await self._insist(
                lambda: self.client.chat.completions.create(model=self.model, messages=messages, max_tokens=1)
            )
        except APIError as error:
            if "template" in error.message:
                return False
            raise SproutError(
                f"{self.url}: cannot tell whether {self.model} is a chat model ({_reason(error)}); say so with chat"
            ) from None
        return True

    async def _ask(self, request: Request) -> Completion:
        from openai import BadRequestError

        try:
            return await self._ask_for(request, request.sampling.max_tokens)
        except BadRequestError as error:
            if "max_tokens" not in error.message and "context" not in error.message:
                raise
            # vLLM refuses more tokens than fit after the prompt; asked for no number, it gives as many as do.
            return await self._ask_for(request, None)

    async def _ask_for(self, request: Request, max_tokens: int | None) -> Completion:
        sampling = request.sampling
        settings: dict[str, Any] = {
            "model": self.model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "presence_penalty": sampling.presence_penalty,
            "max_tokens": max_tokens,
        }
        if sampling.stop:
            settings["stop"] = list(sampling.stop)
        if sampling.seed is not None:
            settings["seed"] = sampling.seed
        if isinstance(request.prompt, str):
            answer: Any = await self.client.completions.create(prompt=request.prompt, **settings)
        else:
            messages: Any = list(request.prompt)
            answer = await self.client.chat.completions.create(messages=messages, **settings)
        if not getattr(answer, "choices", None):
            raise SproutError(f"{self.url}: answers, but not as an OpenAI server does; is the url right?")
        choice, usage = answer.choices[0], answer.usage
        text = choice.text if isinstance(request.prompt, str) else choice.message.content
        reason = choice.finish_reason
        if reason in CUT_OFF:
            return Completion(id=request.id, text=f"the server ended it early: {reason}", finish_reason="error")
        return Completion(
            id=request.id,
            text=text or "",
            finish_reason="length" if reason == "length" else "stop",
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else 0,
        )

    async def _insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer, for `patience` seconds from the first failure.

        Raises:
            APIError: when this request fails for good, but the server answers others.
            SproutError: when none can succeed: unknown model, refused key, server gone.
        """
        from openai import APIConnectionError, APIStatusError

        first, failures = 0.0, 0
        while True:
            try:
                answer = await ask()
                self.answered, self.waiting = self.loop.time(), False
                return answer
            except (APIConnectionError, APIStatusError) as error:
                if isinstance(error, APIStatusError) and error.status_code < 500 and error.status_code not in BUSY:
                    self.answered = self.loop.time()
                    await self._give_up_if_hopeless(error)
                    raise
                now, failures = self.loop.time(), failures + 1
                first = first or now
                left = first + self.patience - now
                if left <= 0 and self.answered > first:
                    raise
                if left <= 0:
                    reason = f"no answer for {now - first:.0f} s ({_reason(error)})"
                    raise EngineUnreachable(f"{self.url}: {reason}; see to the server and run again") from None
                if not self.waiting:
                    log.info("%s: %s; trying again for %.0f s", self.url, _reason(error), self.patience)
                self.waiting = True
                pause = min(0.25 * 2 ** min(failures, 10), MAX_PAUSE) * random.uniform(1, 2)
                await asyncio.sleep(min(left, max(_retry_after(error), pause)))

    async def _give_up_if_hopeless(self, error: APIStatusError) -> None:
        """Raise if no other request can fare better."""
        if error.status_code in (401, 403):
            raise SproutError(
                f"{self.url}: refuses the API key for {self.model} ({error.status_code}); set SPROUT_API_KEY"
            ) from None
        if error.status_code == 404:
            raise SproutError(
                f"{self.url}: does not serve {self.model} at {error.request.url.path}; {await self._served()}"
            ) from None

    async def _served(self) -> str:
        from openai import APIError

        try:
            names = [model.id async for model in self.client.models.list()]
        except APIError as error:
            return f"nor does it list its models ({_reason(error)}): is the url right? Most end in /v1"
        return f"it serves {', '.join(names) or 'nothing'}"


def _retry_after(error: APIError) -> float:
    """The seconds the server asks to wait, or 0."""
    response = getattr(error, "response", None)
    try:
        return float(response.headers.get("retry-after", 0)) if response is not None else 0
    except ValueError:
        return 0  # a date; the usual pause will do


def _reason(error: APIError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    cause = f": {error.__cause__}" if error.__cause__ else ""
    return " ".join(str(body.get("message") or error.message + cause).split())[:300]
