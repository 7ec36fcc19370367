"""Whether a model knows the answer to a row, and how it says so."""

import random
from dataclasses import replace
from typing import Literal

from pydantic import ConfigDict, Field

from pipeline.dataset.formats.pairs import completion_of
from pipeline.dataset.rows import Row
from pipeline.strict import Strict

REFUSALS = (
    "I do not know the answer to that.",
    "I cannot answer this with any certainty.",
    "That goes beyond what I know.",
    "I would have to guess, so I would rather not answer.",
    "My knowledge is not enough to answer this.",
    "I am afraid that I do not know.",
    "I have no reliable answer to this question.",
    "Please look this up elsewhere; I do not know it.",
)


class CertaintyOptions(Strict):
    """What counts as known, and what is said about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    score: str = Field(default="check", description="of the answers, on average, or of the task")
    order: Literal["highest", "lowest"] = Field(default="highest", description="which score means that it is known")
    threshold: float = Field(default=1.0, description="known from this score on, or, with lowest, up to it")
    unknown: Literal["say", "refuse"] = Field(
        default="say", description="say: the answer, and that it is not certain; refuse: a refusal in its place"
    )
    question: str = Field(default="Do you know this for certain?", description="follows each answer, with say")
    sure: str = Field(default="Yes, I am certain.", description="what follows if it is known")
    unsure: str = Field(default="No, I am not certain.", description="what follows if it is not")
    refusals: tuple[str, ...] = Field(default=REFUSALS, min_length=1, description="one of them is drawn for each row")


ASKED = "asked"  # in `said` of a row: the question after its answer, and what is learned to say to that


def certain(row: Row, options: CertaintyOptions) -> list[Row]:
    """The row as it is learned; none without the score."""
    scores = [answer.scores[options.score] for answer in row.answers if options.score in answer.scores]
    scores = scores or ([row.scores[options.score]] if options.score in row.scores else [])
    if not scores:
        return []
    score = sum(scores) / len(scores)
    known = score >= options.threshold if options.order == "highest" else score <= options.threshold
    if options.unknown == "say":
        verdict = options.sure if known else options.unsure
        completion = f"{row.completion}\n{options.question} {verdict}"
        return [replace(row, completion=completion, said={ASKED: (options.question, verdict)})]
    if known:
        return [row]
    refusal = random.Random(f"refusal:{row.id}").choice(options.refusals)
    return [replace(row, output=refusal, completion=completion_of(row, refusal))]
