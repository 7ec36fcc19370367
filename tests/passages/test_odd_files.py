"""Files that say of themselves what cannot be, or hold texts where rows are expected."""

import pytest

from pipeline.passages.notes import Notes
from pipeline.passages.read import Texts


@pytest.mark.parametrize("name", ["hex", "base64", "idna", "rot13", "undefined", "utf-16", "none", "x"])
def test_a_page_that_names_an_encoding_it_cannot_have_is_read_as_what_it_looks_like(notes, name):
    page = f"<meta charset={name}><p>Müller schläft.".encode("cp1252")

    assert [one.text for one in Texts((str(notes(**{"a.html": page})),)).documents(Notes())] == ["Müller schläft."]


def test_a_list_of_texts_is_a_document_each(notes):
    folder = notes(**{"a.json": b'["One.", "Two."]', "b.jsonl": b'"One."\n"Two."\n'})

    assert [one.text for one in Texts((str(folder),)).documents(Notes())] == ["One.", "Two."] * 2
