"""The one record of the pipeline: a task, in the shape of a Self-Instruct seed."""

import codecs
import gzip
import hashlib
import reprlib
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from pipeline.errors import SproutError, explain, not_utf8

ID = "task_"
M = TypeVar("M", bound=BaseModel)
GZIP = b"\x1f\x8b"  # what a compressed file begins with


class Answer(BaseModel):
    """A candidate output of an instance, and the model that gave it."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    text: str
    model: str = ""
    scores: dict[str, float] = Field(default_factory=dict)


class Instance(BaseModel):
    """One worked example of a task. `input` is empty when the task needs none.

    Example:
        >>> Instance(input="a ripe lemon", output="yellow")
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: str = ""
    output: str
    answers: tuple[Answer, ...] = ()  # candidate outputs, of which `output` may be one


class Task(BaseModel):
    """An instruction and what each stage has learned about it.

    A generated task has the same shape as a seed task, so the output of one run can be the seed set of the next.

    Example:
        >>> task = Task(id="mine_1", instruction="Name a fruit.", instances=(Instance(output="plum"),))
        >>> task.reject("too_short").kept
        False
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")  # null could not be read back

    id: str
    instruction: str
    name: str = ""
    is_classification: bool | None = None  # None: not asked yet
    instances: tuple[Instance, ...] = ()
    parents: tuple[str, ...] = ()  # ids of what it was made from: the demos of its prompt, the task it was evolved from
    scores: dict[str, float] = Field(default_factory=dict)
    meta: dict[str, JsonValue] = Field(default_factory=dict)
    rejected: str | None = None  # why a stage dropped it; None means it is kept

    @property
    def kept(self) -> bool:
        return self.rejected is None

    def update(self, **fields: object) -> "Task":
        """The same task with other values in some fields, which are not checked."""
        return with_fields(self, **fields)

    def reject(self, reason: str) -> "Task":
        """The same task, not kept; a reason is one word, such as `too_short`."""
        return self.update(rejected=reason)

    def score(self, **scores: float) -> "Task":
        """The same task with these scores besides, or in place of, those it has."""
        return self.update(scores=self.scores | scores)


def with_fields(model: M, **fields: object) -> M:
    """The same with other values in some fields, unchecked: as `model_copy`, in a third of the time.

    For tasks, requests and sampling, of which every task takes several; they have no private attributes.
    """
    changed = object.__new__(type(model))
    set_attribute = object.__setattr__  # the model is frozen
    set_attribute(changed, "__dict__", {**model.__dict__, **fields})
    set_attribute(changed, "__pydantic_fields_set__", model.__pydantic_fields_set__ | fields.keys())
    set_attribute(changed, "__pydantic_extra__", None)
    set_attribute(changed, "__pydantic_private__", None)
    return changed


def new_id(*parts: object) -> str:
    """An id that depends only on where a task came from: the same run makes the same ids, no two runs do.

    It has 64 bits: two of a hundred million tasks share one in 0.03 % of runs. The prefix keeps spreadsheets and pandas
    from reading an id such as 12e4567890123456 as a number.
    """
    return ID + hashlib.sha256("|".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def bits(id: str) -> int | None:
    """The 64 bits of an id that `new_id` has made; None for another one."""
    try:
        number = int(id.removeprefix(ID), 16)
    except ValueError:
        return None
    return number if 0 <= number < 1 << 64 and id == spelled(number) else None


def spelled(bits: int) -> str:
    """The id of these 64 bits."""
    return f"{ID}{bits:016x}"


def read_tasks(path: Path | str) -> Iterator[Task]:
    """Read a JSONL file of tasks, one at a time; it may be compressed with gzip.

    Raises:
        SproutError: naming `path:line`, for a file that cannot be read, a line that is not a task, and an id that
            occurs twice.
    """
    return (task for _, task in numbered_tasks(path))


def numbered_tasks(path: Path | str) -> Iterator[tuple[int, Task]]:
    """Each task with the number of its line; blank lines are passed over."""
    return ((number, task) for number, _, task in placed_tasks(path))


def placed_tasks(path: Path | str, ids: set[str] | None = None) -> Iterator[tuple[int, int, Task]]:
    """Each task with the number of its line and the byte it begins at (in the text, if that is compressed).

    Args:
        ids: Gets the ids, for a caller that has a use for them.

    Raises:
        SproutError: for a file that cannot be read, a line that is no task, and an id that occurs twice.
    """
    ids = set() if ids is None else ids
    end = 0
    for number, line in enumerate(_read_lines(path), 1):
        text = line if end else line.removeprefix(codecs.BOM_UTF8)
        end += len(line)
        if not text.isspace():
            task = read_task(text, f"{path}:{number}")
            if task.id in ids:
                first = next(earlier for earlier, _, other in placed_tasks(path) if other.id == task.id)
                raise SproutError(
                    f"{path}:{number}: the id {reprlib.repr(task.id)} is already that of line {first}; "
                    f"give each task its own, or delete the one that is there twice"
                )
            ids.add(task.id)
            yield number, end - len(text), task


def read_task(line: bytes, where: str) -> Task:
    """The task in a line of JSON; `where` is its place, for the message.

    Raises:
        SproutError: for a line that is no task.
    """
    try:
        task: Task = _from_json(line)
        return task
    except ValidationError as error:
        raise SproutError(f"{where}: not a task: {_problem(line, error)}") from None


_from_json = Task.__pydantic_validator__.validate_json  # as `model_validate_json`, with fewer steps


def _read_lines(path: Path | str) -> Iterator[bytes]:
    try:
        with open(path, "rb") as plain:
            zipped = plain.peek(2)[:2] == GZIP
            file: Iterable[bytes] = gzip.GzipFile(fileobj=plain) if zipped else plain
            yield from file
    except (OSError, EOFError, ValueError, zlib.error) as error:
        problem = getattr(error, "strerror", None) or error
        raise SproutError(f"{path}: cannot be read ({problem}); give the path of a JSONL file of tasks") from None


def _problem(line: bytes, error: ValidationError) -> str:
    if b"\0" in line:
        return "it holds NUL bytes, so the file is UTF-16 or damaged; save it as UTF-8"
    try:
        line.decode()
    except UnicodeDecodeError as bad:
        return not_utf8(bad)[1]
    if line.lstrip().startswith(b"["):
        return "a JSON array; write one task on each line, without brackets and commas around them"
    problem = explain(error, Task)
    return f"{problem}; a task is one line, a JSON object" if problem.startswith("invalid JSON") else problem
