"""vLLM in this process: the fastest way on a GPU of one's own."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from functools import cached_property
from itertools import count, islice
from typing import TYPE_CHECKING, Any, TypeVar, cast

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
)
from pipeline.engines.model_folder import check_model, choose_chat, load_error, local_pre_query, not_installed, revision
from pipeline.engines.tokens import prompt_ids, scored_ids
from pipeline.errors import EngineUnreachable

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput, SamplingParams

Q = TypeVar("Q", Request, ScoreRequest)
A = TypeVar("A", Completion, Likelihood)
AHEAD = 4  # windows: how far to read ahead, so that no straggler stalls the rest


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
        self._llm: LLM | None = None
        self._numbers = count()

    @cached_property
    def revision(self) -> str:
        return revision(self.model, self.llm_options.get("revision"))

    @cached_property
    def context_limit(self) -> int | None:
        limit = self.llm_options.get("max_model_len")
        return limit if isinstance(limit, int) and limit > 0 else None

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        yield from self._stream(requests, _to_complete, _completion, arrived)

    def score(self, requests: Iterable[ScoreRequest | None], arrived: Scored | None = None) -> Likelihoods:
        """As `Engine.score`. vLLM computes each prompt anew, whatever it has in its cache of prefixes."""
        try:
            yield from self._stream(requests, _to_score, _likelihood, arrived)
        except EngineUnreachable as error:
            raise EngineUnreachable(
                f"{error}; if it ran out of memory, set engine.max_num_batched_tokens=1024: scoring needs room for the "
                f"whole vocabulary at each of these tokens"
            ) from None

    def pre_query(self, system: str | None = None) -> str | None:
        trust = bool(self.llm_options["trust_remote_code"])
        return local_pre_query(self.model, system, self.chat_template_kwargs, trust)

    def close(self) -> None:
        if self._llm:
            self._llm.llm_engine.engine_core.shutdown(timeout=30)
            self._llm = None

    def _stream(
        self,
        requests: Iterable[Q | None],
        prepare: Callable[[Any, Q], tuple[list[int], Any, int]],
        read: Callable[[Q, RequestOutput | str, int], A],
        arrived: Callable[[Q, A], None] | None,
    ) -> Generator[A, None, None]:
        """Hand requests to vLLM and yield what it makes of them, in their order.

        Args:
            prepare: From the tokenizer and a request to its tokens, vLLM's parameters, and a number that `read` gets.
            read: From a request and what vLLM put out, or why it could not, to the answer.
        """
        self._llm = self._llm or _load(self.model, self.llm_options)
        engine = self._llm.llm_engine
        source = iter(requests)
        waiting: deque[str] = deque()  # by vLLM's names, in order
        running: dict[str, tuple[Q, int]] = {}
        done: dict[str, A] = {}
        try:
            while True:
                for request in islice(at_hand(source), AHEAD * self.window - len(waiting)):
                    name = str(next(self._numbers))
                    waiting.append(name)
                    try:
                        running[name] = request, _add(self._llm, name, request, prepare)
                    except ValueError as error:
                        done[name] = read(request, str(error), 0)
                if not waiting:
                    return
                while waiting[0] not in done:
                    for output in self._step():
                        if output.finished and output.request_id in running:
                            request, number = running.pop(output.request_id)
                            done[output.request_id] = answer = read(request, output, number)
                            if arrived:
                                arrived(request, answer)
                yield done.pop(waiting.popleft())
        finally:
            if running and self._llm:
                engine.abort_request(list(running))

    def _step(self) -> list[RequestOutput]:
        from vllm.v1.engine.exceptions import EngineDeadError

        assert self._llm
        try:
            return cast("list[RequestOutput]", self._llm.llm_engine.step())
        except EngineDeadError:
            self.close()
            raise EngineUnreachable(
                f"{self.model}: vLLM's engine died, its own log above says why; run again to go on"
            ) from None


def _load(model: str, options: dict[str, Any]) -> LLM:
    os.environ |= {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}  # vLLM reports home unless told not to
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS", "1")  # idle by then, and yet they wait for it
    try:
        from vllm import LLM
        from vllm.platforms import current_platform
    except ImportError as error:
        raise not_installed("vllm", error) from error

    defaults: dict[str, Any] = {
        "load_format": "safetensors",
        "enable_prefix_caching": True,
        "max_model_len": -1,  # all of the context, or as much of it as there is memory for
        "use_tqdm_on_load": False,
    }
    if current_platform.is_cpu():
        defaults |= {"dtype": "float32", "enforce_eager": True, "kv_cache_memory_bytes": 2 << 30}
        defaults["block_size"] = 32  # only whole blocks are shared between prompts, and 128 tokens are the default
        defaults["enable_chunked_prefill"] = False  # where it cuts a seeded request, vLLM 0.32 dies
    try:
        return LLM(model, **defaults | options)
    except (OSError, RuntimeError, TypeError, ValueError) as error:  # TypeError: an option there is none of
        raise load_error(model, error) from error


def _to_complete(tokenizer: Any, request: Request) -> tuple[list[int], SamplingParams, int]:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = request.sampling
    params = SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        presence_penalty=sampling.presence_penalty,
        max_tokens=sampling.max_tokens,
        min_tokens=sampling.min_tokens,
        stop=list(sampling.stop),
        seed=sampling.seed,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )
    return prompt_ids(tokenizer, request.prompt, request.chat_template_kwargs, request.prefill), params, 0


def _to_score(tokenizer: Any, request: ScoreRequest) -> tuple[list[int], SamplingParams, int]:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    ids, start = scored_ids(tokenizer, request)
    final = RequestOutputKind.FINAL_ONLY
    return (
        ids,
        SamplingParams(temperature=0, max_tokens=1, prompt_logprobs=0, detokenize=False, output_kind=final),
        start,
    )


def _add(llm: LLM, name: str, request: Q, prepare: Callable[[Any, Q], tuple[list[int], Any, int]]) -> int:
    """Hand a request to vLLM.

    Raises:
        ValueError: when it can't succeed.
    """
    from vllm.exceptions import VLLMClientError
    from vllm.inputs import tokens_input

    try:
        ids, params, number = prepare(llm.get_tokenizer(), request)
        llm.llm_engine.add_request(name, tokens_input(ids), params)
    except VLLMClientError as error:
        raise ValueError(str(error)) from None
    return number


def _completion(request: Request, output: RequestOutput | str, _: int) -> Completion:
    if isinstance(output, str):
        return Completion(id=request.id, text=output, finish_reason="error")
    answer = output.outputs[0]
    if answer.finish_reason not in ("stop", "length"):
        return Completion(id=request.id, text=f"vLLM ended it early: {answer.finish_reason}", finish_reason="error")
    return Completion(
        id=request.id,
        text=answer.text,
        finish_reason="length" if answer.finish_reason == "length" else "stop",
        prompt_tokens=len(output.prompt_token_ids or ()),
        cached_tokens=output.num_cached_tokens or 0,
        completion_tokens=len(answer.token_ids),
    )


def _likelihood(request: ScoreRequest, output: RequestOutput | str, start: int) -> Likelihood:
    if isinstance(output, str):
        return Likelihood(id=request.id, error=output)
    ids, found = output.prompt_token_ids, cast(Any, output.prompt_logprobs)
    if not ids or not found or len(found) != len(ids):
        return Likelihood(id=request.id, error=f"vLLM ended it early: {output.outputs[0].finish_reason}")
    logprobs = tuple(found[place][ids[place]].logprob for place in range(start, len(ids)))
    return Likelihood(id=request.id, per_token=logprobs, prompt_tokens=start)
