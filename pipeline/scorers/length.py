"""How long the outputs are."""

from pipeline.novelty.tokens import count_words
from pipeline.scorers.base import Number
from pipeline.task import Task


def length(task: Task) -> Number:
    """Words of an output, on average over the instances; in scripts without blanks, by character."""
    counts = [count_words(instance.output) for instance in task.instances]
    return sum(counts) / len(counts) if counts else None
