"""ROUGE-L and exact match as Super-NaturalInstructions counts them; figures worked out by hand."""

import pytest

from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.metrics import Means, Score, aggregate, exact_match, rouge_l, score


@pytest.mark.parametrize(
    ("prediction", "references", "expected"),
    [
        ("the cat sat", ["the cat sat"], 1.0),
        ("the cat sat", ["the dog sat"], 2 / 3),
        ("The CAT, sat!", ["the cat sat"], 1.0),
        ("running quickly", ["run quick"], 0.5),  # "quickly" is stemmed to "quickli"
        ("cats sleeping", ["cat sleeps"], 1.0),
        ("a b", ["a b c d"], 2 / 3),  # precision 1, recall 1/2
        ("c", ["a b", "c", "c d"], 1.0),
        ("", ["a"], 0.0),
        ("a", [""], 0.0),
        ("東京", ["東京"], 0.0),  # no a-z, no 0-9: no words
    ],
)
def test_rouge_l_is_the_best_f_measure_of_stemmed_words(prediction, references, expected):
    assert rouge_l(prediction, references) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("prediction", "references", "expected"),
    [
        ("Yes.", ["yes"], 1),
        (" new   york\n", ["New York"], 1),
        ("U.S.A", ["usa"], 1),
        ("well-known", ["wellknown"], 1),  # punctuation is deleted, not made a blank
        ("well-known", ["well known"], 0),
        ("the cat", ["cat"], 0),  # articles count, other than in SQuAD
        ("b", ["a", "b"], 1),
        ("東京。", ["東京"], 0),  # only ASCII punctuation
        ("", ["..."], 1),
        ("", ["no"], 0),
    ],
)
def test_exact_match_looks_past_case_punctuation_and_blanks_only(prediction, references, expected):
    assert exact_match(prediction, references) == expected


class Pieces:
    """Cuts as a byte-level BPE does: words carry the sign of the blank before them."""

    def tokenize(self, text: str) -> list[str]:
        first, *rest = text.split(" ")
        return [first, *(f"Ġ{word}" for word in rest)]


def instance(number: int, task: str = "t", category: str = "", track: str = "default", output: str = "a") -> HeldOut:
    return HeldOut(id=str(number), task=task, category=category, track=track, instruction="?", outputs=(output,))


def test_the_xlingual_track_is_scored_on_pieces_if_there_is_a_tokenizer():
    japanese = instance(1, track="xlingual", output="東京 駅")

    assert score(japanese, "駅 東京", Pieces()).rouge_l == pytest.approx(0.5)
    assert score(japanese, "東京 駅", Pieces()).rouge_l == 1
    assert score(japanese, "東京 駅").rouge_l == 0
    assert score(instance(1, output="東京 駅"), "東京 駅", Pieces()).rouge_l == 0


def test_means_are_over_instances_times_a_hundred():
    scores = [
        (instance(1, "t1", "Textual  Entailment"), Score(rouge_l=1, exact_match=1, match=1)),
        (instance(2, "t1", "textual entailment"), Score(rouge_l=0.5, exact_match=0, match=0)),
        (instance(3, "t2", "Title Generation", "xlingual"), Score(rouge_l=0, exact_match=0, match=0)),
    ]
    found = aggregate(scores)

    assert (found.instances, found.rouge_l, found.exact_match) == (3, 50.0, 33.3333)
    assert found.category["textual_entailment"] == Means(instances=2, rouge_l=75.0, exact_match=50.0, match=50.0)
    assert found.category["title_generation"].rouge_l == 0
    assert {name: part.instances for name, part in found.task.items()} == {"t1": 2, "t2": 1}
    assert {name: part.rouge_l for name, part in found.track.items()} == {"default": 75.0, "xlingual": 0.0}
