"""A Hugging Face model in this process, a batch at a time: for a CPU or one small GPU."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import Field

from pipeline.engines.base import (
    Arrived,
    ChatOptions,
    Completions,
    Engine,
    Likelihoods,
    Request,
    Scored,
    ScoreRequest,
    at_hand,
)
from pipeline.engines.model_folder import check_model, choose_chat, local_pre_query, revision
from pipeline.errors import SproutError

if TYPE_CHECKING:
    from pipeline.engines.transformers.model import Model

DTYPES = None, "float64", "float32", "bfloat16", "float16"


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
        self.can_prefill = True
        self._loaded: Model | None = None

    @cached_property
    def revision(self) -> str:
        return revision(self.model)

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        from pipeline.engines.transformers.decode import complete

        source = iter(requests)
        while batch := list(islice(at_hand(source), self.window)):
            completions = complete(self._load(), batch)
            if arrived:
                for request, completion in zip(batch, completions, strict=True):
                    arrived(request, completion)
            yield from completions

    def score(self, requests: Iterable[ScoreRequest | None], arrived: Scored | None = None) -> Likelihoods:
        from pipeline.engines.transformers.likelihood import score

        source = iter(requests)
        while batch := list(islice(at_hand(source), self.window)):
            likelihoods = score(self._load(), batch)
            if arrived:
                for request, likelihood in zip(batch, likelihoods, strict=True):
                    arrived(request, likelihood)
            yield from likelihoods

    def pre_query(self, system: str | None = None) -> str | None:
        return local_pre_query(self.model, system, self.chat_template_kwargs, self.trust_remote_code)

    def close(self) -> None:
        self._loaded = None

    def _load(self) -> Model:
        from pipeline.engines.transformers.model import Model

        if self._loaded is None:
            self._loaded = Model(self.model, self.dtype, self.device, self.trust_remote_code)
        return self._loaded
