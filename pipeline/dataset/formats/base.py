"""What a format of a dataset is. One is found by the name of its module: adding a file adds a format."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.dataset.content import Content, Shape
from pipeline.dataset.files import Lines, Parquet, Record, Writer, file_records
from pipeline.errors import SproutError, explain

Split = Literal["train", "validation"]
SPLITS: tuple[Split, ...] = get_args(Split)


class Fields(BaseModel):
    """The columns of a format that say something, and the rows they stand for."""

    model_config = ConfigDict(frozen=True)

    @abstractmethod
    def rows(self) -> Sequence[Content]: ...


class Format(ABC):
    """A way to write the rows of a dataset, and to read them back.

    Example:
        >>> class Pairs(Format):  # in my_formats.py: export.formats = ["my_formats:Pairs"] writes pairs.jsonl
        ...     meaning = "`ask`, `answer`"
        ...
        ...     class fields(Fields):
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
    fields: ClassVar[type[Fields]]  # how a row is read; the required ones tell the format
    of_tasks: ClassVar[bool] = False  # a line is a whole task, so `columns` takes a Task in place of a Row
    trainers: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # by name of a trainer: how its config names these rows

    @property
    def name(self) -> str:
        """The name of its module in Sprout; of a format of the user's own, that of the class, in lower case."""
        package, _, module = type(self).__module__.rpartition(".")
        if package == __name__.rpartition(".")[0]:
            return module
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()

    @abstractmethod
    def columns(self, row: Any) -> dict[str, Any]:
        """A row as it is written, as JSON has it."""

    def recognises(self, record: Record) -> bool:
        """Whether a row that was read from anywhere is in this format."""
        needed = [name for name, field in self.fields.model_fields.items() if field.is_required()]
        return all(record.get(name) is not None for name in needed)

    def read(self, record: Record, where: str) -> Sequence[Content]:
        """What a row says.

        Raises:
            SproutError: naming `where`, for a field that is missing or of another type.
        """
        given = {name: value for name, value in record.items() if value is not None}
        try:
            return self.fields.model_validate(given).rows()
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

    def records(self, folder: Path, split: Split) -> Iterator[tuple[str, Record]] | None:
        """The rows of a split in a dataset's folder, each with its place; None if it holds none in this format."""
        paths = (folder / self.file(split, ending) for ending in ("jsonl", "parquet"))
        path = next((path for path in paths if path.is_file()), None)
        return file_records(path) if path else None
