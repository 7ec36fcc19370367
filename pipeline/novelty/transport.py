"""Which texts bring a collection closer to a target: the gradient of the cost of optimal transport between them."""

import logging
import random

import numpy as np
import numpy.typing as npt

from pipeline.novelty.encoder import Vectors
from pipeline.novelty.lists import on_grid

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]

MAX_PAIRS = 10_000_000  # of a text and a target; of more texts a sample gives the potentials of the target
MAX_TARGETS = 2_000  # of more, a sample
MAX_ROUNDS = 2_000
_TOLERANCE = 1e-3  # of epsilon: a potential that changes by less changes no rank that means anything
_BLOCK = 1 << 12


def transport_gradient(vectors: Vectors, targets: Vectors, epsilon: float = 0.01, random_seed: int = 0) -> Floats:
    """How the cost of moving all vectors onto the targets changes with more weight on each; lowest is most wanted.

    The cost of a pair is 1 - cosine, and all weights are equal. The gradient is the calibrated potential
    f_i - mean of the other f (GOT-D, arXiv 2405.02774, section 3), where f solves the dual of optimal transport with
    entropy (Sinkhorn iterations in the log domain). Values depend on epsilon; the order hardly does.

    Beyond `MAX_PAIRS` the targets' potentials come from a sample of the vectors; each vector then has its own from
    these, by the same formula.

    Args:
        epsilon: Weight of the entropy, in units of the cost. A smaller one is closer to the exact cost, and slower.
    """
    if len(vectors) < 2:
        return np.zeros(len(vectors))
    ours, theirs = on_grid(vectors), on_grid(targets)
    if len(theirs) > MAX_TARGETS:
        logger.info("transport: %d of %d targets are used, drawn at random", MAX_TARGETS, len(theirs))
        theirs = _sample(theirs, MAX_TARGETS, f"{random_seed}:targets")
    potentials = _potentials(_sample(ours, MAX_PAIRS // len(theirs), f"{random_seed}:vectors"), theirs, epsilon)
    blocks = [
        _soft_min(1 - (ours[start : start + _BLOCK] @ theirs.T).astype(np.float64), potentials, epsilon)
        for start in range(0, len(ours), _BLOCK)
    ]
    found = np.concatenate(blocks)
    calibrated: Floats = (found - found.mean()) * (len(found) / (len(found) - 1))
    return calibrated


def _sample(vectors: Vectors, most: int, seed: str) -> Vectors:
    if len(vectors) <= most:
        return vectors
    return vectors[sorted(random.Random(seed).sample(range(len(vectors)), most))]


def _potentials(ours: Vectors, theirs: Vectors, epsilon: float) -> Floats:
    """Of the targets. Epsilon falls by halves, each time from the potentials before, which takes far fewer rounds."""
    cost = 1 - (ours @ theirs.T).astype(np.float64)
    potentials = np.zeros(len(theirs))
    steps = [epsilon]
    while steps[-1] < 0.5:
        steps.append(steps[-1] * 2)
    for step in reversed(steps):
        for _ in range(MAX_ROUNDS if step == epsilon else 50):
            before = potentials
            potentials = _soft_min(cost.T, _soft_min(cost, potentials, step), step)
            potentials -= potentials.mean()
            if np.abs(potentials - before).max() < _TOLERANCE * step:
                break
        else:
            if step == epsilon:
                logger.warning(
                    "transport: has not converged after %d rounds, so ranks are approximate; raise epsilon", MAX_ROUNDS
                )
    return potentials


def _soft_min(cost: Floats, potentials: Floats, epsilon: float) -> Floats:
    """-epsilon log mean exp((potential - cost) / epsilon), row by row: the other side's potentials."""
    terms = (potentials - cost) / epsilon
    highest = terms.max(axis=1)
    terms -= highest[:, None]
    np.exp(terms, out=terms)
    found: Floats = -epsilon * (highest + np.log(terms.mean(axis=1)))
    return found
