"""Picks the next token of each row of a batch, each by its own settings and with its own noise."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.engines.base import Sampling

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Sampler:
    """Greedy, or by the Gumbel trick: the largest of score + noise is a sample.

    The noise of a row comes from a generator of its own, seeded by its request, so neither its neighbours in the batch
    nor the device have a say in it.
    """

    def __init__(self, samplings: Sequence[Sampling], device: torch.device, ends: Collection[int] = ()) -> None:
        """`ends` are the tokens that end a text, which `min_tokens` puts off."""
        import torch

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float64, device=self.device)[:, None]

        self.device = torch.device("cpu") if device.type == "mps" else device  # mps has no float64
        self.temperature = column([one.temperature or 1.0 for one in samplings])
        self.top_p = column([one.top_p if one.temperature else 1.0 for one in samplings])
        self.top_k = torch.tensor([one.top_k if one.temperature else 0 for one in samplings], device=self.device)
        self.min_tokens = torch.tensor([one.min_tokens for one in samplings], device=self.device)
        self.ends = torch.tensor(sorted(ends), dtype=torch.long, device=self.device)
        self.count = 0  # of the tokens each row has
        self.most = max(one.min_tokens for one in samplings)
        self.penalty = column([one.presence_penalty for one in samplings])
        self.noise = [_generator(one) if one.temperature else None for one in samplings]
        self.seen: Tensor | None = None

    def keep(self, index: Tensor) -> None:
        """Leave only these rows."""
        index = index.to(self.device)
        self.temperature, self.top_p, self.penalty = self.temperature[index], self.top_p[index], self.penalty[index]
        self.top_k, self.min_tokens = self.top_k[index], self.min_tokens[index]
        self.noise = [self.noise[number] for number in index.tolist()]
        self.seen = None if self.seen is None else self.seen[index]

    def pick(self, logits: Tensor, allowed: Mapping[int, Tensor]) -> Tensor:
        """The next token of each row.

        Args:
            allowed: By row, which tokens it may be; for rows where it may not be any.
        """
        import torch

        scores = logits.to(self.device, torch.float64, copy=True)
        for row, tokens in allowed.items():
            scores[row, ~tokens.to(self.device)] = -float("inf")
        if self.count < self.most:
            short = (self.min_tokens > self.count).nonzero()[:, 0]
            scores[short[:, None], self.ends] = -float("inf")
        self.count += 1
        penalized = bool((self.penalty != 0).any())
        if penalized:
            self.seen = torch.zeros_like(scores, dtype=torch.bool) if self.seen is None else self.seen
            scores = scores - self.penalty * self.seen
        scores = scores / self.temperature
        few = (self.top_k > 0).nonzero()[:, 0]
        if len(few):
            scores[few] = _likeliest(scores[few], self.top_k[few])
        narrow = (self.top_p < 1)[:, 0].nonzero()[:, 0]
        if len(narrow):
            scores[narrow] = _nucleus(scores[narrow], self.top_p[narrow])
        self._add_noise(scores)
        tokens = scores.argmax(1)
        if penalized and self.seen is not None:
            self.seen[torch.arange(len(tokens)), tokens] = True
        return tokens.to(logits.device)

    def _add_noise(self, scores: Tensor) -> None:
        """Gumbel noise: the largest score becomes a sample. Drawn on the CPU, so that the device does not change it."""
        import torch

        sampled = [number for number, generator in enumerate(self.noise) if generator is not None]
        if sampled:
            draws = torch.empty(len(sampled), scores.shape[1], dtype=torch.float64)
            for row, number in zip(draws, sampled, strict=True):
                torch.rand(len(row), generator=self.noise[number], dtype=torch.float64, out=row)
            scores[sampled] -= torch.log(-torch.log(draws.to(scores.device)))


def _generator(sampling: Sampling) -> torch.Generator:
    import torch

    generator = torch.Generator()
    if sampling.seed is None:
        generator.seed()
    else:
        generator.manual_seed(sampling.seed)
    return generator


def _likeliest(scores: Tensor, top_k: Tensor) -> Tensor:
    """Leave the `top_k` likeliest tokens, and those as likely as the last of them."""
    most = min(int(top_k.max()), scores.shape[1])
    least = scores.topk(most, dim=1).values.gather(1, (top_k.clamp(max=most) - 1)[:, None])
    return scores.masked_fill(scores < least, -float("inf"))


def _nucleus(scores: Tensor, top_p: Tensor) -> Tensor:
    """Leave the smallest set of likeliest tokens that together reach `top_p`. Most often a few hundred tell."""
    probabilities, count = scores.softmax(1), 256
    while True:
        top = probabilities.topk(min(count, scores.shape[1]), dim=1).values
        before = top.cumsum(1) - top
        if count >= scores.shape[1] or bool((before[:, -1:] + top[:, -1:] >= top_p).all()):
            break
        count *= 8
    least = top.gather(1, (before < top_p).sum(1, keepdim=True) - 1)
    return scores.masked_fill(probabilities < least, -float("inf"))
