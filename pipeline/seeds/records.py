"""One reader for seeds, held-out sets and predictions: whatever people keep rows in, and where each row is."""

import codecs
import json
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import SproutError, not_utf8
from pipeline.seeds.datasets import Files, Place, check_tasks, dataset_rows, files_of, place_of
from pipeline.seeds.json_text import json_values
from pipeline.seeds.packed import read_bytes
from pipeline.seeds.reviewed import as_reviewed
from pipeline.seeds.shapes import Record, rows_of
from pipeline.seeds.tables import Header, arrow_rows, delimiter_of, text_table
from pipeline.seeds.values import decoder, printable, tidied
from pipeline.seeds.yaml_text import ENDINGS, yaml_values


class Wanted(NamedTuple):
    """What the rows are for."""

    splits: Sequence[str]  # of several, the first of these that is there is read
    advice: str  # what to give instead of a file that cannot be read


class Records(NamedTuple):
    """Rows, what they were kept in, and what there is to say of how they were read."""

    kind: str
    records: list[Record]
    notes: Counter[str]
    header: Header | None = None


def read_records(name: Path | str, wanted: Wanted) -> Records:
    """The rows of a file, a folder or a data set on the hub; which format it is shows in what it holds.

    A row is mostly a dict; what cannot be taken for one is as it is in the file, and for the caller to judge. Texts are
    mended, and there is no NaN in them. `name:configuration@split` chooses part of a data set, `file@name` one of
    several lists in a JSON file. Tasks of a run's stage are as people have left them.

    Raises:
        SproutError: for what cannot be read, with `path:line` where there are lines.
    """
    place = place_of(str(name))
    if files := files_of(place, wanted.splits, wanted.advice):
        return _of_folder(place, files, wanted)
    notes: Counter[str] = Counter()
    found = dataset_rows(place, wanted.splits, wanted.advice)
    if found:
        split, rows = found
        _note_split(place, split, wanted, len(rows), notes)
        return Records("data set", [*tidied_records(rows, notes)], notes)
    if "://" in place.path:
        raise SproutError(f"{name}: cannot be read (an address); download the file, and give its path")
    if place.config:
        raise SproutError(f"{place.path}: a file has no configurations; leave out :{place.config}")
    data = read_bytes(place.path, wanted.advice)
    if arrow := arrow_rows(data, place.path):
        records = Records(arrow[0], [*tidied_records(arrow[1], notes)], notes)
    else:
        records = _of_text(plain_text(data, place.path), place.path, wanted.splits, place.split)
        records = records._replace(records=as_reviewed(Path(place.path), records.records))
    if place.split and records.kind not in ("JSON", "JSONL", "YAML"):
        raise SproutError(f"{place.path}: there are no splits in it; leave out @{place.split}")
    return records


def note_left_out(files: Files, notes: Counter[str]) -> None:
    """Say which files of a folder are not read."""
    if files.left_out:
        some = ", ".join(map(printable, files.left_out[:5])) + " …" * (len(files.left_out) > 5)
        note = f"files left out, since to `datasets` they belong to no split; join them into one to read all ({some})"
        notes[note] = len(files.left_out)


def plain_text(data: bytes, path: str) -> str:
    """The text of a file, whatever its Unicode; halves of surrogate pairs stay in it, however they were written.

    Raises:
        SproutError: for what is no text in Unicode, and for NUL bytes.
    """
    text = _decoded(data, path)
    if (nul := text.find("\0")) >= 0:
        line = text.count("\n", 0, nul) + 1
        raise SproutError(f"{path}:{line}: NUL bytes: the file is damaged or no text; save it as UTF-8")
    return text


def as_object(record: Record, what: str) -> dict[str, Any]:
    """The row as a dict.

    Raises:
        SproutError: for any other value.
    """
    if not isinstance(record.value, dict):
        raise SproutError(
            f"{record.where}: an object with the fields of a {what} is expected (found {reprlib.repr(record.value)})"
        )
    return record.value


def tidied_records(records: Iterable[Record], notes: Counter[str]) -> Iterator[Record]:
    """The rows with their texts mended, and without NaN.

    Raises:
        SproutError: for a row with a value that JSON does not have.
    """
    for record in records:
        try:
            yield record._replace(value=tidied(record.value, notes))
        except ValueError as error:
            raise SproutError(f"{record.where}: cannot be read ({error}); write its fields as texts") from None


def _of_folder(place: Place, files: Files, wanted: Wanted) -> Records:
    parts = [read_records(path, wanted) for path in files.paths]
    rows = [row for part in parts for row in part.records]
    check_tasks(place, rows[0].value if rows else None)
    notes: Counter[str] = Counter()
    _note_split(place, files.split, wanted, len(rows), notes)
    note_left_out(files, notes)
    for part in parts:
        notes.update(part.notes)
    names = {tuple(part.header.names) if part.header else () for part in parts}
    header = parts[0].header if len(names) == 1 else None
    return Records("data set", [row._replace(number=number) for number, row in enumerate(rows, 1)], notes, header)


def _note_split(place: Place, split: str, wanted: Wanted, num_rows: int, notes: Counter[str]) -> None:
    if not place.split and split and split not in wanted.splits:
        notes[f"rows of the split {split}, the only one"] = num_rows


def _of_text(text: str, path: str, splits: Sequence[str], asked: str) -> Records:
    notes: Counter[str] = Counter()
    start = text.lstrip()[:1]
    as_yaml = start not in ("{", "[") and ENDINGS.intersection(Path(path).suffixes)
    delimiter = None if start in ("{", "[") or as_yaml else delimiter_of(text, Path(path))
    if delimiter:
        found = [*text_table(text, delimiter, path)]
        header = next((one for one in found if isinstance(one, Header)), None)
        rows = [one for one in found if isinstance(one, Record)]
        return Records("TSV" if delimiter == "\t" else "CSV", [*tidied_records(rows, notes)], notes, header)
    kind, values = ("YAML", yaml_values(text, path)) if as_yaml else json_values(text, path)
    values = [_decoded_twice(value) for value in tidied_records(values, notes)]
    rows = [*rows_of(values, splits, asked)]
    if len(values) == 1 and rows != values and kind == "JSONL":
        kind = "JSON"
    if len({row.number for row in rows}) < len(rows):  # of several lists
        rows = [row._replace(number=number) for number, row in enumerate(rows, 1)]
    return Records(kind, rows, notes)


def _decoded_twice(record: Record) -> Record:
    """A row whose JSON was written as a text of JSON."""
    if isinstance(record.value, str) and record.value.lstrip().startswith(("{", "[")):
        try:
            return record._replace(value=tidied(decoder().decode(record.value), Counter()))
        except (ValueError, RecursionError):
            return record
    return record


_BOMS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def _decoded(data: bytes, path: str) -> str:
    encoding = next((name for bom, name in _BOMS.items() if data.startswith(bom)), "")
    if not encoding and b"\0" in data[:4]:
        encoding = json.detect_encoding(data)  # UTF-16 and UTF-32 without a mark
    try:
        if encoding:
            return data.decode(encoding, "surrogatepass")
        text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogatepass")
        return text.lstrip("\ufeff")  # some programs write the mark twice
    except UnicodeDecodeError as error:
        if encoding:
            raise SproutError(
                f"{path}: cannot be read ({error.reason}, as {encoding}); save the file as UTF-8"
            ) from None
        number, problem = not_utf8(error)
        raise SproutError(f"{path}:{number}: {problem}") from None
