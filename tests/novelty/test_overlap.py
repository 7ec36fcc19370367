"""The share of a held-out text that stands in another: the same as by looking at every pair."""

import random
import time

import pytest

from pipeline.novelty.overlap import Overlap, OverlapIndex
from pipeline.novelty.tokens import tokens

HELD = "a b c d e f g h i j k l m n o p"


def share(held: str, text: str, size: int = 8) -> float:
    """By the definition, word by word."""
    words, theirs = tokens(held), tokens(text)
    ngrams = {tuple(theirs[i : i + size]) for i in range(len(theirs) - size + 1)}
    covered = {
        j for i in range(len(words) - size + 1) if tuple(words[i : i + size]) in ngrams for j in range(i, i + size)
    }
    return len(covered) / len(words) if words else 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HELD, 1),
        ("x " + HELD + " y", 1),
        ("A, b? C! (d) e: f g\nH", 8 / 16),  # case, punctuation and line ends aside
        ("b c d e f g h i j", 9 / 16),
        ("a b c d e f g", 0),  # seven in a row
        ("a b c d e f g x h i j k l m n", 0),
        ("a b c d e f g h x i j k l m n o p", 1),
        ("p o n m l k j i h g f e d c b a", 0),
        ("a b c d e f g h a b c d e f g h", 8 / 16),  # twice is not more
        ("", 0),
    ],
)
def test_words_count_that_are_part_of_eight_in_a_row(text, expected):
    found = OverlapIndex([HELD]).closest(text)

    assert found == Overlap(expected, 0 if expected else None)


def test_it_finds_what_a_look_at_every_pair_finds():
    rng = random.Random(0)
    held = [" ".join(rng.choices("abc", k=rng.randrange(1, 14))) for _ in range(60)]
    index = OverlapIndex(held, size=4)

    for _ in range(300):
        text = " ".join(rng.choices("abcd", k=rng.randrange(1, 20)))
        shares = [share(one, text, 4) for one in held]
        best = max(shares)
        assert index.closest(text) == (Overlap(best, shares.index(best)) if best else Overlap(0.0, None))


def test_what_is_shorter_than_an_n_gram_is_found_only_as_it_is():
    index = OverlapIndex(["Name a red fruit.", HELD, "name a RED fruit", ""])

    assert index.same("name a red fruit!") == Overlap(1, 0)
    assert index.same("Name a red fruit or two.") == Overlap(0, None)
    assert index.same(HELD) == Overlap(0, None)
    assert index.same("") == Overlap(0, None)
    assert index.closest("Name a red fruit.") == Overlap(0, None)
    assert OverlapIndex([]).closest(HELD) == OverlapIndex([""]).same("a") == Overlap(0, None)


def test_scripts_without_blanks_are_compared_character_by_character():
    index = OverlapIndex(["東京から京都まで電車で行く"])

    assert index.closest("あなたは東京から京都まで電車で行きました").share == pytest.approx(12 / 13)


def test_many_held_out_texts_that_begin_alike_are_searched_fast():
    rng = random.Random(1)
    begin = "in this task you will be given a sentence and your job is to classify it"

    def words(count: int) -> str:
        return " ".join(f"w{rng.randrange(5000)}" for _ in range(count))

    held = [f"{begin} {definition} {words(30)}" for definition in (words(50) for _ in range(40)) for _ in range(100)]
    start = time.monotonic()
    index = OverlapIndex(held)
    shares = [index.closest(f"{begin} {words(20)}").share for _ in range(200)]
    shares += [index.closest(words(30)).share for _ in range(2000)]

    assert max(shares) < 0.2
    assert time.monotonic() - start < 20
