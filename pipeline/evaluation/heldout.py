"""Held-out tasks to evaluate on: a folder of Super-NaturalInstructions, or rows in any format that seeds may have."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import SproutError
from pipeline.evaluation.shapes import HeldOutRow, NaturalTask, Reference, parse
from pipeline.resources import HELDOUT
from pipeline.seeds.columns import in_our_names
from pipeline.seeds.conversations import is_masked, listed
from pipeline.seeds.markers import without_marks
from pipeline.seeds.packed import read_bytes
from pipeline.seeds.records import Wanted, as_object, read_records
from pipeline.seeds.rows import CONTEXT, layout_of, parse_row, system_in
from pipeline.seeds.shapes import CONVERSATIONS, Record
from pipeline.seeds.values import printable

Placed = tuple[str, "HeldOut"]  # where it is, for messages

logger = logging.getLogger(__name__)

_WANTED = Wanted(
    splits=("test", "validation", "dev"),
    advice="held-out tasks are a folder of Super-NaturalInstructions (splits/default/test_tasks.txt, tasks/*.json), or "
    "a file of rows such as JSONL or CSV, see docs/evaluation.md",
)
_PACKED = {".gz", ".bz2", ".xz", ".lzma", ".zst", ".lz4", ".zip"}


class HeldOut(BaseModel):
    """One instance of a task kept out of training, with every output that counts as right."""

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
        """The name of the task, with its set's name in front if there are several sets."""
        return f"{self.source}/{self.task}" if self.source else self.task


def read_sets(paths: str | Sequence[str], max_instances: int = 100) -> tuple[HeldOut, ...]:
    """Read one or several sets of held-out instances; `nano` ships with Sprout.

    With several sets, each instance has its set's name in `source` and in front of its id: the name of the folder, or
    of the file without its ending.

    Raises:
        SproutError: as `read_heldout`, and for two sets of the same name.
    """
    given = [paths] if isinstance(paths, str) else paths
    places = [HELDOUT if path == "nano" else Path(path) for path in given]
    if len(places) == 1:
        return read_heldout(places[0], max_instances)
    found: dict[str, tuple[HeldOut, ...]] = {}
    for given_as, path in zip(given, places, strict=True):
        name = "nano" if path == HELDOUT else path.name if path.is_dir() else _stem(path)
        if name in found:
            raise SproutError(f"{given_as}: another held-out set is called {name} too; rename one of them")
        found[name] = tuple(
            one.model_copy(update={"id": f"{name}/{one.id}", "source": name})
            for one in read_heldout(path, max_instances)
        )
    return tuple(instance for instances in found.values() for instance in instances)


def read_heldout(path: Path | str, max_instances: int = 100) -> tuple[HeldOut, ...]:
    """Read the held-out instances of a folder of Super-NaturalInstructions, or of rows.

    In such a folder, `splits/default/test_tasks.txt` names the tasks and `tasks/<name>.json` holds each one. To read
    another track, give the folder of its split: `splits/xlingual`.

    Rows may have any format that seeds may have; of several splits, `test` is read. A row has `instruction`, `input`
    and `output` or `outputs`, or `instances`, as a seed task has; `id`, `task`, `category` and `track` are optional. Or
    it is one of the published references: `id`, `references`, `task_id`, `task_category`, `track`; these have no
    instruction and can only score predictions made elsewhere. Or it is a task file of Super-NaturalInstructions.

    Args:
        max_instances: At most so many of each task, from the first. The published figures use 100.

    Raises:
        SproutError: naming the file and the line or task that cannot be read.
    """
    path = Path(path)
    notes: Counter[str] = Counter()
    if path.is_dir() and any((path / name).exists() for name in ("test_tasks.txt", "splits", "tasks")):
        split = path if (path / "test_tasks.txt").is_file() else path / "splits" / "default"
        found = _read_split(split.resolve(), max_instances, notes)
    else:
        found = _read_rows(path, max_instances, notes)
    heldout: dict[str, HeldOut] = {}
    places: dict[str, str] = {}
    for where, instance in found:
        if instance.id in heldout:
            raise SproutError(
                f"{where}: the id {printable(instance.id)} is already that of {places[instance.id]}; give each its own"
            )
        heldout[instance.id], places[instance.id] = instance, where
    if not heldout:
        raise SproutError(f"{path}: no held-out instances in it; give a folder of tasks or a file of rows")
    for note, count in notes.items():
        _warn(f"{path}: {note}: {count:,}")
    return tuple(heldout.values())


@cache
def _warn(message: str) -> None:
    """Warn once, though several stages of a run read the same set."""
    logger.warning(message)


def _stem(path: Path) -> str:
    """The name without its ending, and without that of its compression."""
    return path.with_suffix("").stem if path.suffix in _PACKED else path.stem


def _read_split(split: Path, max_instances: int, notes: Counter[str]) -> Iterator[Placed]:
    for name in _task_names(split / "test_tasks.txt"):
        path = split.parents[1] / "tasks" / f"{name}.json"
        records = read_records(path, _WANTED)
        where = f"{path}: task {name}"
        if len(records.records) != 1:
            raise SproutError(f"{where}: expected one JSON object (found {len(records.records)} rows)")
        record = records.records[0]
        notes.update(records.notes)
        yield from ((where, one) for one in islice(_natural(record.value, name, split.name, where), max_instances))


def _natural(value: Any, name: str, track: str, where: str) -> Iterator[HeldOut]:
    task = parse(NaturalTask, value, where)
    for number, instance in enumerate(task.instances):
        yield HeldOut(
            id=instance.id or f"{name}-{number}",
            task=name,
            category=task.category,
            track=track,
            instruction=task.definition.strip(),
            input=instance.input,
            outputs=instance.output,
        )


def _task_names(path: Path) -> list[str]:
    return read_bytes(path, _WANTED.advice).decode("utf-8", "replace").split()


def _read_rows(path: Path, max_instances: int, notes: Counter[str]) -> Iterator[Placed]:
    taken: Counter[str] = Counter()
    records = read_records(path, _WANTED)
    notes.update(records.notes)
    for record in records.records:
        if isinstance(record.value, dict) and "Instances" in record.value:
            natural = _natural(record.value, _stem(path), "default", record.where)
            yield from ((record.where, one) for one in islice(natural, max_instances))
            continue
        row = _row(record, notes)
        if row is None:
            continue
        if not row.answers():
            raise SproutError(f"{record.where}: no output; give `output`, `outputs` or `instances`")
        id = row.id or f"{_stem(path)}-{record.number}"
        task = row.task or id
        for position, (input, outputs) in enumerate(row.answers()):
            taken[task] += 1
            if taken[task] <= max_instances:
                instruction, input, outputs = _without_marks(row.instruction, input, outputs, notes)
                if not (instruction.strip() or input.strip() or "references" in record.value):
                    raise SproutError(f"{record.where}: the instruction is empty; say what is to be done")
                yield (
                    record.where,
                    HeldOut(
                        id=f"{id}-{position}" if row.instances else id,
                        task=task,
                        category=row.category,
                        track=row.track,
                        instruction=instruction,
                        input=input,
                        outputs=outputs,
                    ),
                )


def _row(record: Record, notes: Counter[str]) -> HeldOutRow | None:
    """The row, its system message put before its instruction; None if it is marked as not to be used."""
    fields = {key: value for key, value in as_object(record, "held-out task").items() if value is not None}
    where = record.where
    fields = in_our_names(fields, where, notes)
    if "instruction" not in fields and "references" in fields:
        one = parse(Reference, fields, where)
        about = {"id": one.id, "task": one.task_id, "category": one.task_category, "track": one.track}
        return HeldOutRow.model_validate(about | {"instruction": "", "outputs": one.references})
    if is_masked(fields):
        notes["rows that are marked not to be trained on, and are left out"] += 1
        return None
    if fields.get("history"):
        raise SproutError(
            f"{where}: history: a held-out task is one question; write what was said before into its instruction"
        )
    if "instruction" not in fields and {*CONVERSATIONS, "prompt", "completion"} & fields.keys():
        return _of_conversation(fields, where, notes)
    several = [key for key in ("outputs", "output", "references") if key in fields]
    for key in several[1:]:
        notes[f"rows whose field {key!r} is left out, since they have {several[0]!r}"] += 1
    for key in ("outputs", "references"):
        if key in fields:
            fields[key] = listed(fields[key])
    row = parse(HeldOutRow, fields, where)
    system = system_in({key: fields[key] for key in CONTEXT if key in fields}, where, notes)
    return row.model_copy(update={"instruction": f"{system}\n\n{row.instruction}"}) if system else row


def _of_conversation(fields: Mapping[str, Any], where: str, notes: Counter[str]) -> HeldOutRow | None:
    about = {key: fields[key] for key in ("task", "category", "track") if key in fields}
    given = {key: value for key, value in fields.items() if key not in about}
    rows = parse_row(given, layout_of(given, where), where, notes)
    if not rows:
        return None
    found = {"id": rows[0].id, "instruction": rows[0].instruction, "outputs": rows[0].output}
    return parse(HeldOutRow, about | found, where)


def _without_marks(
    instruction: str, input: str, outputs: Sequence[str], notes: Counter[str]
) -> tuple[str, str, tuple[str, ...]]:
    instruction, input, first = without_marks(instruction, input, outputs[0], notes)
    others = (without_marks(instruction, "", output, notes)[2] for output in outputs[1:])
    found = (first, *others)
    if not any(output.strip() for output in found):
        notes["references that are empty"] += 1
    return instruction, input, found
