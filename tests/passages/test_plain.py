"""Bytes of any encoding that people have are text, and what is no text is named."""

import codecs

import pytest

from pipeline.passages.notes import Notes
from pipeline.passages.plain import NoText, text_of

GERMAN = "Der Fluß fließt über große Steine, und die Bäume grünen. Straße, Öl, Übermut: das wäre schön.\n"
FRENCH = "Le café du théâtre était fermé; l'été dernier, nous y avons dîné à côté de l'église.\n"
ENGLISH = "Don’t forget — the “naïve” approach costs £5.\n"
SPANISH = "El niño comió mañana en la montaña. ¿Dónde está la señora? ¡Qué día!\n"
POLISH = "Zażółć gęślą jaźń. Łódź leży w środku Polski, a Kraków na południu.\n"
RUSSIAN = "Москва стоит на реке, и зимой здесь холодно. Мы пили чай и говорили о погоде.\n"
GREEK = "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας.\n"
JAPANESE = "東京は日本の首都です。人口は約千四百万人で、世界でも大きな都市の一つです。\n"


@pytest.mark.parametrize("times", [1, 20])
@pytest.mark.parametrize(
    ("text", "encoding", "said"),
    [
        (GERMAN, "utf-8", ""),
        (JAPANESE, "utf-8", ""),
        (ENGLISH, "utf-16-le", ""),
        (GERMAN, "utf-16-be", ""),
        (GERMAN, "latin-1", "cp1252"),
        (FRENCH, "latin-1", "cp1252"),
        (SPANISH, "latin-1", "cp1252"),
        (ENGLISH, "cp1252", "cp1252"),
        (POLISH, "cp1250", "cp1250"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "koi8_r", "koi8_r"),
        (GREEK, "cp1253", "cp1253"),
        (JAPANESE, "shift_jis", "cp932"),
        (JAPANESE, "euc_jp", "euc_jp"),
    ],
)
def test_an_encoding_is_known_by_the_bytes(text, encoding, said, times):
    notes = Notes()

    assert text_of((text * times).encode(encoding), "a.txt", notes) == text * times
    assert notes.said() == ([f"files that are not UTF-8, read as {said}: 1 (a.txt)"] if said else [])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_names_the_encoding_and_is_no_text(encoding):
    assert text_of(GERMAN.encode(encoding), "a.txt", Notes()) == GERMAN


def test_what_a_page_declares_counts_before_a_guess():
    assert text_of(POLISH.encode("iso8859-2"), "a.html", Notes(), "iso-8859-2") == POLISH
    assert text_of(GERMAN.encode("latin-1"), "a.html", Notes(), "no-such-encoding") == GERMAN


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"one\r\ntwo\rthree\n", "one\ntwo\nthree\n"),
        (b"page one\x0cpage two", "page one\x0cpage two"),
        (b"", ""),
        (codecs.BOM_UTF8, ""),
        (
            b"a line of words that has a bell\x07 in it" + b" and more of them" * 9,
            "a line of words that has a bell in it" + " and more of them" * 9,
        ),
    ],
)
def test_line_ends_are_one_and_control_characters_go(data, text):
    assert text_of(data, "a.txt", Notes()) == text


def test_one_wrong_byte_makes_no_other_encoding():
    notes = Notes()
    text = text_of((GERMAN * 5).encode() + b"\xff\n" + GERMAN.encode(), "a.txt", notes)

    assert text == GERMAN * 5 + "\ufffd\n" + GERMAN
    assert notes.said() == ["files with bytes that are no UTF-8, which are U+FFFD: 1 (a.txt)"]


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9,
        b"\0" * 999,
        b"\x7fELF\2\1\1" + b"\0\1\2\3" * 99,
        bytes(range(32)) * 50,
    ],
)
def test_bytes_that_are_no_text_are_named(data):
    with pytest.raises(NoText, match="files that are binary"):
        text_of(data, "a.txt", Notes())
