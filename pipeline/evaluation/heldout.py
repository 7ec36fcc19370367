"""Held-out tasks to evaluate on: a folder of Super-NaturalInstructions, or a JSONL file."""

import codecs
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pipeline.errors import SproutError, not_utf8
from pipeline.resources import HELDOUT
from pipeline.task import Instance

Kind = TypeVar("Kind", bound=BaseModel)


class HeldOut(BaseModel):
    """One instance of a task that was kept out of training, and every output that counts as right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    task: str
    category: str = ""
    track: str = "default"
    instruction: str
    input: str = ""
    outputs: tuple[str, ...] = Field(min_length=1)
    source: str = ""  # the set it is from, where there are several

    @property
    def task_name(self) -> str:
        """The task, told apart from those of other sets."""
        return f"{self.source}/{self.task}" if self.source else self.task


def read_sets(paths: str | Sequence[str], max_instances: int = 100) -> tuple[HeldOut, ...]:
    """Read one set of held-out instances or several; `nano` is the one that ships.

    Of several, each instance has the name of its set as `source` and before its id: the name of the folder, or of the
    file without its ending.

    Raises:
        SproutError: as `read_heldout`, and for two sets of the same name.
    """
    given = [paths] if isinstance(paths, str) else paths
    places = [HELDOUT if path == "nano" else Path(path) for path in given]
    if len(places) == 1:
        return read_heldout(places[0], max_instances)
    found: dict[str, tuple[HeldOut, ...]] = {}
    for given_as, path in zip(given, places, strict=True):
        name = "nano" if path == HELDOUT else path.name if path.is_dir() else path.stem
        if name in found:
            raise SproutError(f"{given_as}: another held-out set is called {name} too; rename one of them")
        found[name] = tuple(
            one.model_copy(update={"id": f"{name}/{one.id}", "source": name})
            for one in read_heldout(path, max_instances)
        )
    return tuple(instance for instances in found.values() for instance in instances)


def read_heldout(path: Path | str, max_instances: int = 100) -> tuple[HeldOut, ...]:
    """Read the held-out instances of a folder or a JSONL file.

    A folder is a copy of Super-NaturalInstructions: `splits/default/test_tasks.txt` names the tasks, and
    `tasks/<name>.json` holds each. The folder of another split stands for its track: `splits/xlingual`. A line of a
    JSONL file has `instruction`, `input` and `output` or `outputs`, or `instances` in their place, as a seed task has;
    and `id`, `task`, `category` and `track` if wanted. Or it is of the published references: `id`, `references`,
    `task_id`, `task_category`, `track`; these have no instruction and are for predictions made elsewhere.

    Args:
        max_instances: Of each task, from the first. The published figures are for 100.

    Raises:
        SproutError: naming the file, and the line or the task, of what cannot be read.
    """
    path = Path(path)
    if path.is_dir():
        split = path if (path / "test_tasks.txt").is_file() else path / "splits" / "default"
        found = _read_split(split.resolve(), max_instances)
    else:
        found = _read_lines(path, max_instances)
    heldout = tuple(found)
    if not heldout:
        raise SproutError(f"{path}: no held-out instances in it; give a folder of tasks or a JSONL file")
    seen: set[str] = set()
    for instance in heldout:
        if instance.id in seen:
            raise SproutError(f"{path}: two instances have the id {instance.id}; give each its own")
        seen.add(instance.id)
    return heldout


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class _NaturalInstance(BaseModel):
    id: str = ""
    input: str = ""
    output: Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


class _NaturalTask(BaseModel):
    """A task file; of several definitions or categories the first one counts, as in Tk-Instruct."""

    definition: Annotated[str, BeforeValidator(_first)] = Field(validation_alias="Definition")
    category: Annotated[str, BeforeValidator(_first)] = Field(default="", validation_alias="Categories")
    instances: tuple[_NaturalInstance, ...] = Field(validation_alias="Instances")


class _Line(BaseModel):
    id: str = ""
    task: str = ""
    category: str = ""
    track: str = "default"
    instruction: str
    input: str = ""
    outputs: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        default=(), validation_alias=AliasChoices("outputs", "output")
    )
    instances: tuple[Instance, ...] = ()


class _Reference(BaseModel):
    """A line of the published references."""

    id: str
    references: Annotated[tuple[str, ...], Field(min_length=1)]
    task_id: str = ""
    task_category: str = ""
    track: str = "default"


def _read_split(split: Path, max_instances: int) -> Iterator[HeldOut]:
    for name in _read_text(split / "test_tasks.txt").split():
        path = split.parents[1] / "tasks" / f"{name}.json"
        where = f"{path}: task {name}"
        task = _parse(_NaturalTask, _read_json(_read_text(path), where), where)
        for number, instance in enumerate(task.instances[:max_instances]):
            yield HeldOut(
                id=instance.id or f"{name}-{number}",
                task=name,
                category=task.category,
                track=split.name,
                instruction=task.definition.strip(),
                input=instance.input,
                outputs=instance.output,
            )


def _read_lines(path: Path, max_instances: int) -> Iterator[HeldOut]:
    taken: Counter[str] = Counter()
    for number, where, value in _values(path):
        if isinstance(value, dict) and "references" in value and "instruction" not in value:
            line = _as_line(_parse(_Reference, value, where))
        else:
            line = _parse(_Line, value, where)
        answers: list[tuple[str, tuple[str, ...]]] = [
            (instance.input, (instance.output,)) for instance in line.instances
        ]
        if line.outputs:
            answers.append((line.input, line.outputs))
        if not answers:
            raise SproutError(f"{where}: no output; give `output`, `outputs` or `instances`")
        id = line.id or f"{path.stem}-{number}"
        task = line.task or id
        for position, (input, outputs) in enumerate(answers):
            taken[task] += 1
            if taken[task] <= max_instances:
                yield HeldOut(
                    id=f"{id}-{position}" if line.instances else id,
                    task=task,
                    category=line.category,
                    track=line.track,
                    instruction=line.instruction,
                    input=input,
                    outputs=outputs,
                )


def _values(path: Path) -> Iterator[tuple[int, str, object]]:
    """The lines of a JSONL file, or the items of a JSON array: number, place and value of each."""
    text = _read_text(path)
    if text.lstrip().startswith("["):
        items = _read_json(text, str(path))
        assert isinstance(items, list)
        yield from ((number, f"{path}: item {number}", item) for number, item in enumerate(items, 1))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, f"{path}:{number}", _read_json(line, f"{path}:{number}")


def _read_text(path: Path) -> str:
    try:
        return path.read_bytes().removeprefix(codecs.BOM_UTF8).decode()
    except OSError as error:
        raise SproutError(
            f"{path}: cannot be read ({error.strerror}); held-out tasks are a folder of Super-NaturalInstructions "
            "(splits/default/test_tasks.txt, tasks/*.json) or a JSONL file"
        ) from None
    except UnicodeDecodeError as error:
        number, problem = not_utf8(error)
        raise SproutError(f"{path}:{number}: {problem}") from None


def _read_json(text: str, where: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        problem = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply, or a number too long"
        raise SproutError(f"{where}: not JSON: {problem}") from None


def _parse(kind: type[Kind], value: object, where: str) -> Kind:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise SproutError(f"{where}: {field + ': ' if field else ''}{first['msg'].lower()}") from None


def _as_line(one: _Reference) -> _Line:
    return _Line(
        id=one.id, task=one.task_id, category=one.task_category, track=one.track, instruction="", outputs=one.references
    )
