"""A rating that a model gives in words: one number of a scale."""

import math
from typing import Annotated

from pydantic import Field

from pipeline.asking.choice import parse_choice
from pipeline.engines.base import Completion
from pipeline.scorers.base import NoNumber, Scoring, TemplateName
from pipeline.scorers.wording import Wording
from pipeline.task import Task
from pipeline.text import short

Template = Annotated[TemplateName, Field(description="score_rubric, or the path of a template of yours")]
Criteria = Annotated[str, Field(description="what is rated, in a sentence or a few; empty: how well the task is done")]
Ratings = Annotated[
    tuple[int, ...], Field(min_length=2, description="the whole numbers of the scale, the best one last")
]


def rubric(
    task: Task,
    wording: Wording,
    *,
    template: Template = "score_rubric",
    criteria: Criteria = "",
    ratings: Ratings = (1, 2, 3, 4, 5),
) -> Scoring:
    """The rating of the outputs by the model of the stage, as a judge, on average over the instances.

    Its answer is one of the numbers of the scale, where the engine can see to that; else it is read from what the
    model says. `engine` of the stage names another judge than the model of the run.
    """
    names = tuple(map(str, ratings))
    scale = {"criteria": criteria.strip(), "lowest": names[0], "highest": names[-1]}
    prompts = [
        wording.render(template, instruction=task.instruction, input=one.input, output=one.output, **scale)
        for one in task.instances
    ]
    said = yield [wording.ask(prompt, names) for prompt in prompts]
    each = [_read(completion, names) for completion in said]
    return math.fsum(each) / len(each) if each else None


def _read(completion: Completion, names: tuple[str, ...]) -> float:
    if (rating := parse_choice(completion.text, names)) is None:
        raise NoNumber(f"the model's answer is not a rating: {short(completion.text, 80)!r}")
    return float(rating)
