"""How sure a model is of the outputs: whether its other answers agree, and what it says when it is asked."""

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from pipeline.asking.choice import parse_choice
from pipeline.asking.verdicts import parse_yes_no
from pipeline.engines.base import Completion
from pipeline.scorers.base import Ask, NoNumber, Scoring, TemplateName
from pipeline.scorers.wording import Wording
from pipeline.task import Instance, Task
from pipeline.text import folded, short

OBSERVED, NOT_CONTRADICTED = 0.7, 0.8  # beta and alpha of BSDetector (arXiv 2308.16175, sections 3.1 and 3.3)
POINTS = {"A": 1.0, "B": 0.0, "C": 0.5}
YES_NO = ("Yes", "No")

Share = Annotated[float, Field(ge=0, le=1)]
Beta = Annotated[Share, Field(description="how much the agreement of answers counts; what the model says, the rest")]
Alpha = Annotated[
    Share, Field(description="of an answer, how much it counts that none contradicts; equal words, the rest")
]
Templates = Annotated[
    tuple[TemplateName, TemplateName, TemplateName],
    Field(description="ask whether two answers contradict, and twice about the output: A right, B wrong, C unsure"),
]


def confidence(
    task: Task,
    wording: Wording,
    *,
    beta: Beta = OBSERVED,
    alpha: Alpha = NOT_CONTRADICTED,
    templates: Templates = ("score_contradiction", "score_correct", "score_sure"),
) -> Scoring:
    """BSDetector's confidence in an output (arXiv 2308.16175), by which CLEAR filters (arXiv 2403.12776).

    `beta` times how far the answers that stage `answer` sampled agree with the output, and the rest what the model
    says of it: the mean of two questions. An answer agrees by `alpha` if it does not contradict the output, asked in
    both orders, and by the rest if it is the same, case and white space aside. The paper asks a small model for natural
    language inference about contradictions; here the model of the stage is asked. The mean over the instances that
    have answers counts.
    """
    instances = [instance for instance in task.instances if instance.answers]
    if not instances:
        raise NoNumber("it has no answers to compare the output with")
    asked = [_asked(task, instance, wording, templates) for instance in instances]
    found = yield [ask for one in asked for ask in one]
    each, rest = [], iter(found)
    for instance, one in zip(instances, asked, strict=True):
        completions = [next(rest) for _ in one]
        reflected = [_points(completion) for completion in completions[-2:]]
        each.append(combined(_observed(instance, completions[:-2], alpha), reflected, beta))
    return math.fsum(each) / len(each)


def combined(observed: float, reflected: Sequence[float], beta: float = OBSERVED) -> float:
    """The confidence, from how far answers agree and what the model says when it is asked."""
    return beta * observed + (1 - beta) * math.fsum(reflected) / len(reflected)


def agreement(contradicted: float, same: bool, alpha: float = NOT_CONTRADICTED) -> float:
    """How far one answer agrees: `contradicted` is the mean of both orders, 1 if both say so."""
    return alpha * (1 - contradicted) + (1 - alpha) * same


def _others(instance: Instance) -> list[str]:
    """The answers that are worded otherwise than the output; those that are not, contradict nothing."""
    return [one.text for one in instance.answers if folded(one.text) != folded(instance.output)]


def _asked(task: Task, instance: Instance, wording: Wording, templates: tuple[str, ...]) -> list[Ask]:
    """Both orders of each other answer, then the two questions."""
    contradiction, *questions = templates
    shown = {"instruction": task.instruction, "input": instance.input}
    pairs = [pair for text in _others(instance) for pair in ((instance.output, text), (text, instance.output))]
    prompts = [wording.render(contradiction, **shown, first=first, second=second) for first, second in pairs]
    about = [wording.render(template, **shown, output=instance.output) for template in questions]
    return [
        *(wording.ask(prompt, YES_NO) for prompt in prompts),
        *(wording.ask(prompt, tuple(POINTS)) for prompt in about),
    ]


def _observed(instance: Instance, completions: Sequence[Completion], alpha: float) -> float:
    said = [float(_yes(completion)) for completion in completions]
    contradicted = iter([(said[n] + said[n + 1]) / 2 for n in range(0, len(said), 2)])
    each = [
        agreement(0.0, True, alpha)
        if folded(answer.text) == folded(instance.output)
        else agreement(next(contradicted), False, alpha)
        for answer in instance.answers
    ]
    return math.fsum(each) / len(each)


def _yes(completion: Completion) -> bool:
    if (yes := parse_yes_no(completion.text)) is None:
        raise NoNumber(f"the model's answer is neither yes nor no: {short(completion.text, 80)!r}")
    return yes


def _points(completion: Completion) -> float:
    if (letter := parse_choice(completion.text, tuple(POINTS))) is None:
        raise NoNumber(f"the model's answer is none of A, B and C: {short(completion.text, 80)!r}")
    return POINTS[letter]
