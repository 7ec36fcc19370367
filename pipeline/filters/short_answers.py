"""Filters of instances whose task wants a label, a word or a number."""

import re

from pipeline.filters.base import example
from pipeline.task import Instance, Task
from pipeline.text import folded, short

MAX_LABEL_WORDS, MAX_BARE_LABEL_WORDS = 12, 4  # with and without an input
MAX_WORDS = 4  # of an answer that should be a single word


@example(
    "Is the review good or bad?",
    ("I fell asleep.", "The review says that its writer fell asleep, which most people would call a bad sign."),
    is_classification=True,
)
def not_a_label(instance: Instance, task: Task) -> str | None:
    """The output of a classification task is prose, and in neither its instruction nor the input."""
    if not task.is_classification:
        return None
    label, most = folded(instance.output), MAX_LABEL_WORDS if instance.input else MAX_BARE_LABEL_WORDS
    given = label in folded(task.instruction) or label in folded(instance.input)
    wordy = len(label.split()) > most and not given
    return short(instance.output, 60) if wordy else None


@example("Is the animal a bird?", ("", "yes"), ("", "no"), is_classification=True)
def bare_label(instance: Instance, task: Task) -> str | None:
    """The labels of a classification task, and no input that would decide between them."""
    if not task.is_classification or instance.input:
        return None
    others = {other.output for other in task.instances if not other.input and other.output != instance.output}
    return instance.output if others else None


@example("Is this sincere? Answer with a single word.", ("What a day!", "It is likely to be taken both ways."))
def not_a_word(instance: Instance, task: Task) -> str | None:
    """The instruction ends by asking for a single word, and the output is a sentence."""
    if "word" not in task.instruction.lower() or len(instance.output.split()) <= MAX_WORDS:
        return None
    wordy = folded(instance.output) not in folded(instance.input)
    return short(instance.output, 60) if wordy and _ONE_WORD.search(task.instruction) else None


@example("How many birds are there? Answer with a number.", ("a gull and a crow", "The birds are by the sea."))
def not_a_number(instance: Instance, task: Task) -> str | None:
    """The instruction ends by asking for a number, and the output has none, in digits or in words."""
    if not _may_ask_for_number(task.instruction) or len(instance.output.split()) < MAX_WORDS:
        return None
    if not _ONE_NUMBER.search(task.instruction):
        return None
    return None if _NUMBER.search(instance.output) else short(instance.output, 60)


def _may_ask_for_number(instruction: str) -> bool:
    """Most instructions hold none of the words, and are not searched for the ways to say it."""
    small = instruction.lower()
    return not small.isascii() or any(word in small for word in _NUMBER_WORDS)


_NUMBER_WORDS = ("number", "integer", "figure", "digit")
_ASKS = r"(?:answer|reply|respond|give|write|print|return|state|output)\b[^.?!,;:]{0,20}"
# What follows may only list the choices: "Answer with one word, yes or no."
_ONE_WORD = re.compile(
    rf"\b{_ASKS}\b(?:a single|one|exactly one|only one|just one) word(?: only)?(?:[,:] [^.?!]{{1,60}})?[.!]?\s*$",
    re.IGNORECASE,
)
_ONE_NUMBER = re.compile(
    rf"\b{_ASKS}\b(?:a|one|an|the|only the|just the|a single|a whole)"
    rf" (?:whole |single )?(?:{'|'.join(_NUMBER_WORDS)})(?: only| alone)?[.!]?\s*$",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty"
    r"|sixty|seventy|eighty|ninety|hundred|thousand|million|billion|dozen|half|quarter|none|no|both|once|twice)\b"
    r"|[一二三四五六七八九十百千万]",
    re.IGNORECASE,
)
