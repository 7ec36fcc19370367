"""The files of a folder, in an order that is the same on every machine."""

import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import SproutError
from pipeline.passages.notes import Notes

TEXTS = frozenset({".txt", ".text", ".md", ".markdown", ".mdx", ".rst", ".html", ".htm", ".xhtml", ""})
PACKAGES = {".pdf": "pypdf", ".docx": "mammoth"}  # by the ending of a file, what reads it; of the extra `documents`
ROWS = frozenset({".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet", ".arrow"})
PACKED = frozenset({".gz", ".bz2", ".xz", ".zst"})  # of rows
KNOWN = TEXTS | ROWS | PACKAGES.keys() | {".epub"}


class File(NamedTuple):
    path: Path
    name: str  # below the folder that was given, with slashes: the same on every machine

    @property
    def kind(self) -> str:
        """Its ending in small letters, without that of a compressed one."""
        path = self.path.with_suffix("") if self.path.suffix.lower() in PACKED else self.path
        return path.suffix.lower()


def files_in(folder: Path, only: Sequence[str], notes: Notes, prefix: str = "") -> Iterator[File]:
    """The files of a folder and of those in it that may hold text, in the order of their names.

    Hidden ones are left out, and so are kinds that are not known. A link to a folder is followed, unless that was
    read before.

    Args:
        only: Patterns, of which a name must match one, such as "*.md"; none: all of a known kind.
        prefix: What each name begins with.

    Raises:
        SproutError: for a folder that cannot be read.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [(folder, prefix)]
    while waiting:
        place, name = waiting.pop()
        try:
            where = place.stat()
            entries = sorted(os.scandir(place), key=lambda entry: (normal(entry.name), entry.name))
        except OSError as error:
            if place == folder:
                raise SproutError(f"{folder}: cannot be read ({error.strerror}); give a folder you may read") from None
            notes.add(f"folders that cannot be read ({error.strerror})", name)
            continue
        if (identity := (where.st_dev, where.st_ino)) in seen:
            notes.add("links to a folder that was read before", name)
            continue
        seen.add(identity)
        yield from _files(entries, name, only, notes)
        folders = [entry for entry in entries if not _hidden(entry) and _is(entry.is_dir)]
        waiting += [(Path(entry.path), f"{name}{normal(entry.name)}/") for entry in reversed(folders)]


def normal(name: str) -> str:
    """One spelling of a name, which some systems decompose; bytes that are no text are U+FFFD."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))


def _files(entries: Sequence[os.DirEntry[str]], folder: str, only: Sequence[str], notes: Notes) -> Iterator[File]:
    for entry in entries:
        file = File(Path(entry.path), f"{folder}{normal(entry.name)}")
        ending = file.path.suffix.lower()
        if _hidden(entry):
            notes.add("hidden files and folders, left out", file.name)
        elif _is(entry.is_dir) or (only and not any(fnmatchcase(entry.name, pattern) for pattern in only)):
            continue
        elif not only and (file.kind not in KNOWN or (ending in PACKED and file.kind not in ROWS)):
            notes.add(f"files of a kind that is not read ({ending}), left out", file.name)
        elif _is(entry.is_file):
            yield file
        else:
            notes.add("links that lead nowhere, and what is no file, left out", file.name)


def _hidden(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".")


def _is(what: Callable[[], bool]) -> bool:
    try:
        return what()
    except OSError:  # of a link in a circle
        return False
