"""The text of documents that are packed: PDF, Word, EPUB."""

import io
import posixpath
import zipfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from urllib.parse import unquote
from xml.etree import ElementTree

from pipeline.errors import SproutError, silenced
from pipeline.passages.files import PACKAGES
from pipeline.passages.notes import Notes
from pipeline.passages.plain import NoText, text_of
from pipeline.passages.web import declared_encoding, page_text
from pipeline.resources import install

MAX_BYTES = 1 << 28  # of a file in an archive, once it is unpacked


def packed_text(kind: str, data: bytes, name: str, notes: Notes) -> str:
    """The text of a document of that kind, as Markdown has it.

    Raises:
        NoText: for one that is damaged, needs a password, or holds no text.
        SproutError: for one whose package is not installed.
    """
    if (package := PACKAGES.get(kind)) and find_spec(package) is None:
        raise SproutError(f"{name}: {package} reads it and is not installed: {install('documents')}")
    with silenced("pypdf", "mammoth"):
        try:
            text = _READERS[kind](data, name, notes)
        except NoText:
            raise
        except Exception as error:  # the libraries raise whatever a damaged file leads them to
            raise NoText(f"{_NAMES[kind]} files that are damaged ({type(error).__name__})") from None
    if not text.strip():
        raise NoText(f"{_NAMES[kind]} files without any text, such as scans")
    return text


def _pdf(data: bytes, name: str, notes: Notes) -> str:
    import pypdf

    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise NoText("PDF files that need a password")
    return "\n\n".join(_joined(page.extract_text()) for page in reader.pages)


def _joined(page: str) -> str:
    """A page whose lines are those of its paragraphs: a word that is divided at the end of a line is whole again."""
    lines = page.split("\n")
    for number in range(len(lines) - 1):
        before, after = lines[number], lines[number + 1]
        if before.endswith("-") and before[-2:-1].isalpha() and after[:1].islower():
            word, space, rest = after.partition(" ")
            lines[number], lines[number + 1] = before[:-1] + word, rest if space else ""
    return "\n".join(line.strip() for line in lines).strip()


def _docx(data: bytes, name: str, notes: Notes) -> str:
    import mammoth

    def no_image(image: object) -> dict[str, str]:
        return {}

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        _check_sizes(archive)
    html = mammoth.convert_to_html(io.BytesIO(data), convert_image=mammoth.images.img_element(no_image)).value
    return page_text(html)


def _epub(data: bytes, name: str, notes: Notes) -> str:
    """The chapters in the order in which they are read."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        _check_sizes(archive)
        chapters = []
        for path in _chapters(archive):
            page = archive.read(path)
            chapters.append(page_text(text_of(page, name, notes, declared_encoding(page))))
    return "\n\n".join(chapters)


def _chapters(archive: zipfile.ZipFile) -> Iterator[str]:
    container = ElementTree.fromstring(archive.read("META-INF/container.xml"))
    package = next(one.attrib["full-path"] for one in container.iter() if one.tag.endswith("}rootfile"))
    root = ElementTree.fromstring(archive.read(package))
    items = {one.attrib["id"]: one.attrib for one in root.iter() if one.tag.endswith("}item")}
    names = {*archive.namelist()}
    for place in root.iter():
        item = items.get(place.attrib.get("idref", "")) if place.tag.endswith("}itemref") else None
        if item is None or "nav" in item.get("properties", "").split():
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(package), unquote(item["href"])))
        if path in names:
            yield path


def _check_sizes(archive: zipfile.ZipFile) -> None:
    if any(one.file_size > MAX_BYTES for one in archive.infolist()):
        raise NoText(f"archives that unpack to more than {MAX_BYTES >> 20} MiB")


_NAMES = {".pdf": "PDF", ".docx": "Word", ".epub": "EPUB"}
_READERS: dict[str, Callable[[bytes, str, Notes], str]] = {".pdf": _pdf, ".docx": _docx, ".epub": _epub}
