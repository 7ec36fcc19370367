"""Seed tasks in the formats people have. Which one it is shows in what a file holds, not in its name."""

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import SproutError, not_utf8
from pipeline.seeds.datasets import dataset_records, parquet_records
from pipeline.seeds.json_records import is_array, json_array, json_lines
from pipeline.seeds.rows import Record, Row, check_names, layout_of, parse_row
from pipeline.task import GZIP

Records = Iterable[tuple[str, Record]]  # where each is, such as path:line, and what was found there


class Rows(NamedTuple):
    format: str
    rows: list[Row]
    notes: list[str]  # what was not taken, and how often


def read_rows(path: Path | str) -> Rows | None:
    """The rows of a file, a folder or a data set on the hub; None for a file in none of these formats, maybe in ours.

    Raises:
        SproutError: for what cannot be read, and with `path:line` for a row that is not as its format wants it.
    """
    records = dataset_records(str(path))
    if records is not None:
        return _rows("data set", records)
    data = _read(path)
    if data.startswith(b"PAR1"):
        return _rows("Parquet", parquet_records(path))
    if data.startswith(b"PK\x03\x04"):
        raise SproutError(f"{path}: cannot be read (an Excel or zip file); save the sheet as CSV in UTF-8")
    text = data.decode("utf-8-sig", "surrogateescape")
    if is_array(text):
        return _rows("JSON", json_array(text, path), data, path)
    if text.lstrip().startswith("{"):
        first = text.lstrip().partition("\n")[0]
        return _rows("JSONL", json_lines(text, path), data, path) if _is_json(first) else None
    if delimiter := _delimiter(text, Path(path)):
        _check_utf8(data, path)
        return _rows("TSV" if delimiter == "\t" else "CSV", _table(text, delimiter, path), data, path)
    return None


def _read(path: Path | str) -> bytes:
    try:
        data = Path(path).read_bytes()
        data = gzip.decompress(data) if data.startswith(GZIP) else data
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return data.decode("utf-16").encode() if wide else data
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise SproutError(
            f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); give the path of a JSONL file of "
            f"tasks, of another format in seed_tasks/README.md, or the name of seeds that ship: general, nano"
        ) from None


def _rows(kind: str, records: Records, data: bytes = b"", path: Path | str = "") -> Rows | None:
    """Parse all records as the first one is laid out; None if that is one of our own tasks."""
    rows: list[Row] = []
    notes: Counter[str] = Counter()
    layout = ""
    for where, record in records:
        if not layout:
            if not (layout := layout_of(record, where, kind)):
                return None
            _check_utf8(data, path)
        rows += parse_row(record, layout, where, notes)
    return Rows(f"{layout} {kind}".strip(), rows, [f"{note}: {number:,}" for note, number in notes.items()])


def _check_utf8(data: bytes, path: Path | str) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        number, problem = not_utf8(error)
        raise SproutError(f"{path}:{number}: {problem}") from None


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


_DELIMITERS = ",;\t|"
_COLUMNS = {"instruction", "input", "output", "prompt", "completion"}
_EXCEL = re.compile(r"\s*sep=(.)\r?\n", re.IGNORECASE)  # a first line that Excel writes and reads


def _delimiter(text: str, path: Path) -> str | None:
    """That with which the first line names the most columns we know; None if the file is no table."""
    if stated := _EXCEL.match(text):
        return stated[1]
    line = _LINE_END.split(text.lstrip(), maxsplit=1)[0]
    found = {
        one: len(_COLUMNS.intersection(_header(next(csv.reader([line], delimiter=one), [])))) for one in _DELIMITERS
    }
    if any(found.values()):
        return max(found, key=lambda one: found[one])
    return max(_DELIMITERS, key=line.count) if line and {".csv", ".tsv"} & set(path.suffixes) else None


_LINE_END = re.compile(r"\r\n?|\n")


def _header(cells: Sequence[str]) -> list[str]:
    return [cell.strip().lower().replace(" ", "_") for cell in cells]


def _table(text: str, delimiter: str, path: Path | str) -> Iterator[tuple[str, Record]]:
    skipped = match.end() if (match := _EXCEL.match(text)) else 0
    before = text.count("\n", 0, skipped)
    csv.field_size_limit(1 << 30)
    reader = csv.reader(
        io.StringIO(text[skipped:], newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    header: list[str] = []
    while True:
        where = f"{path}:{before + reader.line_num + 1}"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise SproutError(f"{where}: not CSV ({error}); is a quote not closed, or not doubled?") from None
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = _header(cells)
            named = {name: "" for name in header if name}
            if len(named) < sum(map(bool, header)):
                raise SproutError(
                    f"{where}: two columns have the same name; there are {', '.join(filter(None, header))}"
                )
            check_names(named, layout_of(named, where), where, "column")
        elif any(cells[len(header) :]):
            raise SproutError(
                f"{where}: {len(cells)} cells below {len(header)} columns; put quotes around a text with "
                f"{delimiter!r} in it"
            )
        else:
            texts = (cell.replace("\r\n", "\n") for cell in cells)
            yield where, {name: text for name, text in zip(header, texts, strict=False) if name}
