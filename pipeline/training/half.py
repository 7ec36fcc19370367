"""Half of a model is tuned and half stays as it is (HFT, arXiv 2404.18466), so that it forgets less."""

import logging
import random
import re
from collections.abc import Sequence
from typing import Any

logger = logging.getLogger(__name__)

_LAYER = re.compile(r"\.(\d+)\.")
_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)


def freeze_half(model: Any, random_seed: int) -> None:
    """Choose by the seed which parameters are tuned: in each layer, half of the matrices of attention and of the rest.

    Of an odd number of matrices, such as the three of a feed-forward network, every second layer tunes one more than
    half. Half of the norms are tuned, and the embeddings and the head always.
    """
    rng = random.Random(f"{random_seed}:half")
    layers: dict[int, dict[str, list[str]]] = {}
    norms: list[str] = []
    for name, parameter in model.named_parameters():
        module = name.rpartition(".")[0]
        if not (found := _LAYER.search(name)):
            continue  # embeddings, head, the last norm
        if name.endswith(".weight") and parameter.ndim < 2:
            norms.append(module)
        elif parameter.ndim >= 2:
            kind = "attention" if _ATTENTION.search(module) else "other"
            layers.setdefault(int(found[1]), {}).setdefault(kind, []).append(module)
    frozen = {*_half(norms, rng, False)}
    more = {*_half(sorted(layers), rng, False)}
    for number, kinds in sorted(layers.items()):
        for modules in kinds.values():
            frozen |= {*_half(modules, rng, number in more)}
    total = left = 0
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.rpartition(".")[0] not in frozen)  # a bias goes with its matrix
        total += parameter.numel()
        left += parameter.numel() if parameter.requires_grad else 0
    logger.info("train: %d %% of %d million parameters are tuned", round(100 * left / total), round(total / 1e6))


def _half(names: Sequence[Any], rng: random.Random, fewer: bool) -> list[Any]:
    """Half of the names at random; of an odd number one fewer than the rest, or one more."""
    return rng.sample([*names], len(names) // 2 if fewer else (len(names) + 1) // 2)
