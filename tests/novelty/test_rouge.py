"""Every decision and score of the index is that of rouge_score."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from pipeline.novelty import Nearest
from pipeline.novelty.rouge import RougeIndex, tokens

NONE = Nearest(0.0, None)
SCORER = RougeScorer(["rougeL"], use_stemmer=False)


def rouge_l(text: str, other: str) -> float:
    return float(SCORER.score(text, other)["rougeL"].fmeasure)


def closest(pool: Sequence[str], text: str) -> Nearest:
    """What rouge_score says."""
    best = NONE
    for other in pool:
        if (score := rouge_l(other, text)) > best.score:
            best = Nearest(score, other)
    return best


def above(best: Nearest, max_rouge: float) -> Nearest:
    return best if best.score > max_rouge else NONE


def random_texts(rng: random.Random, num: int, num_words: int, max_length: int) -> list[str]:
    """Texts over a small vocabulary; half of them are edits of an earlier one."""
    texts: list[list[str]] = []
    for _ in range(num):
        if texts and rng.random() < 0.5:
            words = list(rng.choice(texts))
            for _ in range(rng.randint(1, 3)):
                at = rng.randint(0, len(words))
                words[at : at + rng.randint(0, 1)] = [f"w{rng.randrange(num_words)}"] * rng.randint(0, 1)
        else:
            words = [f"w{rng.randrange(num_words)}" for _ in range(rng.randint(1, max_length))]
        texts.append(words or ["w0"])
    return [" ".join(words) for words in texts]


@pytest.mark.parametrize("num_words", [2, 5, 20, 200])
@pytest.mark.parametrize("max_rouge", [0.33, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99])
def test_every_decision_and_score_is_that_of_rouge_score(max_rouge: float, num_words: int) -> None:
    rng = random.Random(f"{max_rouge} {num_words}")
    texts = random_texts(rng, 130, num_words, max_length=rng.choice([4, 8, 16]))
    start = rng.choice([0, 20, 40])
    index = RougeIndex(texts[:start], max_rouge, often=rng.choice([0, 3, 500]))
    pairs = 0
    for position, text in enumerate(texts[start:], start):
        expected = closest(texts[:position], text)
        assert index.nearest(text) == above(expected, max_rouge)
        assert index.closest(text) == expected
        index.add(text)
        pairs += position
    rebuilt = RougeIndex(texts, max_rouge, often=rng.choice([0, 3, 500]))
    assert [rebuilt.nearest(text) for text in texts] == [index.nearest(text) for text in texts]
    assert pairs > 7_500  # 28 cases: more than 210,000


TIES = [
    (m, n, 7 * (m + n) // 20)
    for m in range(1, 160)
    for n in range(1, 161 - m)
    if 7 * (m + n) % 20 == 0 and 7 * (m + n) // 20 <= min(m, n)
]


def overlapping(rng: random.Random, m: int, n: int, lcs: int) -> tuple[str, str]:
    """Texts of m and n words with a longest common subsequence of `lcs`."""
    texts = []
    for length, own in (m, "a"), (n, "b"):
        words = [f"{own}{i}" for i in range(length)]
        for i, at in enumerate(sorted(rng.sample(range(length), lcs))):
            words[at] = f"shared{i}"
        texts.append(" ".join(words))
    return texts[0], texts[1]


def test_every_tie_at_the_threshold_falls_on_the_side_where_rouge_score_rounds_it() -> None:
    rng = random.Random(0)
    above_at_tie = 0
    for m, n, tie in TIES:
        for lcs in {max(1, tie - 1), tie, min(tie + 1, m, n)}:
            text, other = overlapping(rng, m, n, lcs)
            expected = Nearest(rouge_l(other, text), other)
            assert RougeIndex([other]).nearest(text) == above(expected, 0.7)
            waiting = RougeIndex()
            waiting.add(other)
            assert waiting.nearest(text) == above(expected, 0.7)
            above_at_tie += lcs == tie and expected.score > 0.7
    assert len(TIES) == 224
    assert above_at_tie == 120


def test_of_equal_scores_the_text_added_first_is_named() -> None:
    texts = ["one two three four five", "one two three four six", "one two three four seven"]
    index = RougeIndex(texts[:1])
    index.add(texts[1])
    index.add(texts[2])
    expected = Nearest(rouge_l(texts[0], "one two three four eight"), texts[0])
    assert index.nearest("one two three four eight") == expected
    assert RougeIndex(texts[::-1]).nearest("one two three four eight") == expected._replace(text=texts[2])


@pytest.mark.parametrize("often", [0, 20, 500])
def test_a_growing_index_answers_alike_while_its_tokens_are_sorted_and_renumbered(often: int) -> None:
    rng = random.Random(1)
    frequent = random_texts(rng, 800, num_words=400, max_length=20)
    now_rare = [text.replace("w", "v") for text in random_texts(rng, 2400, num_words=300, max_length=20)]
    index = RougeIndex(frequent[:10], often=often)
    rejected = 0
    for text in frequent[10:] + now_rare:
        best = index.closest(text)
        assert index.nearest(text) == above(best, 0.7)
        if best.text is not None and best.score > 0.7:
            assert best.score == rouge_l(best.text, text)
            rejected += 1
        index.add(text)
    assert len(index) == 3200
    assert rejected > 500


def test_the_order_of_tokens_does_not_matter_to_the_answers() -> None:
    rng = random.Random(2)
    texts = random_texts(rng, 600, num_words=50, max_length=12)
    loaded = RougeIndex(texts)
    others_first = RougeIndex(" ".join(f"w{word}" for word in rng.choices(range(50), k=30)) for _ in range(50))
    grown = RougeIndex()
    for text in texts:
        others_first.add(text)
        grown.add(text)
    for text in random_texts(rng, 300, num_words=50, max_length=12):
        assert loaded.nearest(text) == grown.nearest(text) == above(loaded.closest(text), 0.7)
        if (found := loaded.nearest(text)).text is not None:
            assert others_first.nearest(text).score >= found.score


def test_a_real_run_is_decided_and_scored_as_rouge_score_did() -> None:
    run = json.loads((Path(__file__).parent / "llama_run.json").read_text())
    pool = [" ".join(f"t{id}" for id in ids) for ids in run["seeds"]]
    index = RougeIndex(pool)
    for ids, (score, position) in zip(run["candidates"], run["closest"], strict=True):
        text = " ".join(f"t{id}" for id in ids)
        best = Nearest(score, pool[position])
        assert index.closest(text) == best
        assert index.nearest(text) == above(best, 0.7)
        if score <= 0.7:
            index.add(text)
            pool.append(text)
    assert len(index) == len(pool) == 175 + 307


def test_the_pairs_of_another_real_run_are_scored_as_rouge_score_did() -> None:
    run = json.loads((Path(__file__).parent / "falcon_run.json").read_text())
    texts = [" ".join(f"t{id}" for id in ids) for ids in run["texts"]]
    pairs = 0
    for candidate, closest_ones in run["closest"]:
        for other, score in closest_ones:
            found = RougeIndex([texts[other]]).closest(texts[candidate])
            assert found == (
                pytest.approx(score, rel=1e-15),
                texts[other],
            )  # asked the other way round, the last bit differs
            pairs += 1
        best = max(score for _, score in closest_ones)
        index = RougeIndex(texts[other] for other, _ in closest_ones)
        assert index.closest(texts[candidate]).score == pytest.approx(best, rel=1e-15)
    assert pairs == 2030


@pytest.mark.parametrize("word_count", [100, 400, 2000])
def test_long_texts_are_compared_exactly(word_count: int) -> None:
    rng = random.Random(word_count)
    words = [f"w{rng.randrange(500)}" for _ in range(word_count)]
    half, most = (" ".join(word if rng.random() < kept else "other" for word in words) for kept in (0.5, 0.8))
    text = " ".join(words)
    expected = Nearest(rouge_l(most, text), most)
    index = RougeIndex([half, "something else"])
    assert index.nearest(text) == NONE
    index.add(most)
    assert index.nearest(text) == index.closest(text) == RougeIndex([half, most]).nearest(text) == expected


def test_texts_that_share_a_long_beginning_are_compared_exactly() -> None:
    rng = random.Random(3)
    template = "given the following list of words write a short story for"
    texts = [f"{template} {' '.join(f'w{rng.randrange(40)}' for _ in range(8))}" for _ in range(120)]
    index = RougeIndex(texts[:60])
    for position, text in enumerate(texts[60:], 60):
        assert index.nearest(text) == above(closest(texts[:position], text), 0.7)
        index.add(text)


def test_one_repeated_token_is_compared_by_how_often_it_comes() -> None:
    texts = [" ".join(["spam"] * length) for length in range(1, 41)]
    for max_rouge in (0.4, 0.7, 0.95):
        for text in texts:
            pool = [other for other in texts if other != text]
            expected = above(closest(pool, text), max_rouge)
            assert RougeIndex(pool, max_rouge).nearest(text) == expected
            assert RougeIndex(pool, max_rouge, often=0).nearest(text) == expected


def test_permutations_of_the_same_words_are_told_apart() -> None:
    rng = random.Random(4)
    words = [f"w{i}" for i in range(12)]
    texts = [" ".join(rng.sample(words, len(words))) for _ in range(80)]
    for often in (0, 500):
        index = RougeIndex(texts[:40], max_rouge=0.55, often=often)
        for text in texts[40:]:
            assert index.nearest(text) == above(closest(texts[:40], text), 0.55)


def test_more_distinct_tokens_than_unicode_has_characters_are_told_apart() -> None:
    words = [f"w{i}" for i in range(0x110000 + 4000)]
    texts = [" ".join(words[i : i + 4000]) for i in range(0, len(words), 4000)]
    index = RougeIndex(texts)
    for text in (texts[0], texts[14], texts[-1]):  # the second has ids that are surrogates as characters
        parts = text.split()
        edited = " ".join([*parts[1:], "new", "new"])
        assert index.nearest(text) == Nearest(1.0, text)
        assert index.nearest(edited) == Nearest(f1(len(parts) - 1, len(parts), len(parts) + 1), text)
        assert index.nearest(" ".join(reversed(parts))) == NONE
    assert index.closest(texts[-1]) == Nearest(1.0, texts[-1])


def f1(lcs: int, m: int, n: int) -> float:
    precision, recall = lcs / m, lcs / n
    return 2 * precision * recall / (precision + recall)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(st.characters()), min_size=1, max_size=8), st.floats(0.01, 0.99))
def test_any_text_that_was_added_is_found_again(texts: list[str], max_rouge: float) -> None:
    half = len(texts) // 2
    index = RougeIndex(texts[:half], max_rouge)
    for text in texts[half:]:
        index.add(text)
    assert len(index) == len(texts)
    for text in texts:
        score, found = index.nearest(text)
        assert score == 1.0
        assert found is not None
        assert tokens(found) == tokens(text)
        assert index.closest(text) == (score, found)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("ab c", max_size=12), max_size=6), st.text("ab c", max_size=12), st.floats(1e-300, 1 - 1e-16))
def test_any_threshold_is_respected(pool: list[str], text: str, max_rouge: float) -> None:
    if tokens(text):
        expected = above(closest(pool, text), max_rouge)
        assert RougeIndex(pool, max_rouge).nearest(text) == RougeIndex(pool, max_rouge, 0).nearest(text) == expected


def test_an_empty_index_has_nothing_near() -> None:
    index = RougeIndex()
    assert len(index) == 0
    assert index.nearest("write a poem") == index.closest("write a poem") == NONE
    assert index.nearest("") == index.closest("") == NONE


def test_a_search_leaves_nothing_behind() -> None:
    index = RougeIndex(["write a poem about spring"])
    for word in ("summer", "autumn", "winter"):
        assert index.nearest(f"draw {word} and nothing else") == NONE
    assert len(index) == 1
    assert index.nearest("draw winter and nothing else") == NONE


def test_closest_names_the_best_text_below_the_threshold() -> None:
    index = RougeIndex(["write a poem about spring", "list five fruits"])
    assert index.nearest("write a novel") == NONE
    assert index.closest("write a novel") == Nearest(
        rouge_l("write a poem about spring", "write a novel"), "write a poem about spring"
    )
    assert index.closest("completely unrelated") == NONE


@pytest.mark.parametrize("max_rouge", [0, 1, -0.1, 1.5, float("nan")])
def test_a_threshold_outside_0_and_1_is_an_error(max_rouge: float) -> None:
    with pytest.raises(ValueError, match="max_rouge"):
        RougeIndex(max_rouge=max_rouge)
