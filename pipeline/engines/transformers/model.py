"""A loaded model and its tokenizer: logits, and the beginning that texts share, computed once."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.engines.model_folder import load_error, load_tokenizer, not_installed
from pipeline.engines.transformers.guide import Guides
from pipeline.engines.transformers.kv_cache import new_cache

if TYPE_CHECKING:
    from torch import Tensor

MIN_PREFIX = 32  # tokens; a shorter common beginning is not worth a forward pass of its own


class Model:
    """What is loaded from a folder or the hub. A GPU is taken if there is one, unless a device is named."""

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
        self.vocabulary: int = config.vocab_size
        stops = net.generation_config.eos_token_id
        ends = {self.tokenizer.eos_token_id, *(stops if isinstance(stops, list) else [stops])}
        self.ends: set[int] = ends - {None}
        self.guides = Guides(self.tokenizer, self.ends)
        self.accepts = inspect.signature(net.forward).parameters
        self.prefix: list[int] = []  # the tokens whose keys and values are kept, for batches that begin alike
        self.prefix_cache: Any = None

    def shared(self, texts: Sequence[list[int]], most: int) -> tuple[Any, int]:
        """A cache of the beginning that all texts share, `most` tokens of it, and its length; it is kept for the next.

        Without such a beginning, and for models whose cache is not plain attention, it is an empty cache.
        """
        import torch

        cache, plain = new_cache(self.net.config)
        shared = min(alike(min(texts), max(texts)), most)
        known = alike(self.prefix, texts[0][:shared])
        if not plain or shared < MIN_PREFIX:
            return cache, 0
        if known < shared / 2:
            if len(texts) == 1:
                return cache, 0
            self.prefix, (self.prefix_cache, _) = texts[0][:shared], new_cache(self.net.config)
            ids = torch.tensor([self.prefix], device=self.device)
            self.logits(self.prefix_cache, ids, torch.ones_like(ids))
            known = shared
        for number, layer in enumerate(self.prefix_cache.layers):
            keys, values = (kept[:, :, :known].expand(len(texts), -1, -1, -1) for kept in (layer.keys, layer.values))
            cache.update(keys, values, number)
        return cache, known

    def logits(self, cache: Any, ids: Tensor, mask: Tensor, keep: int = 1) -> Tensor:
        """The logits after the last `keep` of `ids`, which go on where the cache ends: rows × keep × vocabulary.

        Args:
            mask: 1 for each token, 0 for padding; of the tokens in the cache too.
        """
        last = self.limit - 1 if self.limit else None  # a finished row that is still in the batch may go on past it
        positions = (mask.cumsum(1) - 1).clamp(min=0, max=last)[:, -ids.shape[1] :]
        extra = {"position_ids": positions, "logits_to_keep": keep}
        output = self.net(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            **{name: value for name, value in extra.items() if name in self.accepts},
        )
        logits: Tensor = output.logits[:, -keep:]
        return logits


def alike(one: list[int], other: list[int]) -> int:
    """The length of their common beginning. That of the first and the last of many in order is common to all."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
