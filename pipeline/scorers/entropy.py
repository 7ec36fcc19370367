"""How much the answers to a task differ from one another."""

import math
from collections import Counter

from pipeline.scorers.base import NoNumber, Number
from pipeline.task import Task
from pipeline.text import folded


def entropy(task: Task) -> Number:
    """The entropy of the answers of an instance, on average over the instances that have some.

    In nats: 0 if all answers are the same, apart from case and white space, and log k if k answers all differ. Where a
    model answers differently each time it is unsure (R-Tuning, arXiv 2311.09677, section 5, with five answers).
    """
    each = [Counter(folded(answer.text) for answer in one.answers) for one in task.instances if one.answers]
    if not each:
        raise NoNumber("it has no answers")
    return math.fsum(map(_entropy, each)) / len(each)


def _entropy(counts: Counter[str]) -> float:
    shares = [count / counts.total() for count in counts.values()]
    return math.fsum(share * math.log(1 / share) for share in shares)
