"""Tokens are those of rouge_score on ASCII, and words or characters in other scripts."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.tokenizers import DefaultTokenizer

from pipeline.novelty.tokens import tokens

rouge_tokens = DefaultTokenizer(use_stemmer=False).tokenize


@settings(max_examples=500, deadline=None)
@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_text_has_the_tokens_of_rouge_score(text: str) -> None:
    assert tokens(text) == rouge_tokens(text)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(max_codepoint=127)))
def test_one_character_outside_ascii_does_not_change_the_other_tokens(text: str) -> None:
    assert tokens(text + " é") == [*rouge_tokens(text), "é"]


@settings(max_examples=500, deadline=None)
@given(st.text(st.characters()))
def test_any_text_has_tokens_without_spaces(text: str) -> None:
    assert all(token and not any(map(str.isspace, token)) for token in tokens(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n", []),
        ("?!…", []),
        ("😀👍🏽", []),
        ("Don't stop_me", ["don", "t", "stop", "me"]),
        ("Don’t stop", ["don", "t", "stop"]),
        ("Crème BRÛLÉE", ["crème", "brûlée"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("Напиши стихотворение", ["напиши", "стихотворение"]),
        ("ΣΟΦΟΣ σοφός", ["σοφοσ", "σοφόσ"]),
        ("اكتب قصيدة", ["اكتب", "قصيدة"]),
        ("می\u200cخواهم", ["میخواهم"]),
        ("हिन्दी में लिखो", ["हिन्दी", "में", "लिखो"]),
        ("தமிழ் மொழி", ["தமிழ்", "மொழி"]),
        ("한국어 시", ["한국어", "시"]),
        ("写一首诗。", ["写", "一", "首", "诗"]),
        ("用Python3写诗", ["用", "python3", "写", "诗"]),
        ("かなカナ", ["か", "な", "カ", "ナ"]),
        ("กินข้าว", ["กิ", "น", "ข้", "า", "ว"]),
        ("ที่AI", ["ที่", "ai"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
        ("𠮷野", ["𠮷", "野"]),
        ("ＡＢＣ １２３", ["abc", "123"]),
        ("x² + 1", ["x2", "1"]),
        ("\ufeffWrite a po\u00adem", ["write", "a", "poem"]),
        ("\ud800write\udfff it", ["write", "it"]),
        ("nul\0nul é", ["nul", "nul", "é"]),
    ],
)
def test_words_and_spaceless_characters_are_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize("text", ["Crème brûlée", "한국어 시", "がぎぐ", "हिन्दी क़लम", "Việt Nam", "เขียนคำ"])
def test_composed_and_decomposed_text_have_the_same_tokens(text: str) -> None:
    assert tokens(unicodedata.normalize("NFD", text)) == tokens(unicodedata.normalize("NFC", text))
