"""How varied the words of the outputs are."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from pipeline.novelty.tokens import tokens
from pipeline.scorers.base import NoNumber, Number
from pipeline.task import Task

Threshold = Annotated[float, Field(gt=0, lt=1, description="the type-token ratio at which a piece of text ends")]


def mtld(task: Task, *, threshold: Threshold = 0.72) -> Number:
    """The measure of textual lexical diversity of the outputs, on average over those that have one.

    It is the mean number of words of a piece of text in which the share of different words stays above the threshold,
    read forwards and backwards (McCarthy and Jarvis 2010, doi 10.3758/BRM.42.2.381). A text in which no word occurs
    twice has none: it is too short.
    """
    each = [found for one in task.instances if (found := _both_ways(tokens(one.output), threshold)) is not None]
    if task.instances and not each:
        raise NoNumber("its outputs are too short: no word occurs twice")
    return sum(each) / len(each) if each else None


def _both_ways(words: Sequence[str], threshold: float) -> float | None:
    pieces = _pieces(words, threshold), _pieces(words[::-1], threshold)
    return sum(len(words) / one for one in pieces) / 2 if all(pieces) else None


def _pieces(words: Sequence[str], threshold: float) -> float:
    """How many pieces the words make; one that is not ended counts by how far its ratio has fallen."""
    number, ratio, seen, length = 0.0, 1.0, set[str](), 0
    for word in words:
        seen.add(word)
        length += 1
        ratio = len(seen) / length
        if ratio <= threshold:
            number, ratio, seen, length = number + 1, 1.0, set(), 0
    return number + (1 - ratio) / (1 - threshold)
