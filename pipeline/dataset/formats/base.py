"""What a format of a dataset is. One is found by the name of its module: adding a file adds a format."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.dataset.content import Content, Shape
from pipeline.dataset.files import Line, Lines, Parquet, Writer
from pipeline.errors import SproutError, explain
from pipeline.seeds.conversations import is_labelled_bad, is_masked
from pipeline.seeds.records import Wanted, read_records
from pipeline.seeds.shapes import Record
from pipeline.strict import Strict

Split = Literal["train", "validation"]
SPLITS: tuple[Split, ...] = get_args(Split)
ADVICE = "give a file or folder of rows, such as the dataset of a run"


class RowFields(BaseModel):
    """The columns of a format that say something, and the rows they stand for."""

    model_config = ConfigDict(frozen=True)

    @abstractmethod
    def rows(self) -> Sequence[Content]: ...


class NoOptions(Strict):
    """Of a format that has no settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Format(ABC):
    """A way to write the rows of a dataset, and to read them back.

    Example:
        >>> class Pairs(Format):  # in my_formats.py: export.formats = ["my_formats:Pairs"] writes pairs.jsonl
        ...     meaning = "`ask`, `answer`"
        ...
        ...     class fields(RowFields):
        ...         ask: str
        ...         answer: str
        ...
        ...         def rows(self):
        ...             return [InstructionRow(instruction=self.ask, output=self.answer)]
        ...
        ...     def columns(self, row):
        ...         return {"ask": question(row.instruction, row.input), "answer": row.output}
    """

    meaning: ClassVar[str]  # what a row is, for the card of a dataset
    shape: ClassVar[Shape] = "instruction"  # what its rows say, and so which models it suits best
    fields: ClassVar[type[RowFields]]  # how a row is read; the required ones tell the format
    of_tasks: ClassVar[bool] = False  # a line is a whole task, so `columns` takes a Task in place of a Row
    of_answers: ClassVar[bool] = False  # it writes answers, scores or what checks said, so that rows have them
    lack: ClassVar[str] = ""  # what a row lacks that becomes no line, for a warning
    Options: ClassVar[type[BaseModel]] = NoOptions  # what `export.options` may say of it
    carries: ClassVar[bool] = True  # it may have columns besides, such as the passage that a task is from
    trainers: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # by name of a trainer: how its config names these rows

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self.options: Any = self.Options.model_validate(options or {})

    @property
    def name(self) -> str:
        """The name of its module in Sprout; of a format of the user's own, that of the class, in lower case."""
        package, _, module = type(self).__module__.rpartition(".")
        if package == __name__.rpartition(".")[0]:
            return module
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()

    @abstractmethod
    def columns(self, row: Any) -> Line:
        """A row as it is written, as JSON has it."""

    def line(self, item: Any) -> Line:
        """The same with the columns besides that a row carries."""
        columns = self.columns(item)
        if self.of_tasks or not self.carries or not item.meta:
            return columns
        if taken := columns.keys() & item.meta.keys():
            raise SproutError(
                f"export.carry: {min(taken)} is a column of the format {self.name} itself, and would be lost; rename "
                f"it in `meta`, or leave it out of carry"
            )
        return {**columns, **item.meta}

    def parts(self, row: Any) -> Iterable[Any]:
        """What becomes a line each, given to `columns`: the row, unless it has several answers that do, or none."""
        return [row]

    @property
    def fields_read(self) -> set[str]:
        """The columns that are read; all others say nothing to a training."""
        return {*self.fields.model_fields}

    def recognises(self, line: Line) -> bool:
        """Whether a row that was read from anywhere is in this format."""
        needed = [name for name, field in self.fields.model_fields.items() if field.is_required()]
        return all(line.get(name) is not None for name in needed)

    def read(self, line: Line, where: str, notes: Counter[str]) -> Sequence[Content]:
        """What a row says; `notes` gets what of it was not taken.

        Raises:
            SproutError: naming `where`, for a field that is missing or of another type.
        """
        if is_masked(line):
            notes["rows that are marked not to be trained on, and are left out"] += 1
            return []
        if is_labelled_bad(line):
            notes["completions that are labelled false, which are left out"] += 1
            return []
        return self.contents({name: value for name, value in line.items() if value is not None}, where, notes)

    def contents(self, line: Line, where: str, notes: Counter[str]) -> Sequence[Content]:
        """As `read`, of a row without nulls that is to be trained on."""
        try:
            return self.fields.model_validate(line).rows()
        except ValidationError as error:
            raise SproutError(f"{where}: no row of the format {self.name}: {explain(error, self.fields)}") from None

    def file(self, split: Split, ending: str = "jsonl") -> str:
        """The rows to train on are in the file with the format's name: alpaca.jsonl, alpaca_validation.jsonl."""
        return f"{self.name}.{ending}" if split == "train" else f"{self.name}_{split}.{ending}"

    def files(self, split: Split) -> list[str]:
        """What the card shows, without the copy as Parquet."""
        return [self.file(split)]

    def loaded(self, split: Split) -> str | None:
        """The file that `load_dataset` reads; None where it cannot."""
        return self.file(split, "parquet")

    def open(self, folder: Path, split: Split, fingerprint: str) -> list[Writer]:
        """What writes a split into `folder`, whose rows have that fingerprint."""
        return [Lines(folder / self.file(split)), Parquet(folder / self.file(split, "parquet"))]

    def finish(self, folder: Path) -> None:  # noqa: B027  # most formats have nothing left to do
        """Called once all rows are written."""

    def is_in(self, folder: Path, split: Split) -> bool:
        """Whether the folder of a dataset has a split in this format."""
        return any((folder / self.file(split, ending)).is_file() for ending in ("jsonl", "parquet"))

    def records(self, folder: Path, split: Split) -> Sequence[Record]:
        """The rows of a split in the folder of a dataset, each with its place."""
        paths = (folder / self.file(split, ending) for ending in ("jsonl", "parquet"))
        path = next(path for path in paths if path.is_file())
        return read_records(path, Wanted((split,), ADVICE)).records
