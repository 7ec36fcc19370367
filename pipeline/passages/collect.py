"""All passages of a user's texts: read once, duplicates dropped, in an order that is drawn."""

import hashlib
import json
import logging
import random
import weakref
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import NamedTuple

from pipeline.passages.notes import Notes
from pipeline.passages.read import Document, Texts
from pipeline.passages.split import num_words, passages
from pipeline.text import counted, folded, hash_of, mend

logger = logging.getLogger(__name__)

IN_MEMORY = 1 << 26  # bytes of passages; more of them lie in a temporary file


class Placed(NamedTuple):
    """A passage, and where it is from."""

    text: str
    file: str
    start: int
    end: int
    heading: str
    row: int | None

    @property
    def id(self) -> str:
        """By its text alone, wherever that lies."""
        return "passage_" + hashlib.sha256(self.text.encode("utf-8", "replace")).hexdigest()[:16]


@dataclass(frozen=True)
class Cut:
    """How documents become passages; see `passages`."""

    words: int
    min_words: int
    separators: tuple[str, ...] = ()


class Passages(Sequence[Placed]):
    """The passages of texts, in the order of their files; memory holds 8 bytes of each, and some of their text.

    Attributes:
        digest: Of the texts and the names of their files; of the same texts it is the same on every machine.
        num_documents: Of those that hold text.
        notes: What was left out.
    """

    def __init__(self, texts: Texts, cut: Cut) -> None:
        self.notes, self.num_documents = Notes(), 0
        self._places = array("Q")
        self._file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # lives as long as the passages
        weakref.finalize(self, self._file.close)
        hashed, seen, end = hashlib.sha256(), set[int](), 0
        for document in texts.documents(self.notes):
            self.num_documents += 1
            hashed.update(json.dumps([document.file, document.row, document.text]).encode())
            for passage in self._new(document, cut, seen):
                self._places.append(end)
                end += self._file.write(json.dumps(passage).encode() + b"\n")
        self.digest = hashed.hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, which: int) -> Placed:  # type: ignore[override]  # none takes a slice of them
        self._file.seek(self._places[which])
        return Placed(*json.loads(self._file.readline()))

    def drawn(self, random_seed: int, most: int | None = None) -> Iterator[Placed]:
        """The first `most` of them in an order that the seed gives: a larger number adds to a smaller one."""
        order = array("Q", range(len(self)))
        random.Random(f"{random_seed}:passages").shuffle(order)
        return (self[which] for which in order[:most])

    def log(self, stage: str, where: str) -> None:
        """Say what was read, and what was left out."""
        found = f"{counted(len(self), 'passage')} of {counted(self.num_documents, 'document')}"
        logger.info("%s: %s in %s", stage, found, where)
        self.notes.log(where)

    def _new(self, document: Document, cut: Cut, seen: set[int]) -> Iterator[Placed]:
        """The passages that no document before has, and that are long enough."""
        found = [*passages(document.text, cut.words, cut.separators, document.is_markdown, cut.min_words)]
        if not found:
            self.notes.add("documents that hold headings and nothing else, left out", document.file)
        for one in found:
            if num_words(one.text) < cut.min_words:
                self.notes.add(f"passages of less than {cut.min_words} words, left out", document.file)
                continue
            if (known := hash_of(folded(one.text))) in seen:
                self.notes.add("passages that are there twice, and taken once", document.file)
                continue
            seen.add(known)
            yield Placed(mend(one.text), document.file, one.start, one.end, one.heading, document.row)
