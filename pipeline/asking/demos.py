"""Choose the tasks to show in a prompt: once per run, so that all requests of a stage share one long prefix."""

import random
from collections.abc import Sequence

from pipeline.task import Task


def pick(tasks: Sequence[Task], most: int, seed: str) -> list[Task]:
    """Up to `most` of the tasks; the same seed picks the same ones."""
    return random.Random(seed).sample(list(tasks), min(most, len(tasks)))


def shuffled(tasks: Sequence[Task], seed: str) -> list[Task]:
    return pick(tasks, len(tasks), seed)
