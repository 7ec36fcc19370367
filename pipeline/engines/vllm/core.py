"""A model in vLLM that takes requests one by one and is driven step by step."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

from pipeline.engines.base import Completion, Likelihood, Request, ScoreRequest, refused
from pipeline.engines.model_folder import check_model, load_error, not_installed
from pipeline.engines.shape import is_held, shaped
from pipeline.engines.tokens import prompt_ids, scored_ids
from pipeline.errors import EngineUnreachable

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput, SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

SECONDS = 30  # to end in


class Core:
    """vLLM with a model that is loaded, and the requests it works on, each by a name.

    Args:
        model: A folder or a name on the hub.
        options: Go to `vllm.LLM` as they are.

    Raises:
        SproutError: when the model cannot be loaded.
    """

    def __init__(self, model: str, options: dict[str, Any]) -> None:
        check_model(model)
        self.model = model
        self.llm = _load(model, options)
        atexit.register(_close_at_exit, weakref.ref(self))
        _watch(self.llm)
        self._running: dict[str, tuple[Request | ScoreRequest, int]] = {}

    def add(self, name: str, request: Request | ScoreRequest) -> None:
        """Hand vLLM a request.

        Raises:
            ValueError: when it can't succeed, saying why.
            EngineUnreachable: when vLLM has died.
        """
        from vllm.exceptions import VLLMClientError
        from vllm.inputs import tokens_input

        tokenizer, start = self.llm.get_tokenizer(), 0
        try:
            if isinstance(request, ScoreRequest):
                ids, params, start = _to_score(tokenizer, request)
            else:
                ids, params = _to_complete(tokenizer, request)
            with _alive(self.model):
                self.llm.llm_engine.add_request(name, tokens_input(ids), params)
        except VLLMClientError as error:
            raise ValueError(str(error)) from None
        self._running[name] = request, start

    def step(self) -> list[tuple[str, Completion | Likelihood]]:
        """Compute for a while: the answers that are finished by then, by the names of their requests.

        Raises:
            EngineUnreachable: when vLLM has died.
        """
        with _alive(self.model):
            outputs = cast("list[RequestOutput]", self.llm.llm_engine.step())
        finished = [output for output in outputs if output.finished and output.request_id in self._running]
        return [(output.request_id, _answer(output, *self._running.pop(output.request_id))) for output in finished]

    def abort(self, names: Iterable[str]) -> None:
        """Drop those of these requests that still run."""
        if running := [name for name in names if self._running.pop(name, None)]:
            self.llm.llm_engine.abort_request(running)

    def close(self) -> None:
        """Give back the memory that vLLM holds."""
        self.llm.llm_engine.engine_core.shutdown(timeout=SECONDS)


@contextmanager
def _alive(model: str) -> Iterator[None]:
    from vllm.v1.engine.exceptions import EngineDeadError

    try:
        yield
    except EngineDeadError:
        raise EngineUnreachable(
            f"{model}: vLLM's engine died; its own log above says why, unless the system has killed it, as it does "
            f"when memory runs out; run again to go on"
        ) from None


def _close_at_exit(core: weakref.ref[Core]) -> None:
    """End vLLM's processes before Python waits for them.

    vLLM leaves that to `weakref.finalize`, which comes too late, and the process never ends, if anything was to be
    finalized before vLLM was imported.
    """
    if there := core():
        there.close()


def _watch(llm: LLM) -> None:
    """Have whoever waits for answers get an error when vLLM's process is killed, as by a system short of memory.

    vLLM 0.32 notices it too, but tells nobody who waits already.
    """
    from vllm.v1.engine.exceptions import EngineDeadError

    client: Any = llm.llm_engine.engine_core
    answers = getattr(client, "outputs_queue", None)
    manager = getattr(getattr(client, "resources", None), "engine_manager", None)
    if answers is None or manager is None:
        return  # vLLM has no process of its own

    def wait(sentinels: list[Any]) -> None:
        with suppress(OSError, ValueError):  # closed
            connection.wait(sentinels)
        answers.put_nowait(EngineDeadError())

    Thread(target=wait, args=(manager.sentinels(),), name="watch", daemon=True).start()


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


def _to_complete(tokenizer: Any, request: Request) -> tuple[list[int], SamplingParams]:
    """The tokens of a prompt, and vLLM's parameters."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    held = is_held(tokenizer, request)
    sampling = shaped(request) if held else request.sampling
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
        structured_outputs=_shape(request) if held else None,
    )
    return prompt_ids(tokenizer, request.prompt, request.chat_template_kwargs, request.prefill), params


def _shape(request: Request) -> StructuredOutputsParams:
    from vllm.sampling_params import StructuredOutputsParams

    if request.choices:
        return StructuredOutputsParams(choice=list(request.choices))
    return StructuredOutputsParams(json=request.json_schema)


def _to_score(tokenizer: Any, request: ScoreRequest) -> tuple[list[int], SamplingParams, int]:
    """The tokens of prompt and continuation, vLLM's parameters, and where the tokens that count begin."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    ids, start = scored_ids(tokenizer, request)
    final = RequestOutputKind.FINAL_ONLY
    return (
        ids,
        SamplingParams(temperature=0, max_tokens=1, prompt_logprobs=0, detokenize=False, output_kind=final),
        start,
    )


def _answer(output: RequestOutput, request: Request | ScoreRequest, start: int) -> Completion | Likelihood:
    return _likelihood(request, output, start) if isinstance(request, ScoreRequest) else _completion(request, output)


def _completion(request: Request, output: RequestOutput) -> Completion | Likelihood:
    answer = output.outputs[0]
    if answer.finish_reason not in ("stop", "length"):
        return refused(request, f"vLLM ended it early: {answer.finish_reason}")
    return Completion(
        id=request.id,
        text=answer.text,
        finish_reason="length" if answer.finish_reason == "length" else "stop",
        prompt_tokens=len(output.prompt_token_ids or ()),
        cached_tokens=output.num_cached_tokens or 0,
        completion_tokens=len(answer.token_ids),
    )


def _likelihood(request: ScoreRequest, output: RequestOutput, start: int) -> Completion | Likelihood:
    ids, found = output.prompt_token_ids, cast(Any, output.prompt_logprobs)
    if not ids or not found or len(found) != len(ids):
        return refused(request, f"vLLM ended it early: {output.outputs[0].finish_reason}")
    logprobs = tuple(found[place][ids[place]].logprob for place in range(start, len(ids)))
    return Likelihood(id=request.id, per_token=logprobs, prompt_tokens=start)
