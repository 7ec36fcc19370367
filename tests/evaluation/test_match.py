"""`match`: what a reader takes for the same answer, where exact match takes too much or too little."""

import time

import pytest

from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.match import match
from pipeline.evaluation.metrics import Words, exact_match, num_unseen, rouge_l, score

SAME = [
    ("Yes.", "yes"), (" new   york\n", "New York"), ("Yes!!", "yes"), ("No?", "no"), ('"blue"', "blue"), ("“blue”", "blue"), ("**Blue**.", "blue"),
    ("`x`", "x"), ("it’s", "it's"), ("a – b", "a - b"), ("a−b", "a-b"), ("wait…", "wait"), ("東京。", "東京"), ("はい！", "はい"), ("हाँ।", "हाँ"),
    ("ﬁne", "fine"), ("Ｃ＋＋", "C++"), ("e\u0301", "é"), ("soft\u00adhyphen", "softhyphen"), ("no\u00a0break", "no break"), ("Straße", "STRASSE"), ("b", "B"),
    ("1,000", "1000"), ("１，０００", "1000"), ("1\u202f000", "1000"), ("1 000", "1000"), ("1'000", "1000"), ("1,000,000.50", "1000000.5"), ("5.0", "5"), ("5.", "5"),
    (".5", "0.5"), ("+5", "5"), ("−5", "-5"), ("-5.00", "-5"), ("1e3", "1000"), ("٥", "5"), ("५", "5"), ("50 %", "50%"), ("-0", "0"),
    ("It costs 1,000 dollars.", "it costs 1000 dollars"), ("", ""), ("3,5", "3,5"),
]  # fmt: skip
OTHER = [
    ("-5", "5"), ("3.14", "314"), ("C", "C++"), ("C", "C#"), ("5!", "5"), ("$5", "5"), ("10²", "102"), ("x²", "x2"), ("007", "7"), ("1,5", "1.5"), ("1,00", "100"),
    ("Python 3.10", "Python 3.1"), ("1, 2", "12"), ("1/2", "12"), ("½", "12"), ("5", "5 apples"), ("", "..."), ("...", ""), ("U.S.A", "usa"), ("well-known", "wellknown"),
    (".NET", "net"), ("the cat", "cat"), ("e", "."), ("+", "-"), ("a b", "ab"), ("1e999", "1"), ("[1]", "1"), ("nan", "0"), ("１：２", "12"), ("", "no"),
]  # fmt: skip


@pytest.mark.parametrize(("prediction", "reference"), SAME)
def test_typography_and_the_form_of_numbers_are_looked_past(prediction: str, reference: str) -> None:
    assert match(prediction, [reference]) == match(reference, [prediction]) == 1


@pytest.mark.parametrize(("prediction", "reference"), OTHER)
def test_signs_points_and_words_count(prediction: str, reference: str) -> None:
    assert match(prediction, [reference]) == match(reference, [prediction]) == 0


def test_any_reference_will_do_and_exact_match_stays_as_published() -> None:
    assert match("b", ["a", "b"]) == 1
    assert match("b", []) == 0
    assert exact_match("-5", ["5"]) == exact_match("3.14", ["314"]) == exact_match("C", ["C++"]) == 1


def test_long_nonsense_takes_no_time() -> None:
    for text in (
        "." * 200_000,
        '"' * 200_000,
        "1," * 100_000,
        "1,000" * 50_000,
        "9" * 200_000,
        "a!" * 100_000,
        "' " * 100_000,
    ):
        begun = time.process_time()
        match(text, [text[:-1]])
        assert time.process_time() - begun < 2, text[:4]  # a search that looks back again and again takes minutes


def instance(*outputs: str, track: str = "default") -> HeldOut:
    return HeldOut(id="1", task="t", track=track, instruction="?", outputs=outputs)


@pytest.mark.parametrize(
    ("outputs", "unseen"),
    [
        (("蓝色",), 1), (("синий",), 1), (("أزرق",), 1), (("नीला",), 1), (("파란색",), 1), (("ab日本",), 1), (("😀",), 1), (("+",), 1), (("",), 1),
        (("blue",), 0), (("café",), 0), (("42",), 0), (("“A”",), 0), (("蓝色", "blue"), 0), (("蓝色", "青"), 1), (("使用 Python 编程",), 0),
    ],
)  # fmt: skip
def test_references_that_rouge_l_does_not_see_are_counted(outputs: tuple[str, ...], unseen: int) -> None:
    assert num_unseen([instance(*outputs)]) == unseen
    if unseen and any(char.isalpha() for text in outputs for char in text):
        assert num_unseen([instance(*outputs)], Words()) == 0


class Pieces:
    def tokenize(self, text: str) -> list[str]:
        return [*text]


def test_the_xlingual_track_sees_all_and_words_see_every_script() -> None:
    assert num_unseen([instance("蓝色", track="xlingual")], Pieces()) == 0
    assert num_unseen([instance("蓝色")], Pieces()) == 1
    assert num_unseen([instance("+")], Words()) == 1
    assert rouge_l("天空是蓝色的", ["蓝色"]) == 0
    assert rouge_l("蓝色", ["蓝色"], Words()) == 1
    assert rouge_l("синее небо", ["небо синее"], Words()) == pytest.approx(0.5)
    assert score(instance("синий", track="default"), "Синий!", Words()).rouge_l == 1
    assert score(instance("синий", track="xlingual"), "Синий!", Words()).rouge_l == 1
    assert rouge_l("The cat sat.", ["the cat sat"], Words()) == 1
