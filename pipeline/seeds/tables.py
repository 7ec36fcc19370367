"""Rows of tables: CSV and TSV as spreadsheets save them, Parquet, Arrow."""

import csv
import io
import re
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import SproutError
from pipeline.seeds.shapes import COLUMNS, Record, header_of
from pipeline.seeds.values import printable

_DELIMITERS = ",;\t|"
_EXCEL = re.compile(r"\s*sep=(.)\r?\n", re.IGNORECASE)  # a first line that Excel writes and reads
_RULE = re.compile(r":?-*:?")  # of a table in Markdown, below the names
_LINE_END = re.compile(r"\r\n?|\n")


class Header(NamedTuple):
    where: str
    names: list[str]


def delimiter_of(text: str, path: Path) -> str | None:
    """That with which the first line names the most columns we know; None if the file is no table."""
    if stated := _EXCEL.match(text):
        return stated[1]
    line = _LINE_END.split(text.lstrip(), maxsplit=1)[0]
    found = {one: len(COLUMNS.intersection(_cells(line, one))) for one in _DELIMITERS}
    if any(found.values()):
        return max(found, key=lambda one: found[one])
    return max(_DELIMITERS, key=line.count) if line and {".csv", ".tsv"} & set(path.suffixes) else None


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return header_of(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return []


def text_table(text: str, delimiter: str, path: Path | str) -> Iterator[Header | Record]:
    """The header of a table, and then its rows.

    Raises:
        SproutError: with `path:line` for what is not CSV, a column that is there twice, and a row that is too long.
    """
    skipped = match.end() if (match := _EXCEL.match(text)) else 0
    before = text.count("\n", 0, skipped)
    csv.field_size_limit(1 << 30)
    reader = csv.reader(
        io.StringIO(text[skipped:], newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    header: list[str] = []
    number, no_names = 0, ""
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
            header = header_of(cells)
            no_names = f"{where}: the first line should name the columns (found {reprlib.repr(cells[0])})"
            yield Header(where, check_columns([name for name in header if name], where))
        elif _is_no_row(cells, header, delimiter):
            continue
        elif any(cells[len(header) :]):
            if not COLUMNS.intersection(header):
                raise SproutError(no_names)
            raise SproutError(
                f"{where}: {len(cells)} cells below {len(header)} columns; put quotes around a text with "
                f"{delimiter!r} in it"
            )
        else:
            number += 1
            texts = (cell.replace("\r\n", "\n").strip(" " if delimiter == "|" else "") for cell in cells)
            yield Record(where, number, {name: text for name, text in zip(header, texts, strict=False) if name})


def _is_no_row(cells: list[str], header: list[str], delimiter: str) -> bool:
    """Whether it is the header of another file, joined to the first, or the rule below that of Markdown."""
    names = header_of([cells[0].removeprefix("\ufeff"), *cells[1:]])
    return names == header or (delimiter == "|" and all(_RULE.fullmatch(cell.strip()) for cell in cells))


def check_columns(names: list[str], where: Path | str) -> list[str]:
    """The names of columns, if no two are the same: of one of these the texts would be lost.

    Raises:
        SproutError: for a name that is there twice.
    """
    if len(names) > len(set(names)):
        raise SproutError(f"{where}: two columns have the same name; there are {', '.join(map(printable, names[:12]))}")
    return names


def arrow_rows(data: bytes, path: Path | str) -> tuple[str, Iterator[Record]] | None:
    """The format and the rows of a Parquet or Arrow file; None for any other."""
    kind = next((kind for magic, kind in _ARROW.items() if data.startswith(magic)), "")
    if not kind:
        return None
    import pyarrow
    from pyarrow import ipc, parquet

    source = pyarrow.BufferReader(data)
    try:
        if kind == "Parquet":
            table = parquet.ParquetFile(source).read()
        else:
            open_file = ipc.open_file if data.startswith(b"ARROW1") else ipc.open_stream
            table = open_file(source).read_all()
        check_columns(table.column_names, path)
        rows = rows_in(table)
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise SproutError(f"{path}: cannot be read as {kind} ({said_by(error)})") from None
    return kind, (Record(f"{path}: row {number}", number, row) for number, row in enumerate(rows, 1))


_ARROW = {b"PAR1": "Parquet", b"ARROW1": "Arrow", b"\xff\xff\xff\xff": "Arrow"}


def said_by(error: Exception) -> str:
    """The first sentence of an error of a library, on one line."""
    return " ".join(str(error).partition(". ")[0].split()) or type(error).__name__


def rows_in(table: Any) -> list[dict[str, Any]]:
    """The rows of a table or a batch of Arrow; a number of single precision has the digits it was written with: 0.1."""
    from pyarrow import float64, string, types

    for place, field in enumerate(table.schema):
        if types.is_float32(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(string()).cast(float64()))
    return without_points(table.to_pylist())


def without_points(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, where a column of whole numbers has these again though a missing one made all of them floats."""
    for name in rows[0] if rows else ():
        column = [row.get(name) for row in rows]
        numbers = [value for value in column if value is not None and value == value]
        if len(numbers) < len(column) and all(isinstance(one, float) and one.is_integer() for one in numbers):
            for row in rows:
                row[name] = int(row[name]) if row[name] is not None and row[name] == row[name] else None
    return rows
