"""What the requests of `compose` are about: rows of a table or of metadata, and lists of values, drawn one by one."""

import math
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from pipeline.errors import SproutError
from pipeline.seeds.packed import read_bytes
from pipeline.seeds.records import Wanted, plain_text, read_records
from pipeline.seeds.shapes import Record
from pipeline.task import Task
from pipeline.text import mend

_WANTED = Wanted(splits=("train",), advice="give a file of rows, such as CSV or JSONL, or of a text on each line")


class Drawn(NamedTuple):
    """The values of one request, by the name that its template has for them."""

    values: dict[str, JsonValue]
    parents: tuple[str, ...] = ()  # ids of the tasks whose metadata they are


class Axis(NamedTuple):
    """A list of which a request takes one choice."""

    choices: Sequence[Drawn]


class Draws:
    """All combinations of one choice from each axis, in a random order, over and over.

    Each combination comes once before any comes again. Nothing is drawn beforehand, so a million personas cost no time.
    Of a list of skills (`several`), a request takes one to three besides.
    """

    def __init__(self, axes: Sequence[Axis], several: Mapping[str, Sequence[Drawn]], seed: str) -> None:
        self.axes, self.several, self.seed = axes, several, seed
        self.size = math.prod(len(axis.choices) for axis in axes)

    def at(self, number: int) -> Drawn:
        """What request `number` is about."""
        turn, place = divmod(number, self.size)
        rest = self._shuffled(turn, place)
        values: dict[str, JsonValue] = {}
        parents: dict[str, None] = {}
        for axis in self.axes:
            rest, chosen = divmod(rest, len(axis.choices))
            values |= axis.choices[chosen].values
            parents |= dict.fromkeys(axis.choices[chosen].parents)
        rng = random.Random(f"{self.seed}:{number}")
        for name, choices in self.several.items():
            some = rng.sample(choices, min(len(choices), rng.randint(1, MOST)))
            values[name] = [choice.values[name] for choice in some]
            parents |= dict.fromkeys(id for choice in some for id in choice.parents)
        return Drawn(values, tuple(parents))

    def _shuffled(self, turn: int, place: int) -> int:
        """The place in another order: a step that shares no divisor with the size comes to each place once."""
        rng = random.Random(f"{self.seed}:turn {turn}")
        start, step = rng.randrange(self.size), self.size
        while math.gcd(step, self.size) > 1:
            step = rng.randrange(1, self.size + 1)
        return (start + step * place) % self.size


def axes_of_values(values: Mapping[str, Sequence[str]]) -> list[Axis]:
    """An axis for each list of values in the settings."""
    return [Axis([Drawn({name: choice}) for choice in choices]) for name, choices in values.items()]


def axis_of_table(path: str, needed: Callable[[str], bool]) -> Axis:
    """The rows of a file; one that holds texts alone has them under the name of the file.

    Args:
        needed: Whether each row must have a value under a name, since the template shows it.

    Raises:
        SproutError: for a file that cannot be read or holds no rows, for a row that is no object and no text or lacks
            a value, and for a column whose name means something else.
    """
    name = Path(path).name.partition(".")[0] if ".txt" in Path(path).suffixes else Path(path).stem
    rows = [
        (record.where, record.value if isinstance(record.value, dict) else {name: record.value})
        for record in _rows(path)
    ]
    if not rows:
        raise SproutError(f"{path}: holds no rows, so there is nothing to compose tasks from")
    names = dict.fromkeys(name for _, row in rows for name in row)
    if taken := [name for name in names if name in TAKEN]:
        raise SproutError(f"{path}: {taken[0]} is the name of something else in each task; give the column another")
    for where, row in rows:
        if lacking := [name for name in names if needed(name) and row.get(name) in (None, "")]:
            raise SproutError(f"{where}: {lacking[0]} is empty, and the template shows it; leave the row out")
    return Axis([Drawn(row) for _, row in rows])


def _rows(path: str) -> Iterator[Record]:
    if ".txt" in Path(path).suffixes:
        text = mend(plain_text(read_bytes(path, _WANTED.advice), path))
        lines = enumerate(map(str.strip, _LINE_END.split(text)), 1)
        yield from (Record(f"{path}:{number}", number, line) for number, line in lines if line)
        return
    for record in read_records(path, _WANTED).records:
        if not isinstance(record.value, (dict, str)):
            raise SproutError(f"{record.where}: a row is an object or a text; write one on each line")
        yield record


def of_metadata(
    tasks: Iterable[Task], names: Sequence[str], mix: bool
) -> tuple[list[Axis], dict[str, Sequence[Drawn]]]:
    """Axes of what tasks have in `meta`, and lists of which a request takes several.

    Without `mix`, the values of a task stay together, and each entry of a list makes a choice of its own. With it, each
    name is an axis of its own, and what is a list is put together from all tasks.
    """
    rows = [(task.id, {name: task.meta[name] for name in names}) for task in tasks if task.meta.keys() >= {*names}]
    if not mix:
        choices = [Drawn(one, (id,)) for id, row in rows for one in _spread(row)]
        return [Axis(choices)] if choices else [], {}
    columns: dict[str, dict[str, Drawn]] = {name: {} for name in names}
    lists = {name for _, row in rows for name, value in row.items() if isinstance(value, list)}
    for id, row in rows:
        for name, value in row.items():
            for one in value if isinstance(value, list) else [value]:
                columns[name].setdefault(str(one), Drawn({name: one}, (id,)))
    if not all(columns.values()):  # a list that is empty in all of them
        return [], {}
    axes = [Axis([*column.values()]) for name, column in columns.items() if name not in lists]
    return axes, {name: [*column.values()] for name, column in columns.items() if name in lists}


def _spread(row: Mapping[str, JsonValue]) -> list[dict[str, JsonValue]]:
    """The row, once for each entry of the lists in it."""
    rows: list[dict[str, JsonValue]] = [{}]
    for name, value in row.items():
        entries = value if isinstance(value, list) else [value]
        rows = [one | {name: entry} for one in rows for entry in entries]
    return rows


TAKEN = ("count", "domain", "by", "request", "item")  # what a template is given besides, and what a task has in `meta`
_LINE_END = re.compile(r"\r\n?|\n")
MOST = 3  # of a list; CodecLM (arXiv 2404.05875) has up to 3 skills
