"""How close predictions are to their references, as Super-NaturalInstructions counts it (arXiv 2204.07705)."""

import string
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from pipeline.errors import SproutError
from pipeline.evaluation.heldout import HeldOut

METRICS = ("rouge_l", "exact_match")


class Tokenizer(Protocol):
    """What cuts a text into words; a tokenizer of transformers is one."""

    def tokenize(self, text: str, /) -> Sequence[str]: ...


class Score(BaseModel):
    """Of one prediction; both are between 0 and 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rouge_l: float
    exact_match: float


def score(instance: HeldOut, prediction: str, tokenizer: Tokenizer | None = None) -> Score:
    """Score one prediction; `tokenizer` is used for the xlingual track alone (see `rouge_l`)."""
    chosen = tokenizer if instance.track == "xlingual" else None
    return Score(
        rouge_l=rouge_l(prediction, instance.outputs, chosen), exact_match=exact_match(prediction, instance.outputs)
    )


def xlingual_tokenizer(heldout: Iterable[HeldOut], name: str) -> Tokenizer | None:
    """Load the tokenizer the xlingual track is scored with, if anything is of that track.

    Raises:
        SproutError: if it cannot be loaded.
    """
    if all(one.track != "xlingual" for one in heldout):
        return None
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        hint = "pip install 'sprout-instruct[transformers]'"
        raise SproutError(f"the xlingual track is scored with transformers ({error}): {hint}") from error
    try:
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, LookupError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise SproutError(
            f"{name}: cannot be loaded as the tokenizer of the xlingual track ({reason}); put that of GPT-2 into a "
            f"folder and set evaluate.tokenizer to it"
        ) from None
    return tokenizer


def rouge_l(prediction: str, references: Sequence[str], tokenizer: Tokenizer | None = None) -> float:
    """The best ROUGE-L F-measure over the references, by `rouge_score` with its stemmer.

    The usual words are runs of a-z and 0-9, so a text in another script always scores 0. The xlingual track of
    Super-NaturalInstructions is therefore scored on the pieces of the GPT-2 tokenizer, without stemmer: give that one.
    """
    scorer = _scorer() if tokenizer is None else _piece_scorer(tokenizer)
    return max((float(scorer.score(reference, prediction)["rougeL"].fmeasure) for reference in references), default=0.0)


def exact_match(prediction: str, references: Sequence[str]) -> float:
    """1 if the prediction equals a reference, case, punctuation and white space aside. Articles count."""
    return float(_normalize(prediction) in map(_normalize, references))


def aggregate(scores: Iterable[tuple[HeldOut, Score]]) -> dict[str, Any]:
    """Means over instances, times 100: over all, per track, per category and per task; per set if there are several.

    Every instance weighs the same, so a task with few instances weighs less. The categories of a track are in it too:
    its figures are of another tokenizer than those of another track.
    """
    scores = list(scores)
    groups: dict[str, Callable[[HeldOut], str]] = {
        "track": lambda instance: instance.track,
        "category": _category,
        "task": lambda instance: instance.task,
    }
    if any(instance.source for instance, _ in scores):
        groups = {"source": lambda instance: instance.source} | groups
    found = _mean([score for _, score in scores]) | {name: _per(scores, group) for name, group in groups.items()}
    for track, figures in found["track"].items():
        figures["category"] = _per([pair for pair in scores if pair[0].track == track], _category)
    return found


def _category(instance: HeldOut) -> str:
    return "_".join(instance.category.lower().split())


def _per(scores: Sequence[tuple[HeldOut, Score]], group: Callable[[HeldOut], str]) -> dict[str, dict[str, Any]]:
    groups: defaultdict[str, list[Score]] = defaultdict(list)
    for instance, one in scores:
        groups[group(instance)].append(one)
    return {name: _mean(found) for name, found in sorted(groups.items())}


def _mean(scores: Sequence[Score]) -> dict[str, Any]:
    def mean(values: Sequence[float]) -> float:
        return round(100 * sum(values) / len(values), 4) if values else 0.0

    return {
        "instances": len(scores),
        "rouge_l": mean([one.rouge_l for one in scores]),
        "exact_match": mean([one.exact_match for one in scores]),
    }


def _normalize(text: str) -> str:
    return " ".join(text.lower().translate(str.maketrans("", "", string.punctuation)).split())


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)


def _piece_scorer(tokenizer: Tokenizer) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=_Pieces(tokenizer))


class _Pieces:
    """Pieces of a byte-level BPE without the sign for a leading blank: a word is the same at the start of a text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def tokenize(self, text: str) -> list[str]:
        return [piece.lstrip("Ġ") for piece in self.tokenizer.tokenize(text)]
