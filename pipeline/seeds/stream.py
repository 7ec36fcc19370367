"""Rows one after another, of files and data sets that need not fit into memory."""

import codecs
import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from pipeline.errors import SproutError, not_utf8
from pipeline.seeds.datasets import Place, files_of, open_dataset, place_of
from pipeline.seeds.json_text import not_json
from pipeline.seeds.records import Wanted, note_left_out, read_records, tidied_records
from pipeline.seeds.shapes import Record, rows_of_line
from pipeline.seeds.tables import check_columns, rows_in, said_by, without_points
from pipeline.seeds.values import decoder
from pipeline.task import GZIP

_BATCH = 1000  # rows


def each_record(name: Path | str, wanted: Wanted, notes: Counter[str]) -> Iterator[Record]:
    """The rows that `read_records` reads, one after another; `notes` gets what there is to say of them.

    Memory holds a batch of them, of JSONL, plain or compressed with gzip, of Parquet, Arrow and data sets. Any other
    file, such as one of CSV, is read whole.

    Raises:
        SproutError: as `read_records`, for a row when its turn comes; and for a pipe.
    """
    place = place_of(str(name))
    if files := files_of(place, wanted.splits, wanted.advice):
        note_left_out(files, notes)
        rows = (row for path in files.paths for row in each_record(path, wanted, notes))
        yield from (row._replace(number=number) for number, row in enumerate(rows, 1))
        return
    if opened := open_dataset(place, wanted.splits, wanted.advice):
        yield from _numbered(place.path, opened[1], notes)
        return
    if Path(place.path).exists() and not Path(place.path).is_file():
        raise SproutError(f"{place.path}: is a pipe or a device, which cannot be read twice; save it as a file")
    if not (place.config or place.split) and (lines := _arrow(place) or _lines(place)):
        first = [*islice(lines, 2)]
        if len(first) == 2:  # a single object may hold all rows
            yield from tidied_records(chain(first, lines), notes)
            return
    records = read_records(name, wanted)
    notes.update(records.notes)
    yield from records.records


def _numbered(where: str, rows: Iterator[dict[str, Any]], notes: Counter[str]) -> Iterator[Record]:
    start = 1
    while batch := [*islice(rows, _BATCH)]:
        records = (Record(f"{where}: row {n}", n, row) for n, row in enumerate(without_points(batch), start))
        yield from tidied_records(records, notes)
        start += len(batch)


def _arrow(place: Place) -> Iterator[Record] | None:
    path = Path(place.path)
    start = _beginning(path, 8)
    if not start.startswith((b"PAR1", b"ARROW1")):
        return None
    import pyarrow
    from pyarrow import ipc, parquet

    def rows() -> Iterator[Record]:
        number = 1
        try:
            if start.startswith(b"PAR1"):
                parquet_file = parquet.ParquetFile(path.absolute())
                check_columns(parquet_file.schema_arrow.names, path)
                batches = parquet_file.iter_batches(_BATCH)
            else:
                reader = ipc.open_file(pyarrow.memory_map(str(path)))
                check_columns(reader.schema.names, path)
                batches = (reader.get_batch(place) for place in range(reader.num_record_batches))
            for batch in batches:
                for offset in range(0, batch.num_rows, _BATCH):
                    for row in rows_in(batch.slice(offset, _BATCH)):
                        yield Record(f"{path}: row {number}", number, row)
                        number += 1
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
            raise SproutError(f"{path}: cannot be read as Parquet or Arrow ({said_by(error)})") from None

    return rows()


def _lines(place: Place) -> Iterator[Record] | None:
    """Of a file whose first lines are an object each; None for any other."""
    path = Path(place.path)
    try:
        with _opened(path) as file:
            first = [line.removeprefix(codecs.BOM_UTF8).strip() for line in islice(file, 2)]
        if len(first) < 2 or not all(line.startswith(b"{") for line in first):
            return None
        decoder().decode(first[0].decode())
    except (*_UNREADABLE, RecursionError):
        return None  # `read_records` says what is wrong with it
    return (row for record in _objects(path) for row in _rows_of(record))


def _rows_of(record: Record) -> Iterator[Record]:
    return rows_of_line(record) if isinstance(record.value, dict) else iter([record])


def _objects(path: Path) -> Iterator[Record]:
    reader = decoder()
    with _opened(path) as file:
        for number, line in enumerate(_whole(file, path), 1):
            text = line.removeprefix(codecs.BOM_UTF8)  # where files are joined, also inside
            if not text.strip():
                continue
            where = f"{path}:{number}"
            try:
                yield Record(where, number, reader.decode(text.decode("utf-8", "surrogatepass").strip().rstrip(",")))
            except UnicodeDecodeError as error:
                raise SproutError(f"{where}: {not_utf8(error)[1]}") from None
            except (ValueError, RecursionError) as error:
                raise SproutError(f"{where}: {not_json(error, 'each line is one JSON object')}") from None


def _whole(file: IO[bytes], path: Path) -> Iterator[bytes]:
    try:
        yield from file
    except _UNREADABLE as error:
        problem = getattr(error, "strerror", None) or error
        raise SproutError(f"{path}: cannot be read ({problem}); is the file complete?") from None


def _beginning(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""  # `read_records` says what is wrong with it


def _opened(path: Path) -> IO[bytes]:
    if _beginning(path, 2) == GZIP:
        return gzip.open(path)  # type: ignore[return-value]
    return path.open("rb")


_UNREADABLE = (OSError, EOFError, ValueError, zlib.error)
