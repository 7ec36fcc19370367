"""What several answers agree on: Ensemble-Instruct's vote (arXiv 2310.13961, `ensemble_output.py`)."""

import string
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Literal, NamedTuple

from pipeline.novelty.tokens import tokens

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

MIN_ROUGE = 0.01  # of any two answers


class Agreed(NamedTuple):
    """Which answer speaks for all, and how that was found."""

    place: int
    by: Literal["exact", "rouge"]


def consensus(texts: Sequence[str], min_rouge: float = MIN_ROUGE) -> Agreed | None:
    """The answer that most others repeat; failing that, the one most like all others. None if there is no agreement.

    Two answers are the same if only case, punctuation and white space differ. If no two are the same, the sum of the
    ROUGE-L F1 (stemmed) with all others decides, provided that any two share more than `min_rouge`, and that it is not
    empty. Of several that are as good, the first is taken. Of three answers that is the vote of the published code,
    which asks for the first that equals another; of more, it is a majority vote before that. The published code sees
    no words but those of a-z and 0-9; answers in other scripts are compared here by their own.
    """
    plain = [_normalized(text) for text in texts]
    repeats = [plain.count(text) for text in plain]
    if max(repeats, default=0) > 1:
        return Agreed(repeats.index(max(repeats)), "exact")
    sums = [0.0] * len(texts)
    lowest = 1.0
    for one, other in combinations(range(len(texts)), 2):
        shared = _rouge_l(plain[one], plain[other])
        sums[one] += shared
        sums[other] += shared
        lowest = min(lowest, shared)
    if len(texts) < 2 or lowest <= min_rouge:
        return None
    place = sums.index(max(sums))
    return Agreed(place, "rouge") if texts[place] else None


def _normalized(text: str) -> str:
    return " ".join(text.lower().translate(_NO_PUNCTUATION).split())


def _rouge_l(one: str, other: str) -> float:
    return float(_scorer().score(one, other)["rougeL"].fmeasure)


_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@cache
def _scorer() -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=_Words())


class _Words:
    """Stems of a-z and 0-9, as in the published code; of a text mostly in other scripts, its words in any of them."""

    def __init__(self) -> None:
        from rouge_score.tokenizers import DefaultTokenizer

        self.published = DefaultTokenizer(use_stemmer=True)

    def tokenize(self, text: str) -> list[str]:
        letters = [char for char in text if char.isalnum()]
        if 2 * sum(map(str.isascii, letters)) > len(letters):
            return list(self.published.tokenize(text))
        return tokens(text)
