"""Texts posted under pairs of frequent tokens are found as those are that are posted under single ones."""

import random

import pytest

from pipeline.novelty.rouge import RougeIndex


def texts_and_edits(rng: random.Random, num_words: int, max_length: int) -> list[str]:
    """Texts of frequent and of rare words; half of them are an earlier one with some words put in or taken out."""
    texts: list[list[str]] = [["w0"]]
    for _ in range(800):
        words = [f"w{int(num_words ** rng.random())}" for _ in range(rng.randint(1, max_length))]
        if rng.random() < 0.5:
            words = [*rng.choice(texts)]
            for _ in range(rng.randint(1, 3)):
                at = rng.randint(0, len(words))
                words[at : at + rng.randint(0, 1)] = [f"w{rng.randrange(num_words)}"] * rng.randint(0, 1)
        texts.append(words or ["w0"])
    return [" ".join(words) for words in texts]


@pytest.mark.parametrize("max_length", [6, 18, 40, 70])
@pytest.mark.parametrize("max_rouge", [0.2, 0.5, 0.7, 0.9])
def test_pairs_of_frequent_tokens_find_what_single_ones_find(max_rouge: float, max_length: int) -> None:
    rng = random.Random(f"{max_rouge} {max_length}")
    texts = texts_and_edits(rng, num_words=rng.choice([8, 40, 150]), max_length=max_length)
    alone = RougeIndex(texts[:700], max_rouge, often=1_000_000)
    found = [alone.nearest(text) for text in texts[700:]]
    assert sum(one.text is not None for one in found) > 5
    for often in (0, 20, 100):
        index = RougeIndex(texts[:700], max_rouge, often)
        assert [index.nearest(text) for text in texts[700:]] == found


def test_a_text_that_shares_all_pairs_with_all_others_is_compared_with_all() -> None:
    rng = random.Random(1)
    words = [f"w{number}" for number in range(24)]
    texts = [" ".join(rng.sample(words, 24)) for _ in range(300)]
    index = RougeIndex(texts, 0.5, often=0)
    for text in texts[:20]:
        assert index.nearest(text).text == text
        edited = " ".join([*text.split()[:23], "new"])
        best = index.closest(edited)
        assert best.score > 0.9
        assert index.nearest(edited) == best
