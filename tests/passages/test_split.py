"""Passages are whole paragraphs below their heading, and none is longer than it may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.passages.split import halves, num_words, passages

WORDS = "one two three four five six seven eight nine ten"


def texts(text, words=10, **settings):
    return [one.text for one in passages(text, words, **settings)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a b\n\nc d", ["a b\n\nc d"]),
        (f"{WORDS}\n\nc d", [WORDS, "c d"]),
        ("# A\na b\n# B\nc d", ["# A\na b", "# B\nc d"]),
        ("# A\n\n## B\n\nc d", ["# A\n\n## B\n\nc d"]),
        ("A\n===\na b\n\nB\n---\nc d", ["A\n===\na b", "B\n---\nc d"]),
        ("#no heading\n\na b", ["#no heading\n\na b"]),
        (f"# A\n{WORDS}", [WORDS]),
        ("```\n# no heading\n\na b\n```\n\nc", ["```\n# no heading\n\na b\n```\n\nc"]),
        ("~~~\na\n```\nb\n~~~\n# C\nd", ["~~~\na\n```\nb\n~~~", "# C\nd"]),
        ("---\ntitle: no\ntags: [a]\n---\na b", ["a b"]),
        ('---\n# mine\n"title": no\n---\na b', ["a b"]),
        ("---\n---\na b", ["a b"]),
        ("---\n# A\n\nb: c\n\n---\n", ["---", "# A\n\nb: c\n\n---"]),
        ("+++\ntitle = 1\n+++\na b", ["a b"]),
        ("---\n\na b\n\n---\n\nc", ["---\n\na b\n\n---\n\nc"]),
        ("a <!-- no\n\nno --> b", ["a <!-- no\n\nno --> b".replace("<!-- no\n\nno -->", "")]),
        ("page one\fpage two", ["page one\npage two"]),
        (
            "one two three four five six. Seven eight nine ten eleven twelve.",
            ["one two three four five six.", "Seven eight nine ten eleven twelve."],
        ),
        ("a b c d e f g h i j k l m", ["a b c d e f g h i j", "k l m"]),
        ("a b c d e f g\n\nh i j:\n\nk l", ["a b c d e f g", "h i j:\n\nk l"]),
        (f"a b c:\n\n{WORDS}", ["a b c:", WORDS]),
        ("a\n\n# Last heading", ["a"]),
        ("# Heading alone", []),
        ("", []),
        (" \n\n\t\n", []),
        ("東京は日本の首都です。人口は多い。", ["東京は日本の首都です。", "人口は多い。"]),
        ("x" * 50, ["x" * 50]),
        ("x" * 900, ["x" * 300] * 3),
        ("東" * 25, ["東" * 10, "東" * 10, "東" * 5]),
    ],
)
def test_a_text_is_cut_at_headings_and_paragraphs(text, found):
    assert texts(text) == found


def test_a_short_section_is_joined_with_the_next():
    assert texts("# A\na\n# B\nb c\n# D\nd e", min_words=4) == ["# A\na\n# B\nb c", "# D\nd e"]


def test_a_passage_knows_the_headings_above_it():
    text = "# Trees\nTall.\n## Oaks\nGrey bark.\n## Elms\nRough.\n# Birds\nSmall."

    assert [one.heading for one in passages(text, 10)] == ["Trees", "Trees > Oaks", "Trees > Elms", "Birds"]


def test_separators_of_ones_own_cut_and_nothing_else_does():
    text = "# A\n\na b\n===\nc d\n\n# E\nf\n===\n" + WORDS + " eleven"

    assert texts(text, separators=["\n===\n"]) == ["# A\n\na b", "c d\n\n# E\nf", WORDS, "eleven"]


def test_thousands_of_separators_are_no_trouble():
    assert len(texts("a b\n===\n" * 5000, separators=["\n===\n"])) == 5000


def test_in_plain_text_a_number_sign_is_no_heading():
    assert texts("# a\nb\n\n# c\nd", is_markdown=False) == ["# a\nb\n\n# c\nd"]


@given(
    st.text(alphabet="abababababab .:#\n`-=\f東。<!>", max_size=400),
    st.integers(1, 12),
    st.integers(1, 4),
    st.booleans(),
)
def test_passages_are_parts_of_the_text_in_order_and_none_is_too_long(text, words, min_words, is_markdown):
    end = 0
    for one in passages(text, words, (), is_markdown, min_words):
        assert end <= one.start < one.end <= len(text)
        assert one.text
        assert one.text == one.text.strip()
        assert num_words(one.text) <= words
        if "<!--" not in text:
            assert one.text == text[one.start : one.end].replace("\f", "\n").strip()
        end = one.end


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("One two. Three four.", "One two.", "Three four."),
        ("One. Two. Three.", "One. Two.", "Three."),
        ("A line\nthat goes on. And ends.", "A line\nthat goes on.", "And ends."),
        ("首都です。人口は多い。", "首都です。", "人口は多い。"),
        ("No end", "", ""),
        ("One sentence.", "", ""),
        ("", "", ""),
    ],
)
def test_a_text_is_halved_at_the_end_of_a_sentence(text, first, second):
    assert halves(text) == (first, second)
