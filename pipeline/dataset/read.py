"""Reads the rows of a dataset to train on: a folder that Sprout wrote, or any file or folder in a known format."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.dataset.content import ChatRow, Content, InstructionRow, PreferenceRow, Shape, TextRow
from pipeline.dataset.files import Line
from pipeline.dataset.formats.base import ADVICE, Format, Split
from pipeline.dataset.formats.find import find_format, shipped_formats
from pipeline.errors import SproutError
from pipeline.runs.products import read_record
from pipeline.seeds.columns import OUTPUTS, in_our_names
from pipeline.seeds.datasets import on_hub, place_of, split_names
from pipeline.seeds.records import Wanted, as_object, read_records
from pipeline.seeds.shapes import CONVERSATIONS, SYSTEM, Record
from pipeline.task import Task

logger = logging.getLogger(__name__)

# Which rows suit a model best: as they are first, those that must be guessed at last.
BEST: dict[bool, tuple[Shape, ...]] = {
    True: ("messages", "instruction", "text"),
    False: ("text", "instruction", "messages"),
}
PAIRED: dict[bool, tuple[Shape, ...]] = {
    True: ("chat_preference", "preference"),
    False: ("preference", "chat_preference"),
}
Rows = Sequence[TextRow] | Sequence[ChatRow] | Sequence[PreferenceRow]


@dataclass(frozen=True)
class DatasetRows:
    """The rows of a dataset in its order: all for a base model, or all for a chat model."""

    train: Rows
    validation: Rows


def read_dataset(place: Path | str, chat: bool, preference: bool = False) -> DatasetRows:
    """Read the training and the validation split of a dataset.

    Of a folder that Sprout wrote, the format that suits the model best is read; elsewhere the fields of the first row
    tell the format. Rows without an answer are left out and counted. What has to be changed for the model is logged.

    Args:
        place: A file or a folder of rows, or a dataset on the hub, as `owner/name`; `place:configuration@split` chooses
            a part of it.
        chat: Whether the rows are for a chat model, so messages; else they are prompts and completions.
        preference: Whether each row should have a better and a worse answer, or one.

    Raises:
        SproutError: for a dataset that is not there or cannot be read, and with `path:line` for a row that is not as
            its format wants it.
    """
    reading = _Reading(_source(place, chat, preference), place, chat, preference)
    rows = DatasetRows(reading.split("train"), reading.split("validation"))
    reading.say()
    return rows


@dataclass(frozen=True)
class _Source:
    """Where rows come from: the records of a split, the format if it is known without looking at them, and remarks."""

    records: Callable[[Split], Sequence[Record]]
    format: Format | None = None
    notes: Counter[str] = field(default_factory=Counter)


def _source(place: Path | str, chat: bool, preference: bool) -> _Source:
    path = Path(place)
    if (path / "dataset" / "dataset.json").is_file():  # the folder of a run
        path = path / "dataset"
    if path.is_dir() and (ours := _formats_in(path)):
        order = PAIRED[chat] if preference else BEST[chat]
        usable = [one for one in ours if one.shape in order]
        if not usable:
            raise SproutError(f"{path}: {_wanted(preference, chat)}")
        best = min(usable, key=lambda one: order.index(one.shape))  # of several the one that was listed first
        return _Source(lambda split: best.records(path, split) if best.is_in(path, split) else (), best)
    part = place_of(str(place))
    if not Path(part.path).exists() and not on_hub(part.path):
        raise SproutError(
            f"{place}: there is no such dataset; run `sprout export` to write a run's, or name a file or folder of rows"
        )

    notes: Counter[str] = Counter()

    def records(split: Split) -> Sequence[Record]:
        if split != "train" and (part.split or split not in split_names(part)):
            return ()
        found = read_records(place if split == "train" else f"{place}@{split}", Wanted((split,), ADVICE))
        notes.update(found.notes)
        return found.records

    return _Source(records, notes=notes)


def _formats_in(folder: Path) -> list[Format]:
    """The formats whose files lie in a folder, in the order they were asked for."""
    listed = read_record(folder / "dataset.json").get("settings", {}).get("formats", [])
    found = []
    for name in dict.fromkeys([*listed, *shipped_formats()]):
        try:
            found.append(find_format(name))
        except SproutError as error:  # one of the user's own, whose module is elsewhere
            logger.warning("%s: the format %s is passed over: %s", folder, name, error)
    return [one for one in found if one.is_in(folder, "train")]


class _Reading:
    """Turns records into rows for a model, and counts what there is to say of them."""

    def __init__(self, source: _Source, place: Path | str, chat: bool, preference: bool) -> None:
        self.source, self.place, self.chat, self.preference = source, place, chat, preference
        self.format = source.format
        self.changed: Counter[str] = Counter()
        self.notes = source.notes
        self.unused: set[str] = set()

    def split(self, split: Split) -> Rows:
        contents = [content for record in self.source.records(split) for content in self._contents(record)]
        rows: list[Any] = [one.as_chat() if self.chat else one.as_text() for one in contents]  # all of one kind
        return rows

    def _contents(self, record: Record) -> Iterator[Content]:
        line, where = as_object(record, "row"), record.where
        if not self.source.format:
            line = in_our_names(line, where, self.notes)
        if _lacks_answer(line):
            self._leave_out()
            return
        self.format = self.format or recognise(line, where)
        self.unused |= {name for name in line.keys() - _KNOWN if line[name] not in (None, "")}
        for content in self.format.read(line, where, self.notes):
            if isinstance(content, PreferenceRow) != self.preference:
                raise SproutError(f"{where}: {_wanted(self.preference, self.chat)}")
            if not content.answered:
                self._leave_out()
            else:
                self.changed[_change(content, self.chat)] += 1
                yield content

    def _leave_out(self) -> None:
        lack = "two answers that differ" if self.preference else "an answer"
        self.notes[f"rows without {lack}, which are left out"] += 1

    def say(self) -> None:
        name = self.format.name if self.format else ""
        for change, number in self.changed.items():
            if change:
                logger.info("%s: %d rows of the format %s are %s", self.place, number, name, change)
        for note, number in self.notes.items():
            logger.warning("%s: %s: %d", self.place, note, number)
        if self.format and (unused := self.unused - self.format.fields_read):
            logger.warning("%s: fields that are not trained on: %s", self.place, ", ".join(sorted(unused)[:12]))


def recognise(line: Line, where: str) -> Format:
    """The format of a row, by its fields.

    Raises:
        SproutError: if it is in none that Sprout knows.
    """
    for one in shipped_formats().values():
        if one.recognises(line):
            return one
    fields = ", ".join(map(repr, list(line)[:12])) or "none"
    raise SproutError(
        f"{where}: a row in no known format (its fields: {fields}); there are {', '.join(shipped_formats())}"
    )


def _lacks_answer(line: Line) -> bool:
    """Whether the fields for answers hold a null, as tables have it where something is missing."""
    there = _ANSWERS & line.keys()
    filled = {name for name in there if line[name] is not None}
    if filled == there or any(line.get(name) for name in ("instances", *CONVERSATIONS)):
        return False
    return not filled or filled in ({"chosen"}, {"rejected"})


def _wanted(preference: bool, chat: bool) -> str:
    """What to say of rows that are not for the objective of a training."""
    if preference:
        name = "chat_preference" if chat else "preference"
        return f'there are no chosen and rejected answers, which the objective "dpo" needs; export the format {name}'
    return 'rows with chosen and rejected answers are for another objective; set train.objective = "dpo"'


def _change(content: Content, chat: bool) -> str:
    """What has to be done with a row so that the model can be tuned on it; empty if nothing."""
    if isinstance(content, PreferenceRow):
        if content.chat == chat:
            return ""
        return "put as messages" if chat else "put in the plain encoding for a base model"
    if chat:
        return "put as the messages of a user and an assistant" if isinstance(content, TextRow) else ""
    if isinstance(content, InstructionRow):
        return "put in the plain encoding for a base model"
    if isinstance(content, ChatRow):
        plain = "put in the plain encoding for a base model"
        return f"{plain}, with all that is said before the last answer as the prompt" if content.answers[1:] else plain
    return ""


_ANSWERS = {*OUTPUTS, "chosen", "rejected"}
_KNOWN = {*Task.model_fields, *SYSTEM, "messages", "history"}
