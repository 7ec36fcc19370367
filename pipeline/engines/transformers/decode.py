"""Completions of a batch, token by token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pipeline.engines.base import Completion, Request, Sampling
from pipeline.engines.shape import shaped
from pipeline.engines.tokens import prompt_ids
from pipeline.engines.transformers.guide import Guide
from pipeline.engines.transformers.model import Model
from pipeline.engines.transformers.sampler import Sampler

if TYPE_CHECKING:
    from torch import Tensor

CONTEXT = 4  # tokens of the prompt decoded with the text, so that a leading space survives


def complete(model: Model, requests: list[Request]) -> list[Completion]:
    """Complete the requests of a batch together."""
    decoder = _Decoder(model)
    rows = [decoder.row(request) for request in requests]
    decoder.decode([row for row in rows if not row.finish_reason])
    return [row.completion() for row in rows]


@dataclass
class _Row:
    """One request and what has been generated for it."""

    id: str
    sampling: Sampling
    guide: Guide | None = None  # holds the completion to a shape
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


class _Decoder:
    def __init__(self, model: Model) -> None:
        self.model = model

    def row(self, request: Request) -> _Row:
        row = _Row(request.id, request.sampling)
        kwargs, limit = request.chat_template_kwargs, self.model.limit
        try:
            row.prompt = prompt_ids(self.model.tokenizer, request.prompt, kwargs, request.prefill)
            row.guide = self.model.guides.guide(request)
        except ValueError as error:
            row.text, row.finish_reason = str(error), "error"
            return row
        if row.guide:
            row.sampling = shaped(request)
        row.room = row.sampling.max_tokens
        if limit:
            row.room = min(row.room, limit - len(row.prompt))
        row.tail = max((len(stop.encode()) for stop in row.sampling.stop), default=0) + CONTEXT
        if not row.prompt:
            row.text, row.finish_reason = "the prompt is empty", "error"
        elif row.room < 1:
            row.text = f"the prompt has {len(row.prompt)} tokens; the model takes {limit}, its answer included"
            row.finish_reason = "error"
        return row

    def decode(self, rows: list[_Row]) -> None:
        """Generate until every row is finished. Finished ones leave a few at a time: that copies the cache."""
        import torch

        if not rows:
            return
        with torch.inference_mode():
            cache, ids, mask = self._begin(rows)
            sampler = Sampler([row.sampling for row in rows], self.model.device, self.model.ends)
            while True:
                logits = self.model.logits(cache, ids, mask)[:, -1]
                tokens = sampler.pick(logits, self._allowed(rows, logits.shape[1]))
                self._append(rows, tokens.tolist())
                alive = [index for index, row in enumerate(rows) if not row.finish_reason]
                if not alive:
                    return
                if len(alive) <= len(rows) * 7 / 8:
                    rows = [rows[index] for index in alive]
                    kept = torch.tensor(alive, device=self.model.device)
                    cache.reorder_cache(kept)
                    mask, tokens = mask[kept], tokens[kept]
                    sampler.keep(kept)
                ids = tokens[:, None]
                mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)

    def _begin(self, rows: list[_Row]) -> tuple[Any, Tensor, Tensor]:
        """The cache with the prefix all prompts share, the rest of each prompt padded on the left, and the mask."""
        import torch

        prompts, device = [row.prompt for row in rows], self.model.device
        cache, shared = self.model.shared(prompts, min(map(len, prompts)) - 1)
        rest = [prompt[shared:] for prompt in prompts]
        width = max(map(len, rest))
        ids = torch.tensor([[0] * (width - len(one)) + one for one in rest], device=device)
        mask = torch.tensor([[1] * shared + [0] * (width - len(one)) + [1] * len(one) for one in rest], device=device)
        return cache, ids, mask

    def _allowed(self, rows: list[_Row], size: int) -> dict[int, Tensor]:
        """Which of the `size` tokens each row with a guide may have next. One that none would lead on is finished."""
        allowed = {}
        for number, row in enumerate(rows):
            if row.guide and not row.finish_reason:
                tokens = row.guide.allowed(size)
                if tokens.any():
                    allowed[number] = tokens
                else:
                    row.text, row.finish_reason = "the model has no tokens for the shape of this completion", "error"
        return allowed

    def _append(self, rows: list[_Row], tokens: list[int]) -> None:
        """Give each row its next token, and its text if that was the last."""
        running = [(row, token) for row, token in zip(rows, tokens, strict=True) if not row.finish_reason]
        for row, token in running:
            row.tokens.append(token)
            if token in self.model.ends or (row.guide and row.guide.take(token)):
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
        """The text up to the first stop string, or None if there is none after its first `min_tokens` tokens."""
        text, least = self._text(row), row.sampling.min_tokens
        if least >= len(row.tokens):
            return None
        free = len(self._text(row, least)) if least else 0
        places = [text.find(stop, max(0, free + 1 - len(stop))) for stop in row.sampling.stop]
        found = [place for place in places if place >= 0]
        return text[: min(found)] if found else None

    def _text(self, row: _Row, most: int | None = None) -> str:
        """What has been generated, or its first `most` tokens."""
        if row.guide:
            return row.guide.text(row.tokens[:most])
        context = row.prompt[-CONTEXT:]
        before, whole = self._decode_all([context, context + row.tokens[:most]])
        return whole[len(before) :]

    def _decode_all(self, tokens: list[list[int]]) -> list[str]:
        texts: list[str] = (
            self.model.tokenizer.batch_decode(tokens, skip_special_tokens=True) if tokens else []
        )  # of none: [""]
        return texts
