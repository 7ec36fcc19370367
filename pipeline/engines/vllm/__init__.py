"""vLLM in this process: the fastest way on a GPU of one's own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from functools import cached_property
from itertools import count, islice
from typing import Any, TypeVar

from pydantic import ConfigDict, Field

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
    refused,
)
from pipeline.engines.model_folder import check_model, choose_chat, local_pre_query, revision
from pipeline.engines.vllm.core import Core
from pipeline.errors import EngineUnreachable

Q = TypeVar("Q", Request, ScoreRequest)
SCORE_ADVICE = (
    "if it ran out of memory, set engine.max_num_batched_tokens=1024: scoring needs room for the whole vocabulary at "
    "each of these tokens"
)


class VLLMOptions(ChatOptions):
    model_config = ConfigDict(extra="allow")  # whatever vLLM's own engine takes

    window: int = Field(default=1024, ge=1, description="the most requests in flight where prompts build on answers")
    trust_remote_code: bool = Field(default=False, description="run the code that a model brings with it")


class VLLM(Engine):
    """Hands vLLM more requests than it can work on at once, but `window` where prompts depend on completions.

    Prompts that begin alike share that part of their computation.

    Args:
        model: A folder with config, tokenizer and safetensors weights, or the name of a model on the hub.
        chat: None looks for a chat template.
        window: How many of them vLLM works on at once is its own affair: 1,024 on an H100, 256 on smaller ones, unless
            `max_num_seqs` says so.
        chat_template_kwargs: What the chat template gets besides messages, such as `{"enable_thinking": False}`.
        llm_options: Go to `vllm.LLM` as they are: `tensor_parallel_size`, `max_model_len`, ...

    Example:
        >>> engine = VLLM("meta-llama/Llama-3.1-8B", tensor_parallel_size=2)
    """

    options = VLLMOptions

    def __init__(
        self,
        model: str,
        chat: bool | None = None,
        window: int = 1024,
        trust_remote_code: bool = False,
        chat_template_kwargs: dict[str, Any] | None = None,
        **llm_options: Any,
    ) -> None:
        check_model(model)
        self.model = model
        self.chat = choose_chat(model, chat, trust_remote_code)
        self.window = window
        self.chat_template_kwargs = chat_template_kwargs or {}
        self.llm_options = {"trust_remote_code": trust_remote_code} | llm_options
        self.can_prefill = True
        self._core: Core | None = None
        self._numbers = count()

    @cached_property
    def revision(self) -> str:
        return revision(self.model, self.llm_options.get("revision"))

    @cached_property
    def context_limit(self) -> int | None:
        limit = self.llm_options.get("max_model_len")
        return limit if isinstance(limit, int) and limit > 0 else None

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        yield from self._stream(requests, arrived)

    def score(self, requests: Iterable[ScoreRequest | None], arrived: Scored | None = None) -> Likelihoods:
        """As `Engine.score`. vLLM computes each prompt anew, whatever it has in its cache of prefixes."""
        try:
            yield from self._stream(requests, arrived)
        except EngineUnreachable as error:
            raise EngineUnreachable(f"{error}; {SCORE_ADVICE}") from None

    def pre_query(self, system: str | None = None) -> str | None:
        trust = bool(self.llm_options["trust_remote_code"])
        return local_pre_query(self.model, system, self.chat_template_kwargs, trust)

    def close(self) -> None:
        if self._core:
            self._core.close()
            self._core = None

    def _stream(
        self, requests: Iterable[Q | None], arrived: Callable[[Q, Any], None] | None
    ) -> Generator[Any, None, None]:
        """Hand requests to vLLM and yield what it makes of them, in their order."""
        core = self._core = self._core or Core(self.model, self.llm_options)
        source = iter(requests)
        waiting: deque[str] = deque()  # by vLLM's names, in order
        running: dict[str, Q] = {}
        done: dict[str, Completion | Likelihood] = {}
        try:
            while True:
                for request in islice(at_hand(source), reach(self.window) - len(waiting)):
                    name = str(next(self._numbers))
                    waiting.append(name)
                    try:
                        core.add(name, request)
                        running[name] = request
                    except ValueError as error:
                        done[name] = refused(request, str(error))
                if not waiting:
                    return
                while waiting[0] not in done:
                    for name, answer in core.step():
                        request, done[name] = running.pop(name), answer
                        if arrived:
                            arrived(request, answer)
                yield done.pop(waiting.popleft())
        except EngineUnreachable:
            self.close()  # it is loaded again when it is asked again
            raise
        finally:
            if running and self._core:
                core.abort(running)
