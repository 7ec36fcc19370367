"""Reads the rows of a dataset to train on: a folder that Sprout wrote, or any file or folder in a known format."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.dataset.content import ChatRow, Content, InstructionRow, Shape, TextRow
from pipeline.dataset.files import Record, file_records
from pipeline.dataset.formats.base import Format, Split
from pipeline.dataset.formats.find import find_format, shipped_formats
from pipeline.dataset.loading import loaded_records
from pipeline.engines.model_folder import is_hub_name
from pipeline.errors import SproutError
from pipeline.runs.products import read_record

logger = logging.getLogger(__name__)

# Which rows suit a model best: as they are first, those that must be guessed at last.
BEST: dict[bool, tuple[Shape, ...]] = {
    True: ("messages", "instruction", "text"),
    False: ("text", "instruction", "messages"),
}


@dataclass(frozen=True)
class DatasetRows:
    """The rows of a dataset in its order: all for a base model, or all for a chat model."""

    train: Sequence[TextRow] | Sequence[ChatRow]
    validation: Sequence[TextRow] | Sequence[ChatRow]


def read_dataset(place: Path | str, chat: bool) -> DatasetRows:
    """Read the training and the validation split of a dataset.

    Of a folder that Sprout wrote, the format that suits the model best is read; elsewhere the fields of the first row
    tell the format. Rows without an answer are left out and counted. What has to be changed for the model is logged.

    Args:
        place: A JSON, JSONL or Parquet file, a folder, or a dataset on the hub, as `owner/name`.
        chat: Whether the rows are for a chat model, so messages; else they are prompts and completions.

    Raises:
        SproutError: for a dataset that is not there or cannot be read, and with `path:line` for a row that is not as
            its format wants it.
    """
    source = _source(place, chat)
    reading = _Reading(source, place, chat)
    rows = DatasetRows(reading.split("train"), reading.split("validation"))
    reading.say()
    return rows


@dataclass(frozen=True)
class _Source:
    """Where rows come from: the records of a split, and the format if it is known without looking at them."""

    records: Callable[[Split], Iterator[tuple[str, Record]] | None]
    format: Format | None = None


def _source(place: Path | str, chat: bool) -> _Source:
    path = Path(place)
    if (path / "dataset" / "dataset.json").is_file():  # the folder of a run
        path = path / "dataset"
    if path.is_file():
        return _Source(lambda split: file_records(path) if split == "train" else None)
    if path.is_dir() and (ours := _formats_in(path)):
        best = min(ours, key=lambda one: BEST[chat].index(one.shape))  # of several the one that was listed first
        return _Source(lambda split: best.records(path, split), best)
    if path.is_dir() or is_hub_name(str(place).partition(":")[0]):
        return _Source(lambda split: loaded_records(str(place), split))
    raise SproutError(
        f"{place}: there is no such dataset; run `sprout export` to write a run's, or name a file or folder of rows"
    )


def _formats_in(folder: Path) -> list[Format]:
    """The formats whose files lie in a folder, in the order they were asked for."""
    listed = read_record(folder / "dataset.json").get("settings", {}).get("formats", [])
    names = dict.fromkeys([*listed, *shipped_formats()])
    formats = [find_format(name) for name in names]
    return [one for one in formats if (folder / one.file("train")).is_file() or one.records(folder, "train")]


class _Reading:
    """Turns records into rows for a model, and counts what there is to say of them."""

    def __init__(self, source: _Source, place: Path | str, chat: bool) -> None:
        self.source, self.place, self.chat = source, place, chat
        self.format = source.format
        self.changed: Counter[str] = Counter()
        self.unanswered = 0
        self.unused: Counter[str] = Counter()

    def split(self, split: Split) -> list[TextRow] | list[ChatRow]:
        records = self.source.records(split)
        if records is None and split == "train":
            raise SproutError(f"{self.place}: has no split train to tune on; name its rows so, or give a file of them")
        contents = [content for where, record in records or () for content in self._contents(where, record)]
        return [one.as_chat() for one in contents] if self.chat else [one.as_text() for one in contents]

    def _contents(self, where: str, record: Record) -> Iterator[Content]:
        self.format = self.format or recognise(record, where)
        self.unused.update(record.keys() - _KNOWN)
        for content in self.format.read(record, where):
            if not content.answered:
                self.unanswered += 1
            else:
                self.changed[_change(content, self.chat)] += 1
                yield content

    def say(self) -> None:
        name = self.format.name if self.format else ""
        for change, number in self.changed.items():
            if change:
                logger.info("%s: %d rows of the format %s are %s", self.place, number, name, change)
        if self.unanswered:
            logger.warning("%s: %d rows have no answer and are left out", self.place, self.unanswered)
        if self.unused:
            logger.warning("%s: fields that are not trained on: %s", self.place, ", ".join(sorted(self.unused)[:12]))


def recognise(record: Record, where: str) -> Format:
    """The format of a row, by its fields.

    Raises:
        SproutError: if it is in none that Sprout knows.
    """
    for one in shipped_formats().values():
        if one.recognises(record):
            return one
    fields = ", ".join(map(repr, list(record)[:12])) or "none"
    raise SproutError(
        f"{where}: a row in no known format (its fields: {fields}); there are {', '.join(shipped_formats())}"
    )


def _change(content: Content, chat: bool) -> str:
    """What has to be done with a row so that the model can be tuned on it; empty if nothing."""
    if chat:
        return "put as the messages of a user and an assistant" if isinstance(content, TextRow) else ""
    if isinstance(content, InstructionRow):
        return "put in the plain encoding for a base model"
    if isinstance(content, ChatRow):
        several = sum(message["role"] == "assistant" for message in content.messages) > 1
        plain = "put in the plain encoding for a base model"
        return f"{plain}, with all that is said before the last answer as the prompt" if several else plain
    return ""


_KNOWN = {"id", "name", "is_classification", "messages", "demos", "scores", "meta"}.union(
    *(kind.fields.model_fields for kind in shipped_formats().values())
)
