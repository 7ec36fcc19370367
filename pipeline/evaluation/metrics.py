"""How close predictions are to their references, by the metrics of Super-NaturalInstructions (arXiv 2204.07705)."""

import string
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from pipeline.errors import SproutError
from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.match import match
from pipeline.novelty.tokens import tokens
from pipeline.resources import install
from pipeline.text import one_line

METRICS = {"rouge_l": "ROUGE-L", "exact_match": "EM", "match": "match"}  # and what a table calls them
UNICODE = "unicode"


class Tokenizer(Protocol):
    """Splits a text into words; any tokenizer of transformers is one."""

    def tokenize(self, text: str, /) -> Sequence[str]: ...


class Score(BaseModel):
    """The scores of one prediction, each from 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rouge_l: float
    exact_match: float
    match: float


Scores = list[tuple[HeldOut, Score]]


class Means(BaseModel):
    """Means over instances, times 100."""

    model_config = ConfigDict(frozen=True)

    instances: int
    rouge_l: float
    exact_match: float
    match: float


class TrackMeans(Means):
    """The means of a track; tracks differ in their tokenizer, so their figures do not compare."""

    category: dict[str, Means]


class Aggregate(Means):
    """Means over all instances, and over those of each group by its name."""

    source: dict[str, Means] = {}  # each set, if there are several
    track: dict[str, TrackMeans]
    category: dict[str, Means]
    task: dict[str, Means]


class Words:
    """Splits a text of any script into words, or into characters if the script has no spaces; no stemming."""

    def tokenize(self, text: str) -> list[str]:
        return tokens(text)


def score(instance: HeldOut, prediction: str, tokenizer: Tokenizer | None = None) -> Score:
    """Score one prediction; `tokenizer` applies to the xlingual track only, unless it is `Words` (see `rouge_l`)."""
    return Score(
        rouge_l=rouge_l(prediction, instance.outputs, _chosen(instance, tokenizer)),
        exact_match=exact_match(prediction, instance.outputs),
        match=match(prediction, instance.outputs),
    )


def num_unseen(heldout: Iterable[HeldOut], tokenizer: Tokenizer | None = None) -> int:
    """How many instances have only references that are mostly invisible to ROUGE-L.

    Its words are runs of a-z and 0-9, so most of a text in another script does not count.
    """

    def unseen(text: str, chosen: Tokenizer | None) -> bool:
        if isinstance(chosen, Words):
            return not tokens(text)
        letters = [char for char in text if char.isalnum()]
        return chosen is None and 2 * sum(map(str.isascii, letters)) <= len(letters)

    return sum(
        all(unseen(reference, _chosen(instance, tokenizer)) for reference in instance.outputs) for instance in heldout
    )


def metrics_in(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """The metrics that all of these have; records of earlier versions may lack some."""
    found = list(entries)
    return [metric for metric in METRICS if all(metric in entry for entry in found)]


def open_tokenizer(heldout: Iterable[HeldOut], name: str) -> Tokenizer | None:
    """The tokenizer for ROUGE-L if it is not the published one: `Words` for "unicode"; else that of the xlingual track,
    if any instance belongs to it.

    Raises:
        SproutError: if it cannot be loaded.
    """
    if name == UNICODE:
        return Words()
    if all(one.track != "xlingual" for one in heldout):
        return None
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        hint = install("transformers")
        raise SproutError(f"the xlingual track is scored with transformers ({error}): {hint}") from error
    try:
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, LookupError) as error:
        reason = one_line(str(error)).partition(". ")[0]
        raise SproutError(
            f"{name}: cannot be loaded as the tokenizer of the xlingual track ({reason}); put that of GPT-2 into a "
            f"folder and set evaluate.tokenizer to it"
        ) from None
    return tokenizer


def rouge_l(prediction: str, references: Sequence[str], tokenizer: Tokenizer | None = None) -> float:
    """The best ROUGE-L F-measure over the references, by `rouge_score` with its stemmer.

    Its words are runs of a-z and 0-9, so a text in another script scores 0. The xlingual track of
    Super-NaturalInstructions is therefore scored on the pieces of the GPT-2 tokenizer, without stemmer: give that one.
    """
    scorer = _scorer() if tokenizer is None else _scorer_by(tokenizer)
    return max((float(scorer.score(reference, prediction)["rougeL"].fmeasure) for reference in references), default=0.0)


def exact_match(prediction: str, references: Sequence[str]) -> float:
    """1 if the prediction equals a reference, ignoring case, punctuation and white space; articles count."""
    return float(_normalize(prediction) in map(_normalize, references))


def aggregate(scores: Iterable[tuple[HeldOut, Score]]) -> Aggregate:
    """Means over all instances, per track, per category and per task; and per set, if there are several.

    Each instance has the same weight, so a task with few instances counts less.
    """
    scores = list(scores)
    sources = {name: _mean(part) for name, part in _groups(scores, lambda instance: instance.source).items() if name}
    tracks = _groups(scores, lambda instance: instance.track)
    return Aggregate(
        **dict(_mean(scores)),
        source=sources,
        track={name: TrackMeans(**dict(_mean(part)), category=_per_category(part)) for name, part in tracks.items()},
        category=_per_category(scores),
        task={name: _mean(part) for name, part in _groups(scores, lambda instance: instance.task).items()},
    )


def _chosen(instance: HeldOut, tokenizer: Tokenizer | None) -> Tokenizer | None:
    return tokenizer if isinstance(tokenizer, Words) or instance.track == "xlingual" else None


def _category(instance: HeldOut) -> str:
    return "_".join(instance.category.lower().split())


def _per_category(scores: Scores) -> dict[str, Means]:
    return {name: _mean(part) for name, part in _groups(scores, _category).items()}


def _groups(scores: Scores, group: Callable[[HeldOut], str]) -> dict[str, Scores]:
    groups: defaultdict[str, Scores] = defaultdict(list)
    for instance, one in scores:
        groups[group(instance)].append((instance, one))
    return dict(sorted(groups.items()))


def _mean(scores: Scores) -> Means:
    def mean(metric: str) -> float:
        values = [getattr(one, metric) for _, one in scores]
        return round(100 * sum(values) / len(values), 4) if values else 0.0

    return Means(instances=len(scores), **{metric: mean(metric) for metric in METRICS})


def _normalize(text: str) -> str:
    return " ".join(text.lower().translate(str.maketrans("", "", string.punctuation)).split())


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=True)


def _scorer_by(tokenizer: Tokenizer) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=tokenizer if isinstance(tokenizer, Words) else _Pieces(tokenizer))


class _Pieces:
    """Pieces of a byte-level BPE without the mark of a leading blank, so a word is the same at the start of a text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def tokenize(self, text: str) -> list[str]:
        return [piece.lstrip("Ġ") for piece in self.tokenizer.tokenize(text)]
