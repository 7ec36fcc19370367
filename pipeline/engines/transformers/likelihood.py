"""How likely a model finds texts: a batch at a time, in pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pipeline.engines.base import Likelihood, ScoreRequest
from pipeline.engines.tokens import scored_ids
from pipeline.engines.transformers.model import Model

if TYPE_CHECKING:
    from torch import Tensor

MAX_TOKENS = 1 << 14  # of a batch, padding included
MAX_LOGITS = 1 << 28  # numbers at once: 1 GiB in float32
MIN_PIECE = 16  # tokens of each row that are computed together, whatever the vocabulary


class _Text(NamedTuple):
    number: int  # among the requests
    ids: list[int]
    start: int  # the place of the first token that is scored


def score(model: Model, requests: list[ScoreRequest]) -> list[Likelihood]:
    """The likelihoods of a batch. Those that cannot be scored have an error."""
    import torch

    found: dict[int, Likelihood] = {}
    texts: list[_Text] = []
    for number, request in enumerate(requests):
        try:
            ids, start = scored_ids(model.tokenizer, request)
            if model.limit and len(ids) > model.limit:
                raise ValueError(f"prompt and continuation have {len(ids)} tokens; the model takes {model.limit}")
            texts.append(_Text(number, ids, start))
        except ValueError as error:
            found[number] = Likelihood(id=request.id, error=str(error))
    with torch.inference_mode():
        for batch in _batches(texts):
            for text, logprobs in zip(batch, _logprobs(model, batch), strict=True):
                id, before = requests[text.number].id, text.start
                found[text.number] = Likelihood(id=id, per_token=tuple(logprobs), prompt_tokens=before)
    return [found[number] for number in range(len(requests))]


def _batches(texts: list[_Text]) -> Iterator[list[_Text]]:
    """Texts of like length together, so that little is padding."""
    batch: list[_Text] = []
    for text in sorted(texts, key=lambda one: -len(one.ids)):
        if batch and len(batch[0].ids) * (len(batch) + 1) > MAX_TOKENS:
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def _logprobs(model: Model, texts: list[_Text]) -> list[list[float]]:
    """The log-probability of each token from `start` on, by text."""
    import torch

    begin = min(text.start for text in texts) - 1  # the first token after which one is scored
    cache, shared = model.shared([text.ids for text in texts], begin)
    width = max(len(text.ids) for text in texts)
    rows = [text.ids + [0] * (width - len(text.ids)) for text in texts]
    ids = torch.tensor(rows, device=model.device)
    mask = torch.tensor([[1] * len(text.ids) + [0] * (width - len(text.ids)) for text in texts], device=model.device)
    if shared < begin:
        model.logits(cache, ids[:, shared:begin], mask[:, :begin])
    size = max(MIN_PIECE, MAX_LOGITS // (len(texts) * model.vocabulary))
    pieces: list[Tensor] = []
    for start in range(begin, width - 1, size):
        end = min(start + size, width - 1)
        logits = model.logits(cache, ids[:, start:end], mask[:, :end], keep=end - start)
        logits = logits if logits.dtype == torch.float64 else logits.float()
        chosen = logits.gather(2, ids[:, start + 1 : end + 1, None])[:, :, 0]
        pieces.append(chosen - logits.logsumexp(2))
    logprobs: list[list[float]] = torch.cat(pieces, dim=1).tolist()
    return [row[text.start - 1 - begin : len(text.ids) - 1 - begin] for text, row in zip(texts, logprobs, strict=True)]
