"""Instruction-following difficulty: how little the task helps a model to predict its outputs."""

import math
from typing import Annotated, Literal

from pydantic import Field

from pipeline.scorers.base import Scoring, pooled
from pipeline.scorers.wording import Wording
from pipeline.task import Task

Form = Annotated[
    Literal["loss", "perplexity"],
    Field(description="loss: ratio of mean losses (Cherry LLM); perplexity: ratio of perplexities (Superfiltering)"),
]


def ifd(task: Task, wording: Wording, *, form: Form = "loss") -> Scoring:
    """What the outputs cost the model after the task, divided by what they cost alone.

    Above 1 the task does not help at all, so both papers drop such rows; below, a higher one is worth more.

    `loss` is the ratio of mean losses, and the output alone still follows the header of an answer (Cherry LLM, arXiv
    2308.12032); the plain encoding of base models has no header. `perplexity` is the ratio of perplexities, and the
    output alone is bare text, whose first token nothing comes before and which therefore may not count
    (Superfiltering, arXiv 2402.00530).
    """
    outputs = [wording.output(task, instance) for instance in task.instances]
    alone = [wording.alone(instance, header=form == "loss") for instance in task.instances]
    found = yield [*outputs, *alone]
    after, before = pooled(found[: len(outputs)]), pooled(found[len(outputs) :])
    if after is None or before is None:
        return None
    if form == "perplexity":
        return _exp(before - after)
    return after / before if before else None


def _exp(number: float) -> float:
    """Infinite where it is too large: servers write -9999 for a token that cannot be."""
    try:
        return math.exp(number)
    except OverflowError:
        return math.inf
