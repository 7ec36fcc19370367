"""A folder gives the same passages on every machine, and what cannot be read is said in a sentence each."""

import gzip
import json
import os
import random
import sys

import pytest

from pipeline.errors import SproutError
from pipeline.passages.collect import Cut, Passages
from pipeline.passages.notes import Notes
from pipeline.passages.read import Texts
from tests.passages.conftest import docx, epub, pdf, zipped

CUT = Cut(words=100, min_words=1)


def read(*places, **settings):
    return Passages(Texts(tuple(map(str, places)), **settings), CUT)


def documents(*places, **settings):
    notes = Notes()
    found = list(Texts(tuple(map(str, places)), **settings).documents(notes))
    return {one.file: one.text for one in found}, notes.said()


def test_files_come_by_name_folders_after_files_and_hidden_ones_not_at_all(notes):
    folder = notes(**{"b.md": "B", "a.txt": "A", "z/c.md": "C", "m/d.html": "<p>D", ".git/x.md": "X", "README": "R"})

    found, said = documents(folder)

    assert [*found.items()] == [("README", "R"), ("a.txt", "A"), ("b.md", "B"), ("m/d.html", "D"), ("z/c.md", "C")]
    assert said == ["hidden files and folders, left out: 1 (.git)"]


def test_the_order_in_which_files_were_made_and_where_they_lie_change_nothing(notes, tmp_path):
    files = {f"{n % 7}/{n}.md": f"Note {n} is about the number {n}." for n in range(60)}
    one = notes(**files)
    one.rename(tmp_path / "one")
    other = notes(**dict(random.Random(1).sample([*files.items()], len(files))))

    first, second = read(tmp_path / "one"), read(other)

    assert [*first.drawn(5)] == [*second.drawn(5)]
    assert first.digest == second.digest
    assert {one.file for one in first} == {*files}


def test_a_name_that_a_system_decomposes_is_the_same(notes, tmp_path):
    notes(**{"caf\u00e9.md": "Coffee."}).rename(tmp_path / "one")

    assert read(tmp_path / "one").digest == read(notes(**{"cafe\u0301.md": "Coffee."})).digest


@pytest.mark.parametrize(("name", "content"), [("a.md", "Other."), ("c.md", "Text."), ("a.txt", "Text.")])
def test_another_text_or_name_has_another_digest(notes, name, content):
    before = read(notes(**{"a.md": "Text.", "b.md": "More."})).digest

    assert read(notes(**{name: content})).digest != before


def test_an_encoding_is_no_other_text(notes):
    before = read(notes(**{"a.txt": "Größe"})).digest

    assert read(notes(**{"a.txt": "Größe".encode("utf-16")})).digest == before


def test_passages_that_are_alike_are_taken_once(notes):
    found = read(notes(**{"a.md": "Same text.\n", "b.md": "same  TEXT.", "c.md": "Other text."}))

    assert [one.file for one in found] == ["a.md", "c.md"]
    assert found.notes.said() == ["passages that are there twice, and taken once: 1 (b.md)"]


def test_a_larger_number_adds_passages_to_a_smaller_one(notes):
    found = read(notes(**{f"{n}.md": f"Note {n}." for n in range(50)}))
    order = [one.file for one in found.drawn(3)]

    assert [one.file for one in found.drawn(3, 20)] == order[:20]
    assert sorted(order) == sorted(f"{n}.md" for n in range(50))
    assert order not in (sorted(order), [one.file for one in found.drawn(4)])


def test_several_places_are_told_apart_by_their_names(notes, tmp_path):
    folder = notes(**{"a.md": "A."})
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.md").write_text("B.")
    (tmp_path / "c.md").write_text("C.")

    assert documents(folder, tmp_path / "more", tmp_path / "c.md")[0] == {
        "notes/a.md": "A.",
        "more/a.md": "B.",
        "c.md": "C.",
    }


def test_patterns_choose_files(notes):
    folder = notes(**{"a.md": "A", "b.txt": "B", "c/d.md": "D", "e.org": "E", "f.xyz": "F"})

    assert {*documents(folder, only=("*.md", "*.org"))[0]} == {"a.md", "c/d.md", "e.org"}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"", "files that are empty: 1 (a.txt)"),
        ("a.md", b" \r\n\t", "files that are empty: 1 (a.md)"),
        ("a.txt", b"\x89PNG\r\n\x1a\n" + bytes(256), "files that are binary, whatever their names say, left out: 1 (a.txt)"),
        ("a.txt", b"{\\rtf1\\ansi Hello.}", "files of a word processor, RTF, which would have to be saved as plain text, left out: 1 (a.txt)"),
        ("a.md", b"%PDF-1.7\n" + bytes(256), "files that are PDF, whatever their names say, left out: 1 (a.md)"),
        ("a.png", b"\x89PNG", "files of a kind that is not read (.png), left out: 1 (a.png)"),
        ("a.py.gz", b"", "files of a kind that is not read (.gz), left out: 1 (a.py.gz)"),
        ("a.txt", b"x" * 2001, "files larger than 0 MB, left out: 1 (a.txt, 0 MB)"),
        ("a.html", b"<script>only()</script>", "files that are empty: 1 (a.html)"),
        ("a.epub", b"PK\x03\x04 broken", "EPUB files that are damaged (BadZipFile), left out: 1 (a.epub)"),
        ("a.epub", zipped(mimetype="application/epub+zip"), "EPUB files that are damaged (KeyError), left out: 1 (a.epub)"),
        ("a.epub", epub("", ""), "EPUB files without any text, such as scans, left out: 1 (a.epub)"),
        ("a.jsonl", b'{"text": ', "files of rows that cannot be read (1: not JSON (expecting value); each line is one JSON object): 1 (a.jsonl)"),
        ("a.json", b'{"name": "package", "version": 1}', "rows without a text in text, content, body, document, passage, context, article, page_content or markdown; say in `field` which has it: 1 (a.json, with name, version)"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_counted_and_the_rest_goes_on(notes, name, content, said):
    found, remarks = documents(notes(**{"good.md": "Good.", name: content}), max_bytes=2000)

    assert found == {"good.md": "Good."}
    assert remarks == [said]


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("a.pdf", lambda: pdf("one", password="secret"), "PDF files that need a password, left out: 1 (a.pdf)"),
        ("a.pdf", lambda: pdf(), "PDF files without any text, such as scans, left out: 1 (a.pdf)"),
        ("a.pdf", lambda: b"%PDF-1.7 broken", "PDF files that are damaged"),
        ("a.docx", lambda: zipped(a="b"), "Word files that are damaged"),
        ("a.docx", lambda: b"\xd0\xcf\x11\xe0 an old one", "Word files that are damaged"),
    ],
)
def test_documents_that_are_packed_and_cannot_be_read_are_named(notes, name, make, said):
    pytest.importorskip("pypdf")
    pytest.importorskip("mammoth")
    found, (remark,) = documents(notes(**{"good.md": "Good.", name: make()}))

    assert found == {"good.md": "Good."}
    assert remark.startswith(said)


def test_documents_that_are_packed_are_read(notes):
    pytest.importorskip("mammoth")
    folder = notes(
        **{
            "a.pdf": pdf("The mill has stood by the ri-", "ver since 1702."),
            "b.docx": docx("A first paragraph.", "A second one."),
            "c.epub": epub("<h1>One</h1><p>Begins.", "<p>Ends."),
        }
    )

    assert documents(folder) == (
        {
            "a.pdf": "The mill has stood by the river\nsince 1702.",
            "b.docx": "A first paragraph.\n\nA second one.",
            "c.epub": "# One\n\nBegins.\n\nEnds.",
        },
        [],
    )


def test_packages_that_read_a_folder_are_known_before(notes):
    folder = notes(**{"a.pdf": b"", "b.DOCX": b"", "c.md": b""})

    assert Texts((str(folder),)).needs() == {"pypdf": "documents", "mammoth": "documents"}
    assert Texts((str(folder),), only=("*.md",)).needs() == {}


def test_a_file_that_vanishes_while_others_are_read_is_named(notes):
    folder = notes(**{"a.md": "A.", "b.md": "B.", "c.md": "C."})
    remarks = Notes()
    reading = Texts((str(folder),)).documents(remarks)

    found = [next(reading).file]
    (folder / "b.md").unlink()

    assert found + [one.file for one in reading] == ["a.md", "c.md"]
    assert remarks.said() == ["files that cannot be read (No such file or directory), left out: 1 (b.md)"]


def test_links_are_followed_but_not_in_a_circle(notes, tmp_path):
    folder = notes(**{"a/b.md": "B."})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c.md").write_text("C.")
    (folder / "a" / "up").symlink_to(folder)
    (folder / "d").symlink_to(tmp_path / "elsewhere")
    (folder / "self.md").symlink_to(folder / "self.md")
    (folder / "gone.md").symlink_to(folder / "nothing.md")
    os.mkfifo(folder / "pipe.md")

    found, said = documents(folder)

    assert found == {"a/b.md": "B.", "d/c.md": "C."}
    assert said == [
        "links that lead nowhere, and what is no file, left out: 3 (gone.md, pipe.md, self.md)",
        "links to a folder that was read before: 1 (a/up/)",
    ]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_and_a_folder_that_may_not_be_read_are_named(notes):
    folder = notes(**{"a.md": "A.", "b.md": "B.", "c/d.md": "D."})
    (folder / "b.md").chmod(0)
    (folder / "c").chmod(0)
    found, said = documents(folder)
    (folder / "c").chmod(0o755)

    assert found == {"a.md": "A."}
    assert said == [
        "files that cannot be read (Permission denied), left out: 1 (b.md)",
        "folders that cannot be read (Permission denied): 1 (c/)",
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", b'{"text": "One."}\n\n{"text": "Two.", "id": 7}\n'),
        ("rows.jsonl", b'\xef\xbb\xbf{"text": "One."}\r\n{"text": "Two."}'),
        ("rows.jsonl.gz", gzip.compress(b'{"text": "One."}\n{"text": "Two."}\n', mtime=0)),
        ("rows.json", json.dumps([{"text": "One."}, {"text": "Two."}]).encode()),
        ("rows.json", json.dumps({"data": [{"text": "One."}, {"text": "Two."}]}).encode()),
        ("rows.csv", b"id,text\n1,One.\n2,Two.\n"),
    ],
)
def test_rows_with_a_text_are_documents(notes, name, content):
    found = list(Texts((str(notes(**{name: content})),)).documents(Notes()))

    assert [(one.file, one.text) for one in found] == [(name, "One."), (name, "Two.")]
    assert found[0].row < found[1].row


def test_rows_of_parquet_and_of_a_data_set_are_documents(notes, tmp_path):
    import datasets

    rows = datasets.Dataset.from_list([{"body": "One."}, {"body": "Two."}])
    rows.to_parquet(notes(**{"x.md": "X."}) / "rows.parquet")
    rows.save_to_disk(tmp_path / "saved")

    assert [one.text for one in Texts((str(tmp_path / "notes"),)).documents(Notes())] == ["One.", "Two.", "X."]
    assert [(one.file, one.row) for one in Texts((str(tmp_path / "saved"),)).documents(Notes())] == [
        ("saved", 1),
        ("saved", 2),
    ]


def test_a_field_of_ones_own_holds_the_text(notes):
    folder = notes(**{"rows.jsonl": '{"text": "No.", "essay": "One."}\n{"essay": "Two."}\n{"text": "No."}\n'})
    remarks = Notes()

    assert [one.text for one in Texts((str(folder),), field="essay").documents(remarks)] == ["One.", "Two."]
    assert remarks.said() == ["rows without a text in essay; say in `field` which has it: 1 (rows.jsonl, with text)"]


def test_a_file_of_rows_that_is_named_and_cannot_be_read_is_an_error(notes):
    path = notes(**{"rows.jsonl": '{"text": "One."}\n{"text": \n'}) / "rows.jsonl"

    with pytest.raises(SproutError, match=r"rows.jsonl:2: not JSON \(expecting value\); each line is one JSON object"):
        documents(path)


def test_a_place_where_nothing_is_is_an_error():
    with pytest.raises(
        SproutError, match=r"no/such/notes\.md: there is no such file or folder; give a file or a folder"
    ):
        documents("no/such/notes.md")


def test_a_folder_of_two_hundred_files_of_all_encodings_is_read_whole(notes):
    encodings = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "utf-32"]
    text = "# Note {n}\n\nDas {n}. Café liegt an der Straße; früher hieß es „Größe {n}“, und es öffnet täglich um zehn."
    shapes = {"md": "{}", "txt": "{}", "html": "<html><body><nav>Menü</nav><pre>{}</pre></body></html>"}
    files: dict[str, str | bytes] = {}
    for n in range(200):
        ending = [*shapes][n % 3]
        own = shapes[ending].format(text.format(n=n)).replace("\n", "\r\n" if n % 2 else "\n")
        files[f"{n % 10}/{n:03}.{ending}"] = own.encode(encodings[n % len(encodings)])
    files |= {"bad/a.md": b"", "bad/b.txt": bytes(range(256)), "bad/c.zip": b"PK", "bad/d.md": b"\x7fELF" + bytes(99)}
    folder = notes(**files)
    (folder / "bad" / "e.md").symlink_to("nothing")

    found = read(folder)

    assert found.num_documents == 200
    assert len(found) == 200
    for one in found:
        assert f"Das {int(one.file[2:5])}. Café liegt an der Straße; früher hieß es „Größe" in one.text
        assert "Menü" not in one.text
    assert sum(map(len, found.notes.names.values())) < 12
    assert found.notes.counts["files that are not UTF-8, read as cp1252"] == 33
    assert sum(found.notes.counts.values()) == 33 + 5
