"""Likelihoods from a server: by vLLM's `prompt_logprobs`, else by `echo` and `logprobs`; found out by asking."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from math import inf
from typing import Any, Literal, NamedTuple

from pipeline.engines.base import Likelihood, Scored, ScoreRequest
from pipeline.engines.server.client import Ask, Client, hello
from pipeline.engines.server.trouble import Trouble
from pipeline.engines.server.wire import Wire
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

    def __init__(self, client: Client, tokenizer: Any | None) -> None:
        self.client, self.tokenizer = client, tokenizer
        self.way: Way | None = None
        self.finding = asyncio.Lock()

    async def score(self, request: ScoreRequest, arrived: Scored | None, failed: Future[Any]) -> Likelihood:
        """The likelihood, told to `arrived`; what ends the run is told to `failed`, whoever is waited for."""
        try:
            async with self.client.trying:
                async with self.finding:
                    self.way = self.way or await self._find_way()
                likelihood = await self._score(self.way, request, next(self.client.numbers))
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
                f"{self.client.url}: to score answers to messages, or with count_end, the model's tokenizer is "
                f"needed here; set engine.tokenizer to its folder or its name on the hub"
            )

        async def ask(wire: Wire) -> Likelihood:
            if way.tokens == "none":
                return await _by_text(wire, request)
            ids, start = scored_ids(self.tokenizer, request) if self.tokenizer else await _ids(wire, request)
            logprobs = await (_prompt_logprobs(wire, ids) if way.by == "prompt_logprobs" else _echo(wire, ids))
            if logprobs is None:
                raise Trouble("answer unreadable", f"the answer holds no {way.by} of the {len(ids)} tokens")
            return Likelihood(id=request.id, per_token=tuple(logprobs[start:]), prompt_tokens=start)

        try:
            found: Likelihood = await self.client.insist(hello("Hello"), number, ask=ask)
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
            ids = await self._try(lambda wire: _tokenize(wire, SAMPLE))
        tokens: Literal["ours", "theirs"] = "ours" if self.tokenizer else "theirs"
        if ids and await self._try(lambda wire: _prompt_logprobs(wire, ids)):
            return Way(tokens, "prompt_logprobs")
        if ids and await self._try(lambda wire: _echo(wire, ids)):
            return Way(tokens, "echo")
        if await self._try(lambda wire: _echo_text(wire, SAMPLE)):
            return Way("none", "echo")
        if self.client.answered == -inf:
            await self.client.takes_messages()  # which says what else is wrong
        raise SproutError(
            f"{self.client.url}: knows neither prompt_logprobs nor echo with logprobs, so it cannot tell how "
            f"likely a text is; serve the model with vLLM, or take the engine vllm or transformers"
        )

    async def _try(self, ask: Ask) -> Any:
        """What an attempt brings; None if the server refuses it, or answers something else."""

        async def readable(wire: Wire) -> Any:
            try:
                return await ask(wire)
            except Trouble as trouble:
                if trouble.unreadable:
                    return None
                raise

        try:
            number = next(self.client.numbers)
            return await self.client.insist(hello("Hello"), number, probing=True, ask=readable)
        except Trouble:
            return None


async def takes_prefill(client: Client) -> bool:
    """Whether the server goes on with an answer that is begun, as vLLM and SGLang do.

    One that knows the two fields refuses them together; one that does not either refuses each, or ignores both.
    """
    begun = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good"}]

    async def taken(add_generation_prompt: bool) -> bool:
        fields: dict[str, Any] = {"max_tokens": 1, "messages": begun, "continue_final_message": True}
        fields["add_generation_prompt"] = add_generation_prompt

        async def ask(wire: Wire) -> Any:
            return await wire.post(wire.address.at("/chat/completions"), {"model": wire.model} | fields)

        try:
            await client.insist(hello("Hello"), next(client.numbers), probing=True, ask=ask)
        except Trouble:
            return False
        return True

    return await taken(False) and not await taken(True)


async def _by_text(wire: Wire, request: ScoreRequest) -> Likelihood:
    """Where texts have to be sent as they stand: the border is where the last tokens make up the continuation."""
    found = await _echo_text(wire, f"{request.prompt}{request.continuation}")
    if found is None:
        raise Trouble("answer unreadable", "the answer holds no logprobs of the text that was sent")
    texts, logprobs = found
    start = next((at for at in range(len(texts)) if "".join(texts[at:]) == request.continuation), len(texts))
    if start == len(texts):
        raise ValueError("no token of the server begins where the continuation does; set engine.tokenizer")
    start = first_scored(start, len(texts) - start)
    return Likelihood(id=request.id, per_token=tuple(logprobs[start:]), prompt_tokens=start)


async def _ids(wire: Wire, request: ScoreRequest) -> tuple[list[int], int]:
    """As `scored_ids`, of a plain prompt, by the server's tokenizer."""
    text = str(request.prompt)
    prompt, whole = await _tokenize(wire, text), await _tokenize(wire, text + request.continuation)
    rest = whole[len(prompt) :]
    if whole[: len(prompt)] != prompt:
        rest = await _tokenize(wire, request.continuation, special=False)
    return [*prompt, *rest], first_scored(len(prompt), len(rest))


async def _tokenize(wire: Wire, text: str, special: bool = True) -> list[int]:
    payload = {"model": wire.model, "prompt": text, "add_special_tokens": special}
    answer = await wire.post(wire.address.beside("/tokenize"), payload)
    try:
        return [int(number) for number in answer["tokens"]]
    except STRANGE:
        pass
    raise Trouble("answer unreadable", "it cuts no text into tokens")


async def _prompt_logprobs(wire: Wire, ids: Sequence[int]) -> list[float] | None:
    """Those of the tokens that are sent, the first of which has none; None if there are none in the answer."""
    choice = await _choice(wire, {"prompt": list(ids), "prompt_logprobs": 0})
    try:
        found = choice["prompt_logprobs"]
        later = [float(found[place][str(ids[place])]["logprob"]) for place in range(1, len(ids))]
        return [0.0, *later] if len(found) == len(ids) else None
    except STRANGE:
        return None


async def _echo(wire: Wire, ids: Sequence[int]) -> list[float] | None:
    """As `_prompt_logprobs`."""
    choice = await _choice(wire, {"prompt": list(ids), "echo": True, "logprobs": 1})
    try:
        found = choice["logprobs"]["token_logprobs"][: len(ids)]
        return [0.0, *map(float, found[1:])] if len(found) == len(ids) else None
    except STRANGE:
        return None


async def _echo_text(wire: Wire, text: str) -> tuple[list[str], list[float]] | None:
    """The tokens of a text as the server cuts it, and their log-probabilities; the first has none."""
    choice = await _choice(wire, {"prompt": text, "echo": True, "logprobs": 1})
    try:
        tokens, found = choice["logprobs"]["tokens"], choice["logprobs"]["token_logprobs"]
        for number in (len(tokens) - 1, len(tokens)):  # the last one may be what the model wrote
            if "".join(tokens[:number]).endswith(text):
                return tokens[:number], [0.0, *map(float, found[1:number])]
    except STRANGE:
        pass
    return None


async def _choice(wire: Wire, fields: dict[str, Any]) -> Any:
    payload = {"model": wire.model, "max_tokens": 1, "temperature": 0} | fields
    answer = await wire.post(wire.address.at("/completions"), payload)
    try:
        return answer["choices"][0]
    except STRANGE:
        pass
    raise Trouble("answer unreadable", "there is no choice in the answer")
