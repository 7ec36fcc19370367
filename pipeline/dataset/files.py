"""The files of a dataset, written a batch at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic_core import to_json

Line = dict[str, Any]  # a row as it is written
# Texts differ, so a dictionary of them only takes time; zstd takes a third less space than snappy in the same time.
COLUMNS: dict[str, Any] = {"compression": "zstd", "use_dictionary": False}


class Writer(Protocol):
    def write(self, batch: Sequence[Line]) -> None: ...
    def close(self) -> None: ...


class Lines:
    """JSONL; not with `Dataset.to_json`, which puts a backslash before every slash."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb")

    def write(self, batch: Sequence[Line]) -> None:
        self.file.writelines(to_json(row, inf_nan_mode="constants") + b"\n" for row in batch)

    def close(self) -> None:
        self.file.close()


class Parquet:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer: Any = None

    def write(self, batch: Sequence[Line]) -> None:
        import pyarrow
        import pyarrow.parquet

        table = pyarrow.Table.from_pylist(batch)
        # Of a relative path, such as 10:30/x, pyarrow would take what is before a colon for the scheme of an address.
        self.writer = self.writer or pyarrow.parquet.ParquetWriter(self.path.absolute(), table.schema, **COLUMNS)
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

    def write(self, batch: Sequence[Line]) -> None:
        import pyarrow

        self.writer.write_table(pyarrow.Table.from_pylist(batch))

    def close(self) -> None:
        self.writer.finalize()
        self.writer.close()
