"""What a line of review.jsonl holds: who did what to which task."""

import hashlib
import json
import secrets
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from pipeline.task import Instance, Task
from pipeline.text import mended

Deed = Literal["judge", "drop", "keep", "edit", "tag", "note", "skip", "rate", "undo"]


class Verdict(BaseModel):
    """The questions of table 2 of the Self-Instruct paper; None: not answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instruction: bool | None = None  # is it a valid task?
    input: bool | None = None  # does it fit the instruction?
    output: bool | None = None  # is it right?

    @property
    def complete(self) -> bool:
        return None not in (self.instruction, self.input, self.output)

    @property
    def good(self) -> bool:
        return bool(self.instruction and self.input and self.output)


class Texts(BaseModel):
    """What of a task a reviewer can change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instruction: str
    instances: tuple[Instance, ...] = ()

    @classmethod
    def of(cls, task: Task) -> Self:
        pairs = (Instance(input=one.input, output=one.output) for one in task.instances)
        return cls(instruction=task.instruction, instances=tuple(pairs))

    def put_into(self, task: Task) -> Task:
        """The task with these texts; an instance whose question is the same keeps its candidate answers."""
        same = self.instruction == task.instruction
        answers = [
            old.answers if same and old.input == one.input else ()
            for one, old in zip(self.instances, task.instances, strict=False)
        ]
        answers += [()] * (len(self.instances) - len(answers))
        pairs = zip(self.instances, answers, strict=True)
        instances = tuple(one.model_copy(update={"answers": had}) for one, had in pairs)
        return task.update(instruction=self.instruction, instances=instances)

    @property
    def fields(self) -> dict[str, Any]:
        """As JSON for a page."""
        pairs = [{"input": one.input, "output": one.output} for one in self.instances]
        return {"instruction": self.instruction, "instances": pairs}

    @property
    def text(self) -> str:
        pairs = [text for one in self.instances for text in (one.input, one.output) if text]
        return "\n".join([self.instruction, *pairs])

    @property
    def digest(self) -> str:
        """Tells whether a verdict is of these very texts."""
        return digest(self.instruction, *(text for one in self.instances for text in (one.input, one.output)))


class Said(BaseModel):
    """One line of review.jsonl: who did what to which task, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(default_factory=lambda: secrets.token_hex(6))
    time: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    reviewer: str
    task: str = ""  # its id; of a rating, that of the held-out instance
    did: Deed
    seen: str = ""  # a digest of what it is about, so that it does not count for another text under the same id
    sampled: bool = False  # the task was drawn at random, so it stands for the others
    verdict: Verdict | None = None
    reason: str = ""  # to drop
    before: Texts | None = None  # what an edit has changed
    after: Texts | None = None
    tags: tuple[str, ...] = ()  # all tags the task has from now on
    note: str = ""  # also what a repair was asked for
    model: str = ""  # whose answer is rated, or which model has made a repair
    rating: str = ""
    group: str = ""  # what was done at once has the same, and is undone at once
    undoes: str = ""  # the id of a line, or a group


def digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def as_line(one: Said) -> str:
    """As it is written: who and when first, then only what says something."""
    fields = {"time": one.time, "id": one.id} | one.model_dump(mode="json", exclude_defaults=True)
    return json.dumps(mended(fields), ensure_ascii=False) + "\n"
