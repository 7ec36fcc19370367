"""A Hugging Face model in this process, a batch at a time: for a CPU or one small GPU."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from pipeline.engines.base import (
    Arrived,
    ChatOptions,
    Completion,
    Completions,
    Engine,
    Request,
    Sampling,
    at_hand,
)
from pipeline.engines.model_folder import (
    check_model,
    choose_chat,
    load_error,
    load_tokenizer,
    not_installed,
    prompt_ids,
    revision,
)
from pipeline.engines.transformers.kv_cache import new_cache
from pipeline.engines.transformers.sampler import Sampler
from pipeline.errors import SproutError

if TYPE_CHECKING:
    from torch import Tensor

DTYPES = None, "float64", "float32", "bfloat16", "float16"
MIN_PREFIX = 32  # tokens; a shorter common beginning is not worth a forward pass of its own
CONTEXT = 4  # tokens of the prompt decoded with the text, so that a leading space survives


class TransformersOptions(ChatOptions):
    dtype: str | None = Field(
        default=None,
        description="float64, float32, bfloat16 or float16; unset: that of the file, no half ones on a CPU",
    )
    window: int = Field(default=32, ge=1, description="the requests of a batch")
    device: str | None = Field(default=None, description="such as cuda:1; unset: the first GPU, or the CPU")
    trust_remote_code: bool = Field(default=False, description="run the code that a model brings with it")


class Transformers(Engine):
    """Completes `window` requests at a time.

    A text depends only on its own request: every row samples with noise of its own, made from its seed. What a batch
    still changes is the rounding inside the model. In float64 that is too small to ever be seen (in float32 it changes
    one text in some thousands), so small models on a CPU give the same texts whatever the window and number of threads.

    Args:
        model: A folder with config, tokenizer and safetensors weights, or the name of a model on the hub.
        chat: None looks for a chat template.
        dtype: One of `DTYPES`; None takes the one the model was saved in, but no half precision on a CPU.
        device: None takes the first GPU, or the CPU.
        chat_template_kwargs: What the chat template gets besides messages, such as `{"enable_thinking": False}`.

    Example:
        >>> engine = Transformers("my-model", dtype="float32", window=8)
    """

    options = TransformersOptions

    def __init__(
        self,
        model: str,
        chat: bool | None = None,
        dtype: str | None = None,
        window: int = 32,
        device: str | None = None,
        trust_remote_code: bool = False,
        chat_template_kwargs: dict[str, Any] | None = None,
    ) -> None:
        if dtype not in DTYPES:
            raise SproutError(f"dtype {dtype!r} is not known; take one of {', '.join(filter(None, DTYPES))}")
        check_model(model)
        self.model = model
        self.chat = choose_chat(model, chat, trust_remote_code)
        self.dtype = dtype
        self.window = window
        self.device = device
        self.trust_remote_code = trust_remote_code
        self.chat_template_kwargs = chat_template_kwargs or {}
        self._loaded: _Model | None = None

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        source = iter(requests)
        while batch := list(islice(at_hand(source), self.window)):
            completions = self._complete(batch)
            if arrived:
                for request, completion in zip(batch, completions, strict=True):
                    arrived(request, completion)
            yield from completions

    @cached_property
    def revision(self) -> str:
        return revision(self.model)

    def close(self) -> None:
        self._loaded = None

    def _complete(self, batch: Sequence[Request]) -> list[Completion]:
        if self._loaded is None:
            self._loaded = _Model(self.model, self.dtype, self.device, self.trust_remote_code)
        rows = [self._loaded.row(request) for request in batch]
        self._loaded.decode([row for row in rows if not row.finish_reason])
        return [row.completion() for row in rows]


@dataclass
class _Row:
    """One request and what has been generated for it."""

    id: str
    sampling: Sampling
    prompt: list[int] = field(default_factory=list)
    room: int = 0  # how many tokens may follow
    tail: int = 0  # how many of the last tokens may hold a stop string that just ended
    tokens: list[int] = field(default_factory=list)
    text: str = ""
    finish_reason: Literal["stop", "length", "error"] | None = None

    def completion(self) -> Completion:
        return Completion(
            id=self.id,
            text=self.text,
            finish_reason=self.finish_reason or "error",
            prompt_tokens=len(self.prompt),
            completion_tokens=len(self.tokens),
        )


class _Model:
    """The loaded model and its tokenizer."""

    def __init__(self, name: str, dtype: str | None, device: str | None, trust_remote_code: bool) -> None:
        self.tokenizer = load_tokenizer(name, trust_remote_code)
        try:
            import torch
        except ImportError as error:
            raise not_installed("torch", error) from error
        from safetensors import SafetensorError
        from transformers import AutoModelForCausalLM
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
            net: Any = AutoModelForCausalLM.from_pretrained(
                name, dtype=dtype or "auto", use_safetensors=True, trust_remote_code=trust_remote_code
            )
            if dtype is None and self.device.type == "cpu" and net.dtype.itemsize == 2:
                net = net.float()
            self.net = net.to(self.device).eval()
        except (AssertionError, OSError, RuntimeError, ValueError, SafetensorError) as error:
            raise load_error(name, error) from error
        config = net.config.get_text_config()
        self.limit: int | None = getattr(config, "max_position_embeddings", None)
        stops = net.generation_config.eos_token_id
        self.ends = {self.tokenizer.eos_token_id, *(stops if isinstance(stops, list) else [stops])}
        self.accepts = inspect.signature(net.forward).parameters
        self.prefix: list[int] = []  # the tokens whose keys and values are kept, for batches that begin alike
        self.prefix_cache: Any = None

    def row(self, request: Request) -> _Row:
        row = _Row(request.id, request.sampling)
        try:
            row.prompt = prompt_ids(self.tokenizer, request.prompt, request.chat_template_kwargs)
        except ValueError as error:
            row.text, row.finish_reason = str(error), "error"
            return row
        row.room = request.sampling.max_tokens
        if self.limit:
            row.room = min(row.room, self.limit - len(row.prompt))
        row.tail = max((len(stop.encode()) for stop in request.sampling.stop), default=0) + CONTEXT
        if not row.prompt:
            row.text, row.finish_reason = "the prompt is empty", "error"
        elif row.room < 1:
            row.text = f"the prompt has {len(row.prompt)} tokens; the model takes {self.limit}, its answer included"
            row.finish_reason = "error"
        return row

    def decode(self, rows: list[_Row]) -> None:
        """Generate until every row is finished. Finished ones leave a few at a time: that copies the cache."""
        import torch

        if not rows:
            return
        with torch.inference_mode():
            cache, ids, mask = self._begin(rows)
            sampler = Sampler([row.sampling for row in rows], self.device)
            while True:
                tokens = sampler.pick(self._logits(cache, ids, mask))
                self._append(rows, tokens.tolist())
                alive = [index for index, row in enumerate(rows) if not row.finish_reason]
                if not alive:
                    return
                if len(alive) <= len(rows) * 7 / 8:
                    rows = [rows[index] for index in alive]
                    kept = torch.tensor(alive, device=self.device)
                    cache.reorder_cache(kept)
                    mask, tokens = mask[kept], tokens[kept]
                    sampler.keep(kept)
                ids = tokens[:, None]
                mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)

    def _begin(self, rows: list[_Row]) -> tuple[Any, Tensor, Tensor]:
        """The cache with the prefix all prompts share, the rest of each prompt padded on the left, and the mask."""
        import torch

        prompts = [row.prompt for row in rows]
        cache, shared = self._shared(prompts)
        rest = [prompt[shared:] for prompt in prompts]
        width = max(map(len, rest))
        ids = torch.tensor([[0] * (width - len(one)) + one for one in rest], device=self.device)
        mask = torch.tensor(
            [[1] * shared + [0] * (width - len(one)) + [1] * len(one) for one in rest], device=self.device
        )
        return cache, ids, mask

    def _shared(self, prompts: list[list[int]]) -> tuple[Any, int]:
        """A cache of the beginning all prompts share, and its length. It is kept, for the next batch."""
        import torch

        cache, plain = new_cache(self.net.config)
        shared = min(_alike(min(prompts), max(prompts)), min(map(len, prompts)) - 1)
        known = _alike(self.prefix, prompts[0][:shared])
        if not plain or shared < MIN_PREFIX:
            return cache, 0
        if known < shared / 2:
            if len(prompts) == 1:
                return cache, 0
            self.prefix, (self.prefix_cache, _) = prompts[0][:shared], new_cache(self.net.config)
            ids = torch.tensor([self.prefix], device=self.device)
            self._logits(self.prefix_cache, ids, torch.ones_like(ids))
            known = shared
        for number, layer in enumerate(self.prefix_cache.layers):
            keys, values = (kept[:, :, :known].expand(len(prompts), -1, -1, -1) for kept in (layer.keys, layer.values))
            cache.update(keys, values, number)
        return cache, known

    def _logits(self, cache: Any, ids: Tensor, mask: Tensor) -> Tensor:
        last = self.limit - 1 if self.limit else None  # a finished row that is still in the batch may go on past it
        positions = (mask.cumsum(1) - 1).clamp(min=0, max=last)[:, -ids.shape[1] :]
        extra = {"position_ids": positions, "logits_to_keep": 1}
        output = self.net(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            **{name: value for name, value in extra.items() if name in self.accepts},
        )
        logits: Tensor = output.logits[:, -1]
        return logits

    def _append(self, rows: list[_Row], tokens: list[int]) -> None:
        """Give each row its next token, and its text if that was the last."""
        running = [(row, token) for row, token in zip(rows, tokens, strict=True) if not row.finish_reason]
        for row, token in running:
            row.tokens.append(token)
            if token in self.ends:
                row.finish_reason = "stop"
            elif len(row.tokens) >= row.room:
                row.finish_reason = "length"
        stopping = [row for row, _ in running if row.sampling.stop and not row.finish_reason]
        tails = [row.tokens[-row.tail :] for row in stopping]
        for row, tail in zip(stopping, self._decode_all(tails), strict=True):
            if any(stop in tail for stop in row.sampling.stop) and self._cut(row) is not None:
                row.finish_reason = "stop"
        for row, _ in running:
            if row.finish_reason:
                text = self._cut(row)
                row.text = self._text(row).rstrip("\ufffd") if text is None else text  # half a character, cut by length
                row.finish_reason = row.finish_reason if text is None else "stop"

    def _cut(self, row: _Row) -> str | None:
        """The text up to the first stop string, or None if there is none in it."""
        text = self._text(row)
        found = [text.index(stop) for stop in row.sampling.stop if stop in text]
        return text[: min(found)] if found else None

    def _text(self, row: _Row) -> str:
        context = row.prompt[-CONTEXT:]
        before, whole = self._decode_all([context, context + row.tokens])
        return whole[len(before) :]

    def _decode_all(self, tokens: list[list[int]]) -> list[str]:
        texts: list[str] = (
            self.tokenizer.batch_decode(tokens, skip_special_tokens=True) if tokens else []
        )  # of none: [""]
        return texts


def _alike(one: list[int], other: list[int]) -> int:
    """The length of their common beginning. That of the first and the last of many in order is common to all."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
