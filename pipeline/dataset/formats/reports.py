"""Answers with what a check said of them, for formats that show both."""

import random
from collections.abc import Iterator
from dataclasses import replace

from pydantic import ConfigDict, Field

from pipeline.dataset.formats.pairs import completion_of
from pipeline.dataset.rows import Row
from pipeline.strict import Strict

PRAISE = (
    "All tests pass.",
    "The answer does what was asked.",
    "No test has anything to object to.",
    "This works as intended.",
    "Checked, and right.",
)


class FeedbackOptions(Strict):
    """How the verdict on an answer is put before the task."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str = Field(default="check", description="the name of the stage whose verdict is shown")
    right: str = Field(default="[right]", description="the first line for an answer that passes")
    wrong: str = Field(default="[wrong]", description="the first line for one that fails")
    lead: str = Field(default="What the check says of the answer:", description="stands before the message")
    praise: tuple[str, ...] = Field(default=PRAISE, min_length=1, description="one of them is drawn for what passes")


def reported(row: Row, options: FeedbackOptions) -> Iterator[Row]:
    """A row for each answer that a check has judged, or for the output, if that was."""
    texts = [(answer.text, answer.scores.get(options.check)) for answer in row.answers]
    texts = texts or [(row.output, row.scores.get(options.check))]
    messages = row.said.get(options.check, ())
    if len(messages) != len(texts):
        return
    for number, ((text, score), message) in enumerate(zip(texts, messages, strict=True)):
        if score is None or not text.strip():
            continue
        passes = message == "passed"
        said = random.Random(f"praise:{row.id}:{number}").choice(options.praise) if passes else message
        report = f"{options.right if passes else options.wrong}\n{options.lead} {said}\n\n"
        yield replace(
            row,
            task=row.id,
            number=number,
            instruction=report + row.instruction,
            output=text,
            prompt=report + row.prompt,
            completion=completion_of(row, text),
        )
