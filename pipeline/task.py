"""The one record of the pipeline: a task, in the shape of a Self-Instruct seed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from pipeline.errors import SproutError


class Instance(BaseModel):
    """One worked example of a task. `input` is empty when the task needs none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: str = ""
    output: str


class Task(BaseModel):
    """An instruction and what each stage has learned about it.

    A generated task has the same shape as a seed task, so the output of one
    run can be the seed set of the next.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    instruction: str
    name: str = ""
    is_classification: bool | None = None  # None: not asked yet
    instances: tuple[Instance, ...] = ()
    demos: tuple[str, ...] = ()  # ids of the tasks shown in the prompt that wrote this one, in the order shown
    scores: dict[str, float] = {}
    meta: dict[str, JsonValue] = {}
    rejected: str | None = None  # why a stage dropped it; None means it is kept

    @property
    def kept(self) -> bool:
        return self.rejected is None

    def update(self, **fields: object) -> "Task":
        return self.model_copy(update=fields)

    def reject(self, reason: str) -> "Task":
        return self.update(rejected=reason)

    def score(self, **scores: float) -> "Task":
        return self.update(scores=self.scores | scores)


def new_id(*parts: object) -> str:
    """An id that depends only on where a task came from: the same run makes the same ids, no two runs do."""
    return "task_" + hashlib.sha256("|".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def read_tasks(path: Path | str) -> Iterator[Task]:
    """Read a JSONL file of tasks, one at a time.

    Raises:
        SproutError: naming `path:line`, for a file that cannot be read or a line that is not a task.
    """
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                yield read_task(line, f"{path}:{number}")
    except OSError as error:
        raise SproutError(
            f"{path}: cannot be read ({error.strerror}); give the path of a JSONL file of tasks"
        ) from None


def read_task(line: bytes, where: str) -> Task:
    try:
        return Task.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        problem = first["msg"][0].lower() + first["msg"][1:]
        more = f" ({error.error_count() - 1} more in this line)" if error.error_count() > 1 else ""
        raise SproutError(f"{where}: not a task: {field + ': ' if field else ''}{problem}{more}") from None
