"""How much likelier one model finds the outputs than another."""

import math
from typing import Annotated, Literal

from pydantic import Field

from pipeline.scorers.base import EngineName, Scoring, pooled
from pipeline.scorers.wording import Wording
from pipeline.task import Task

Minus = Annotated[
    EngineName, Field(min_length=1, description="the table [engines.NAME] whose likelihood is subtracted")
]
Form = Annotated[
    Literal["mean", "sum"],
    Field(description="mean: log-probability a token; sum: of a whole output, for models with different tokenizers"),
]


def margin(task: Task, wording: Wording, *, minus: Minus, form: Form = "mean") -> Scoring:
    """The log-probability of the outputs under the model of the stage, minus that under another one.

    With a tuned model and the one it was tuned from, it is highest where tuning taught most (What's New in My Data,
    arXiv 2410.14765). In nats; of several outputs, the sum counts all of them together.
    """
    ours = [wording.output(task, instance) for instance in task.instances]
    other = wording.under(minus)
    theirs = [other.output(task, instance) for instance in task.instances]
    found = yield [*ours, *theirs]
    ours_found, theirs_found = found[: len(ours)], found[len(ours) :]
    mean, other_mean = pooled(ours_found), pooled(theirs_found)
    if mean is None or other_mean is None:
        return None
    if form == "mean":
        return mean - other_mean
    return math.fsum(one.sum for one in ours_found) - math.fsum(one.sum for one in theirs_found)
