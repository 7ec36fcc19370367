"""The bytes of a file, unpacked; a file that is neither text nor a table is named for what it is."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import SproutError
from pipeline.seeds.values import printable
from pipeline.task import GZIP

_MAX_LAYERS = 4


def read_bytes(path: Path | str, advice: str) -> bytes:
    """The bytes of a file, of what it holds if it is compressed, or of the only file in a zip archive.

    Args:
        advice: What to give instead, for the message about a file that cannot be read.

    Raises:
        SproutError: for a file that is not there, is damaged, or is of a kind that is not read.
    """
    try:
        data = Path(path).read_bytes()
        for _ in range(_MAX_LAYERS):
            if (unpack := _unpacker(data)) is None:
                break
            data = unpack(data)
    except _Named as error:
        raise SproutError(f"{path}: cannot be read ({error})") from None
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        problem = getattr(error, "strerror", None) or str(error).rstrip(".") or type(error).__name__
        raise SproutError(f"{path}: cannot be read ({problem}); {advice}") from None
    if named := _named(data):
        raise SproutError(f"{path}: cannot be read ({named})")
    return data


class _Named(Exception):
    """What a file is, and what to do."""


def _unpacker(data: bytes) -> Callable[[bytes], bytes] | None:
    """What unpacks the data; None if they are not packed."""
    if data.startswith(GZIP):
        return gzip.decompress
    if data[:3] == b"BZh" and data[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return bz2.decompress
    if data.startswith((b"\xfd7zXZ\0", b"]\0\0")):
        return lzma.decompress
    if data.startswith(b"(\xb5/\xfd") or (data[1:4] == b"*M\x18" and 0x50 <= data[0] <= 0x5F):
        return lambda packed: _arrow_codec(packed, "zstd")
    if data.startswith(b"\x04\x22M\x18"):
        return lambda packed: _arrow_codec(packed, "lz4")
    return _only_file if data.startswith(b"PK\x03\x04") else None


def _arrow_codec(data: bytes, codec: str) -> bytes:
    import pyarrow

    with pyarrow.CompressedInputStream(pyarrow.BufferReader(data), codec) as stream:
        return bytes(stream.read())


_OFFICE = (("xl/", "an Excel file; save the sheet as CSV in UTF-8"), ("word/", "a Word file; save it as plain text"))


def _only_file(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [one.filename for one in archive.infolist() if not one.is_dir()]
        for folder, what in _OFFICE:
            if any(name.startswith(folder) for name in names):
                raise _Named(what)
        if "mimetype" in names and "content.xml" in names:
            raise _Named("an OpenDocument file; save the sheet as CSV in UTF-8")
        files = [name for name in names if not name.startswith("__MACOSX/") and not Path(name).name.startswith(".")]
        if len(files) != 1:
            some = f": {', '.join(map(printable, files[:5]))}{' …' if len(files) > 5 else ''}" if files else ""
            raise _Named(f"a zip archive with {len(files)} files{some}; unpack it and give one of them")
        return archive.read(files[0])


_KINDS = (
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it and give the file in it"),
    (b"Rar!\x1a\x07", "a RAR archive; unpack it and give the file in it"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file; save the sheet as CSV in UTF-8"),
    (b"%PDF-", "a PDF file; save its tasks as CSV or JSONL"),
    (b"{\\rtf", "a file of a word processor, RTF; save it as plain text"),
    (b"SQLite format 3\0", "an SQLite database; export the table as CSV in UTF-8"),
    (b"\x89HDF\r\n", "an HDF5 file; save the table as Parquet or CSV"),
    (b"\x93NUMPY", "a NumPy array; save its rows as JSONL or CSV"),
    (b"Obj\x01", "an Avro file; save the rows as Parquet or JSONL"),
    *((b"\x80" + bytes([version]), "a Python pickle; save its rows as JSONL") for version in (2, 3, 4, 5)),
    (b"\x1f\x9d", "a file compressed with compress, .Z; unpack it"),
    (b"version https://git-lfs", "a pointer of Git LFS; fetch the file itself with `git lfs pull`"),
    (b"<!doctype html", "a web page; download the file itself"),
    (b"<html", "a web page; download the file itself"),
    (b"<?xml", "an XML file; save its rows as JSONL or CSV"),
)


def _named(data: bytes) -> str:
    """What a file is that cannot be read, and what to do; empty for any other."""
    if data[257:262] == b"ustar":
        return "a tar archive; unpack it and give the file in it"
    if data[:3] == data[-4:-1] == b"ORC":
        return "an ORC file; save the table as Parquet or CSV"
    start = data[:64].lstrip().lower()
    return next((what for magic, what in _KINDS if data.startswith(magic) or start.startswith(magic)), "")
