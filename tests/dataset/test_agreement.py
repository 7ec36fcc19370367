"""Kappa and Wilson's interval are those that others have published."""

from collections import Counter

import pytest

from pipeline.dataset.agreement import agreement, cohen, fleiss
from pipeline.dataset.quality import margin_of, sample_size, wilson

# Fourteen raters put ten things into five categories; the worked example of the article on Fleiss' kappa in Wikipedia.
FOURTEEN = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def test_cohens_kappa_is_the_published_one():
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15

    assert cohen(pairs) == pytest.approx(0.4)  # the worked example of the article in Wikipedia


def test_fleiss_kappa_is_the_published_one():
    counts = [Counter({category: number for category, number in enumerate(row) if number}) for row in FOURTEEN]

    assert fleiss(counts) == pytest.approx(0.210, abs=5e-4)


def test_fleiss_kappa_of_two_who_use_the_categories_alike_is_cohens():
    pairs = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 5 + [(0, 0)] * 10

    assert fleiss([Counter(pair) for pair in pairs]) == pytest.approx(cohen(pairs))


@pytest.mark.parametrize(
    ("yes", "of", "low", "high"),  # Newcombe 1998, Statistics in Medicine 17: 857-872, table I, method 3
    [(81, 263, 25.53, 36.62), (15, 148, 6.24, 16.05), (0, 20, 0.0, 16.11), (1, 29, 0.61, 17.18)],
)
def test_wilsons_interval_is_the_published_one(yes, of, low, high):
    assert wilson(yes, of) == pytest.approx((low, high), abs=0.005)


@pytest.mark.parametrize("margin", [3, 5, 10, 20])
def test_a_sample_gives_the_margin_that_was_asked_for_and_no_smaller_one_does(margin):
    size = sample_size(margin)

    assert margin_of(2 * (size // 2)) <= margin + 0.1
    assert margin_of(2 * (size // 2) - 4) > margin - 0.1 * margin / 10
    assert margin_of(100) == pytest.approx(9.6, abs=0.1)


def test_agreement_counts_what_two_have_rated_and_says_who_they_are():
    ratings = [{"anna": True, "bo": True}, {"anna": True, "bo": False}, {"anna": False}, {"anna": False, "bo": False}]
    found = agreement(ratings)

    assert found is not None
    assert (found.raters, found.items, found.share) == (2, 3, pytest.approx(66.67))
    assert found.kappa == pytest.approx(0.4)
    assert "Cohen's" in found.meaning
    assert agreement([{"anna": True}, {"bo": True}]) is None


def test_three_who_all_say_the_same_agree_without_a_kappa():
    found = agreement([{"a": True, "b": True, "c": True}, {"a": True, "b": True}])

    assert found is not None
    assert (found.share, found.kappa) == (100, None)
    assert str(found) == "100 % of 2, κ –"
    assert "Fleiss'" in found.meaning
