"""A weighted sum of other scores."""

import math
from typing import Annotated

from pydantic import Field

from pipeline.scorers.base import NoNumber, Number
from pipeline.task import Task

Weights = Annotated[
    dict[str, float], Field(min_length=1, description="by the name of a score, such as { length = 0.1, reward = -2.0 }")
]
Constant = Annotated[float, Field(description="is added")]


def linear(task: Task, *, weights: Weights, constant: Constant = 0.0) -> Number:
    """The sum of the task's other scores, each times its weight, and a constant.

    InstructMining predicts so the loss of a model that is tuned on a task (arXiv 2307.06290); its coefficients are in
    the recipe `instruct_mining`.
    """
    if missing := [name for name in weights if name not in task.scores]:
        raise NoNumber(f"it has no {', '.join(missing)}")
    terms = [weight * task.scores[name] for name, weight in weights.items()]
    if math.isnan(sum(terms)):
        raise NoNumber("infinite scores cancel out")
    return constant + math.fsum(terms)
