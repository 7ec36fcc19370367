"""The files of a dataset: written a batch at a time, read a row at a time."""

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import SproutError, not_utf8
from pipeline.seeds.datasets import parquet_records
from pipeline.seeds.json_records import is_array, json_array, json_lines
from pipeline.task import GZIP

Record = dict[str, Any]  # a row as a file has it


class Writer(Protocol):
    def write(self, batch: Sequence[Record]) -> None: ...
    def close(self) -> None: ...


class Lines:
    """JSONL; not with `Dataset.to_json`, which puts a backslash before every slash."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w", encoding="utf-8", newline="\n")

    def write(self, batch: Sequence[Record]) -> None:
        self.file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch)

    def close(self) -> None:
        self.file.close()


class Parquet:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: Any = None

    def write(self, batch: Sequence[Record]) -> None:
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.Table.from_pylist(batch)
        self.writer = self.writer or pyarrow.parquet.ParquetWriter(self.path, table.schema)
        self.writer.write_table(table)

    def close(self) -> None:
        if self.writer:
            self.writer.close()


class Arrow:
    """What `datasets` keeps in its cache; without the cache in the user's home."""

    def __init__(self, path: Path, fingerprint: str) -> None:
        from datasets.arrow_writer import ArrowWriter

        path.parent.mkdir(exist_ok=True)
        self.writer = ArrowWriter(path=str(path), fingerprint=fingerprint)

    def write(self, batch: Sequence[Record]) -> None:
        import pyarrow

        self.writer.write_table(pyarrow.Table.from_pylist(batch))

    def close(self) -> None:
        self.writer.finalize()
        self.writer.close()


def file_records(path: Path) -> Iterator[tuple[str, Record]]:
    """The rows of a JSONL, JSON or Parquet file, each with its place; which of them it is shows in what it holds.

    Raises:
        SproutError: for a file that cannot be read, and with `path:line` for a line that is no JSON object.
    """
    data = _read(path)
    if data.startswith(b"PAR1"):
        yield from parquet_records(path)
        return
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        number, problem = not_utf8(error)
        raise SproutError(f"{path}:{number}: {problem}") from None
    yield from json_array(text, path) if is_array(text) else json_lines(text, path)


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data.startswith(GZIP) else data
    except (OSError, EOFError, ValueError, zlib.error) as error:
        problem = getattr(error, "strerror", None) or error
        raise SproutError(f"{path}: cannot be read ({problem}); give a JSONL, JSON or Parquet file of rows") from None
