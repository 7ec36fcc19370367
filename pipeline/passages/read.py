"""The documents of files, folders and data sets, one after another."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import SproutError
from pipeline.passages.files import PACKAGES, ROWS, File, files_in, normal
from pipeline.passages.notes import Notes
from pipeline.passages.packed import packed_text
from pipeline.passages.plain import NoText, text_of
from pipeline.passages.web import declared_encoding, page_text
from pipeline.seeds.datasets import on_hub, place_of
from pipeline.seeds.records import Wanted
from pipeline.seeds.shapes import named_in
from pipeline.seeds.stream import each_record
from pipeline.seeds.values import printable

ADVICE = "give a file or a folder of your own text, or a data set"
FIELDS = ("text", "content", "body", "document", "passage", "context", "article", "page_content", "markdown")
_ON_DISK = ("state.json", "dataset_dict.json")  # what `save_to_disk` leaves in a folder
_WEB, _MARKDOWN = (".html", ".htm", ".xhtml"), (".md", ".markdown", ".mdx")


class Document(NamedTuple):
    """A text, and where it is from."""

    file: str  # below the folder that was given, or the name of the data set
    text: str
    row: int | None = None  # of a file of rows
    is_markdown: bool = False  # so that lines with # are headings


@dataclass(frozen=True)
class Texts:
    """Where a user's own text is.

    Attributes:
        places: Files, folders, and data sets as seeds may be.
        only: Patterns of names, such as "*.md"; none: all.
        field: Of rows, that which holds the text; empty: the first of the usual names.
        max_bytes: A larger file of text is left out; one of rows may have any size.
    """

    places: tuple[str, ...]
    only: tuple[str, ...] = ()
    field: str = ""
    max_bytes: int = 1 << 26

    def files(self, notes: Notes) -> Iterator[File | str]:
        """The files, or the name of a data set, in order.

        Raises:
            SproutError: for a place where there is nothing.
        """
        for name in self.places:
            place = place_of(name)
            path = Path(place.path)
            is_folder = path.is_dir() and not any((path / file).is_file() for file in _ON_DISK)
            if is_folder and not (place.config or place.split):
                prefix = f"{normal(path.resolve().name)}/" if len(self.places) > 1 else ""
                yield from files_in(path, self.only, notes, prefix)
            elif path.is_file() and not (place.config or place.split):
                yield File(path, normal(path.name))
            elif path.is_dir() or path.exists() or on_hub(place.path):
                yield name
            else:
                raise SproutError(f"{name}: there is no such file or folder; {ADVICE}")

    def needs(self) -> dict[str, str]:
        """The packages that read these files, with the extra that brings them."""
        files = (file for file in self.files(Notes()) if isinstance(file, File))
        return {PACKAGES[file.kind]: "documents" for file in files if file.kind in PACKAGES}

    def documents(self, notes: Notes) -> Iterator[Document]:
        """Those that hold text; `notes` gets what is left out, and why.

        Raises:
            SproutError: for a place where there is nothing, and for a file of rows that was given by its name and
                cannot be read.
        """
        for file in self.files(notes):
            if isinstance(file, str):
                yield from self._rows(file, normal(Path(file).name), notes)
            elif file.kind in ROWS:
                yield from self._rows_of_file(file, notes)
            elif found := self._read(file, notes):
                yield found

    def _read(self, file: File, notes: Notes) -> Document | None:
        try:
            if (size := file.path.stat().st_size) > self.max_bytes:
                remark = f"files larger than {self.max_bytes / 1e6:,.0f} MB, left out"
                notes.add(remark, f"{file.name}, {size / 1e6:,.0f} MB")
                return None
            text = _text(file, file.path.read_bytes(), notes)
        except OSError as error:
            notes.add(f"files that cannot be read ({error.strerror}), left out", file.name)
        except NoText as error:
            notes.add(f"{error}, left out", file.name)
        else:
            if text.strip():
                return Document(file.name, text, is_markdown=file.kind != ".txt")
            notes.add("files that are empty", file.name)
        return None

    def _rows_of_file(self, file: File, notes: Notes) -> Iterator[Document]:
        given = str(file.path) in self.places
        try:
            yield from self._rows(str(file.path), file.name, notes)
        except SproutError as error:
            if given:
                raise
            problem = str(error).removeprefix(str(file.path)).lstrip(": ")
            notes.add(f"files of rows that cannot be read ({problem})", file.name)

    def _rows(self, place: str, name: str, notes: Notes) -> Iterator[Document]:
        said: Counter[str] = Counter()
        wanted = self.field or f"{', '.join(FIELDS[:-1])} or {FIELDS[-1]}"
        for record in each_record(place, Wanted(("train",), ADVICE), said):
            fields = record.value if isinstance(record.value, dict) else {}
            names = (named_in(fields, self.field),) if self.field else FIELDS
            found = next((fields[key] for key in names if isinstance(fields.get(key), str)), None)
            text = record.value if isinstance(record.value, str) and not self.field else found
            if text is None:
                known = ", ".join(map(printable, fields)) or "no fields"
                notes.add(f"rows without a text in {wanted}; say in `field` which has it", f"{name}, with {known}")
            elif text.strip():
                yield Document(name, text.replace("\r\n", "\n").replace("\r", "\n"), record.number, True)
        for remark, number in said.items():
            notes.add(remark, name, number)


def _text(file: File, data: bytes, notes: Notes) -> str:
    if data.startswith(b"%PDF-") and file.kind != ".pdf":
        raise NoText("files that are PDF, whatever their names say")
    if data.startswith(b"{\\rtf"):
        raise NoText("files of a word processor, RTF, which would have to be saved as plain text")
    if file.kind in (*PACKAGES, ".epub"):
        return packed_text(file.kind, data, file.name, notes)
    if file.kind in _WEB:
        return page_text(text_of(data, file.name, notes, declared_encoding(data)))
    return text_of(data, file.name, notes)
