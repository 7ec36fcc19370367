"""Tasks drawn from a dataset, whatever its format and size: some of its rows, the same ones every time."""

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.errors import SproutError
from pipeline.seeds.columns import in_our_names
from pipeline.seeds.records import Wanted, as_object
from pipeline.seeds.rows import Row, layout_of, parse_row
from pipeline.seeds.shapes import Record, named_in
from pipeline.seeds.stream import each_record
from pipeline.task import Instance, Task, new_id
from pipeline.text import hash_of

ADVICE = "give a file, a folder or a data set with rows in one of the formats of seed_tasks/README.md"
MAX_NAMED = 3  # rows that are named in a remark


class Draw:
    """Reads a dataset once to count its tasks, and again for those that are taken. Memory holds 16 bytes a row.

    Which ones are taken depends on the seed and on what they say, so it stays when others are added or moved. Rows that
    say the same are one task.

    Args:
        place: A file, a folder or a data set.
        fields: What the columns are called that have an instruction, input and output; empty: as in a known format.

    Attributes:
        notes: What is left out, and how often.
    """

    def __init__(self, place: str, fields: Mapping[str, str], random_seed: int) -> None:
        self.place, self.fields, self.random_seed = place, fields, random_seed
        self.notes: Counter[str] = Counter()
        self._unfit: list[str] = []  # what is wrong with the first rows that are no task
        self._of_row = array("Q", self._read())
        found = np.frombuffer(self._of_row, dtype="u8") if self._of_row else np.array([], dtype="u8")
        self._numbers = np.unique(found[found > 0])  # in order: the first so many are taken
        if not len(self._numbers):
            why = f" ({self._unfit[0]})" if self._unfit else ""
            raise SproutError(f"{place}: there is no task in it{why}; {ADVICE}")
        if same := int(np.count_nonzero(found)) - len(self._numbers):
            self.notes["rows that say what an earlier one does, and are taken once"] = same

    def __len__(self) -> int:
        """How many different tasks there are."""
        return len(self._numbers)

    def remarks(self) -> Iterator[str]:
        """A clause for each kind of row that is left out, or was changed."""
        for note, count in self.notes.items():
            examples = f" ({'; '.join(self._unfit)})" if note == _UNFIT else ""
            yield f"{note}: {count:,}{examples}"

    def digest(self, num: int) -> str:
        """Of what `take` gives."""
        return hashlib.sha256(self._numbers[:num].astype("<u8").tobytes()).hexdigest()[:16]

    def take(self, num: int) -> Iterator[Task]:
        """So many tasks in the order of their rows, each with the number of its row in `meta`."""
        most = int(self._numbers[num - 1]) if num else 0
        seen: set[int] = set()
        for number, record in zip(self._of_row, self._records(Counter()), strict=False):
            if 0 < number <= most and number not in seen:
                seen.add(number)
                yield from tasks_of(record, self.fields, Counter())

    def _read(self) -> Iterator[int]:
        """Of each row the number that says whether it is drawn; 0 if it is no task."""
        for record in self._records(self.notes):
            try:
                tasks = [*tasks_of(record, self.fields, self.notes)]
            except SproutError as error:
                self.notes[_UNFIT] += 1
                self._unfit += [str(error)] if len(self._unfit) < MAX_NAMED else []
                tasks = []
            texts = (text for task in tasks for one in task.instances for text in (one.input, one.output))
            yield hash_of(str(self.random_seed), tasks[0].instruction, *texts) or 1 if tasks else 0

    def _records(self, notes: Counter[str]) -> Iterator[Record]:
        return each_record(self.place, Wanted(("train",), ADVICE), notes)


def tasks_of(record: Record, fields: Mapping[str, str], notes: Counter[str]) -> Iterator[Task]:
    """The task of a row, with its instances; none for one that is marked not to be taken.

    Raises:
        SproutError: for a row that is no task.
    """
    row = as_object(record, "task")
    row = _renamed(row, fields, record.where) if fields else in_our_names(row, record.where, notes)
    if found := parse_row(row, layout_of(row, record.where), record.where, notes):
        yield _task(found, record.number)


def _renamed(row: Mapping[str, Any], fields: Mapping[str, str], where: str) -> dict[str, Any]:
    for theirs in fields.values():
        if named_in(row, theirs) not in row:
            raise SproutError(f"{where}: there is no field {theirs}; there are {', '.join(map(str, row)) or 'none'}")
    return {ours: row[named_in(row, theirs)] for ours, theirs in fields.items()}


def _task(rows: list[Row], number: int) -> Task:
    first = rows[0]
    instances = tuple(Instance(input=row.input, output=row.output) for row in rows)
    texts = (text for one in instances for text in (one.input, one.output))
    return Task(
        id=new_id("mix", first.instruction, *texts),
        instruction=first.instruction,
        name=first.name,
        is_classification=first.is_classification,
        instances=instances,
        meta={"row": number},
    )


_UNFIT = "rows that are no task, left out"
