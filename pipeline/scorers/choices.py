"""A rating as a model expects it: the mean of all ratings, each weighted by its probability."""

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from pipeline.engines.base import Likelihood
from pipeline.scorers.base import NoNumber, Scoring, TemplateName
from pipeline.scorers.wording import Wording
from pipeline.task import Instance, Task

Template = Annotated[
    TemplateName,
    Field(
        description="score_complexity, score_quality, or the path of a template of yours; it ends where a rating begins"
    ),
]
Ratings = Annotated[tuple[int, ...], Field(min_length=2, description="whole numbers that the model may answer with")]


def choices(
    task: Task,
    wording: Wording,
    *,
    template: Template = "score_quality",
    ratings: Ratings = (1, 2, 3, 4, 5, 6),
) -> Scoring:
    """The mean of the ratings, weighted by how likely the model is to answer the prompt with each.

    So DEITA rates complexity and quality, with models trained for it (arXiv 2312.15685, section 2); any model can be
    asked. The probability of each rating is asked for by name, so that none is missing, and these are scaled to a sum
    of 1. Several instances are rated one by one, and the mean counts. A task without instances is rated only by a
    template that does not show the output.
    """
    instances = list(task.instances)
    if not instances and not wording.shows(template, "output"):
        instances = [Instance(output="")]
    scale = {"lowest": min(ratings), "highest": max(ratings)}
    prompts = [
        wording.render(template, instruction=task.instruction, input=one.input, output=one.output, **scale)
        for one in instances
    ]
    found = yield [wording.choice(prompt, str(rating)) for prompt in prompts for rating in ratings]
    each = [found[start : start + len(ratings)] for start in range(0, len(found), len(ratings))]
    return math.fsum(expected(ratings, one) for one in each) / len(each) if each else None


def expected(ratings: Sequence[int], likelihoods: Sequence[Likelihood]) -> float:
    """The mean rating under the probabilities of these texts, scaled to a sum of 1."""
    sums = [likelihood.sum for likelihood in likelihoods]
    highest = max(sums)
    if not math.isfinite(highest):
        raise NoNumber("no rating has a probability above 0")
    weights = [math.exp(one - highest) for one in sums]
    return math.fsum(rating * weight for rating, weight in zip(ratings, weights, strict=True)) / math.fsum(weights)
