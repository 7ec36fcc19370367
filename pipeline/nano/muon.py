"""Muon (Jordan et al. 2024) in float32; the one in torch orthogonalises in bfloat16, which is slow on most CPUs."""

from collections.abc import Iterable
from typing import Any

import torch

QUINTIC = (3.4445, -4.7750, 2.0315)  # coefficients of the Newton-Schulz iteration


class Muon(torch.optim.Optimizer):
    """Momentum with orthogonalised updates, for weight matrices only.

    Without decay, queries and keys grow until each head attends to a single position and stops learning; a small model
    then never learns to copy.
    """

    def __init__(self, params: Iterable[torch.nn.Parameter], lr: float, decay: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                buffer = self.state[p].setdefault("buffer", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                update = orthogonal(torch.lerp(p.grad, buffer, group["momentum"]))
                p.mul_(1 - group["lr"] * group["decay"])
                p.add_(update, alpha=-group["lr"] * max(1, p.shape[0] / p.shape[1]) ** 0.5)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """An approximation of the nearest orthogonal matrix, by five Newton-Schulz steps."""
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    result: torch.Tensor = x.T if tall else x
    return result
