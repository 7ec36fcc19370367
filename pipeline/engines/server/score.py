"""Likelihoods from a server: by vLLM's `prompt_logprobs`, else by `echo` and `logprobs`; found out by asking."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from math import inf
from typing import Any, Literal, NamedTuple

from pipeline.engines.base import Likelihood, Scored, ScoreRequest
from pipeline.engines.server.connection import Connection, hello
from pipeline.engines.server.trouble import Trouble
from pipeline.engines.tokens import first_scored, scored_ids
from pipeline.errors import SproutError

SAMPLE = "How likely is this?"  # scored to find out how a server can be asked
STRANGE = (ValueError, LookupError, TypeError, AttributeError)  # what reading another shape of answer ends in


class Way(NamedTuple):
    """How a server can be asked for likelihoods."""

    tokens: Literal["ours", "theirs", "none"]  # who cuts texts into tokens before they are sent
    by: Literal["prompt_logprobs", "echo"]


class Scorer:
    """Asks for likelihoods in the first way that the server takes.

    Args:
        tokenizer: That of the model, if it is here: only with it are the chat template and the end of text known.
    """

    def __init__(self, connection: Connection, tokenizer: Any | None) -> None:
        self.connection, self.tokenizer = connection, tokenizer
        self.way: Way | None = None
        self.finding = asyncio.Lock()

    async def score(self, request: ScoreRequest, arrived: Scored | None, failed: Future[Any]) -> Likelihood:
        """The likelihood, told to `arrived`; what ends the run is told to `failed`, whoever is waited for."""
        connection = self.connection
        try:
            async with connection.trying:
                async with self.finding:
                    self.way = self.way or await self._find_way()
                likelihood = await self._score(self.way, request, next(connection.numbers))
            if arrived:
                arrived(request, likelihood)
            return likelihood
        except SproutError as error:
            if not failed.done():
                failed.set_exception(error)
            raise

    async def _score(self, way: Way, request: ScoreRequest, number: int) -> Likelihood:
        if not self.tokenizer and (request.count_end or not isinstance(request.prompt, str)):
            raise SproutError(
                f"{self.connection.url}: to score answers to messages, or with count_end, the model's tokenizer is "
                f"needed here; set engine.tokenizer to its folder or its name on the hub"
            )

        async def ask() -> Likelihood:
            if way.tokens == "none":
                return await self._by_text(request)
            ids, start = scored_ids(self.tokenizer, request) if self.tokenizer else await self._ids(request)
            logprobs = await (self._prompt_logprobs(ids) if way.by == "prompt_logprobs" else self._echo(ids))
            if logprobs is None:
                raise Trouble("answer unreadable", f"the answer holds no {way.by} of the {len(ids)} tokens")
            return Likelihood(id=request.id, per_token=tuple(logprobs[start:]), prompt_tokens=start)

        try:
            found: Likelihood = await self.connection.insist(hello("Hello"), number, ask=ask)
            return found
        except (Trouble, ValueError) as problem:
            return Likelihood(id=request.id, error=str(problem))

    async def _find_way(self) -> Way:
        """
        Raises:
            SproutError: for a server that knows no way, or that answers nothing at all.
        """
        ids: list[int] | None = None
        if self.tokenizer:
            ids = self.tokenizer(SAMPLE).input_ids
        else:
            ids = await self._try(lambda: self._tokenize(SAMPLE))
        tokens: Literal["ours", "theirs"] = "ours" if self.tokenizer else "theirs"
        if ids and await self._try(lambda: self._prompt_logprobs(ids)):
            return Way(tokens, "prompt_logprobs")
        if ids and await self._try(lambda: self._echo(ids)):
            return Way(tokens, "echo")
        if await self._try(lambda: self._echo_text(SAMPLE)):
            return Way("none", "echo")
        if self.connection.answered == -inf:
            await self.connection.takes_messages()  # which says what else is wrong
        raise SproutError(
            f"{self.connection.url}: knows neither prompt_logprobs nor echo with logprobs, so it cannot tell how "
            f"likely a text is; serve the model with vLLM, or take the engine vllm or transformers"
        )

    async def _by_text(self, request: ScoreRequest) -> Likelihood:
        """Where texts have to be sent as they stand: the border is where the last tokens make up the continuation."""
        found = await self._echo_text(f"{request.prompt}{request.continuation}")
        if found is None:
            raise Trouble("answer unreadable", "the answer holds no logprobs of the text that was sent")
        texts, logprobs = found
        start = next((at for at in range(len(texts)) if "".join(texts[at:]) == request.continuation), len(texts))
        if start == len(texts):
            raise ValueError("no token of the server begins where the continuation does; set engine.tokenizer")
        start = first_scored(start, len(texts) - start)
        return Likelihood(id=request.id, per_token=tuple(logprobs[start:]), prompt_tokens=start)

    async def _ids(self, request: ScoreRequest) -> tuple[list[int], int]:
        """As `scored_ids`, of a plain prompt, by the server's tokenizer."""
        text = str(request.prompt)
        prompt, whole = await self._tokenize(text), await self._tokenize(text + request.continuation)
        rest = whole[len(prompt) :]
        if whole[: len(prompt)] != prompt:
            rest = await self._tokenize(request.continuation, special=False)
        return [*prompt, *rest], first_scored(len(prompt), len(rest))

    async def _tokenize(self, text: str, special: bool = True) -> list[int]:
        payload = {"model": self.connection.model, "prompt": text, "add_special_tokens": special}
        wire = self.connection.wire
        answer = await wire.post(wire.address.beside("/tokenize"), payload)
        try:
            return [int(number) for number in answer["tokens"]]
        except STRANGE:
            pass
        raise Trouble("answer unreadable", "it cuts no text into tokens")

    async def _prompt_logprobs(self, ids: Sequence[int]) -> list[float] | None:
        """Those of the tokens that are sent, the first of which has none; None if there are none in the answer."""
        choice = await self._choice({"prompt": list(ids), "prompt_logprobs": 0})
        try:
            found = choice["prompt_logprobs"]
            later = [float(found[place][str(ids[place])]["logprob"]) for place in range(1, len(ids))]
            return [0.0, *later] if len(found) == len(ids) else None
        except STRANGE:
            return None

    async def _echo(self, ids: Sequence[int]) -> list[float] | None:
        """As `_prompt_logprobs`."""
        choice = await self._choice({"prompt": list(ids), "echo": True, "logprobs": 1})
        try:
            found = choice["logprobs"]["token_logprobs"][: len(ids)]
            return [0.0, *map(float, found[1:])] if len(found) == len(ids) else None
        except STRANGE:
            return None

    async def _echo_text(self, text: str) -> tuple[list[str], list[float]] | None:
        """The tokens of a text as the server cuts it, and their log-probabilities; the first has none."""
        choice = await self._choice({"prompt": text, "echo": True, "logprobs": 1})
        try:
            tokens, found = choice["logprobs"]["tokens"], choice["logprobs"]["token_logprobs"]
            for number in (len(tokens) - 1, len(tokens)):  # the last one may be what the model wrote
                if "".join(tokens[:number]).endswith(text):
                    return tokens[:number], [0.0, *map(float, found[1:number])]
        except STRANGE:
            pass
        return None

    async def _choice(self, fields: dict[str, Any]) -> Any:
        wire = self.connection.wire
        payload = {"model": self.connection.model, "max_tokens": 1, "temperature": 0} | fields
        answer = await wire.post(wire.address.at("/completions"), payload)
        try:
            return answer["choices"][0]
        except STRANGE:
            pass
        raise Trouble("answer unreadable", "there is no choice in the answer")

    async def _try(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """What an attempt brings; None if the server refuses it, or answers something else."""

        async def readable() -> Any:
            try:
                return await ask()
            except Trouble as trouble:
                if trouble.unreadable:
                    return None
                raise

        try:
            number = next(self.connection.numbers)
            return await self.connection.insist(hello("Hello"), number, probing=True, ask=readable)
        except Trouble:
            return None


async def takes_prefill(connection: Connection) -> bool:
    """Whether the server goes on with an answer that is begun, as vLLM and SGLang do.

    One that knows the two fields refuses them together; one that does not either refuses each, or ignores both.
    """
    begun = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good"}]
    url = connection.wire.address.at("/chat/completions")

    async def taken(add_generation_prompt: bool) -> bool:
        fields = {"continue_final_message": True, "add_generation_prompt": add_generation_prompt}
        payload = {"model": connection.model, "max_tokens": 1, "messages": begun} | fields
        try:
            await connection.insist(
                hello("Hello"), next(connection.numbers), probing=True, ask=lambda: connection.wire.post(url, payload)
            )
        except Trouble:
            return False
        return True

    return await taken(False) and not await taken(True)
