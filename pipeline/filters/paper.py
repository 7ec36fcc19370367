"""The filters of Self-Instruct (Wang et al. 2022, its published code): its words, lengths and order."""

import re
import string
from collections.abc import Sequence

from pipeline.asking.phrases import MIN_WORDS
from pipeline.filters.base import example, on_request
from pipeline.novelty.tokens import count_words
from pipeline.task import Instance, Task
from pipeline.text import short

MAX_WORDS = 150
_UNSUITABLE = re.compile(
    r"\b(?:images?|graphs?|pictures?|files?|maps?|draw|plot|go to)\b",
    re.IGNORECASE,
)


@example(" ")
def empty(task: Task) -> str | None:
    """There is no instruction."""
    return None if task.instruction.strip() else "no text"


@example("Name three rivers")
def too_short(task: Task) -> str | None:
    """The instruction has fewer than 4 words; in scripts without blanks, characters are counted."""
    number = count_words(task.instruction)
    return f"{number} words" if number < MIN_WORDS else None


@example("Describe a morning. " * 51)
def too_long(task: Task) -> str | None:
    """The instruction has more than 150 words."""
    number = count_words(task.instruction)
    return f"{number} words" if number > MAX_WORDS else None


@example("Describe what the picture shows.")
@on_request
def unsuitable_word(task: Task) -> str | None:
    """What a text model of 2022 could not do: the words image, graph, picture, file, map, draw, plot and "go to"."""
    return found[0] if (found := _UNSUITABLE.search(task.instruction)) else None


@example("Write a program that adds two numbers.")
@on_request
def asks_for_program(task: Task) -> str | None:
    """The instruction begins with "Write a program", which GPT-3 did too often."""
    text = task.instruction[: len("write a program")]
    return text if text.lower() == "write a program" else None


@example("(Translate this sentence into German.")
def starts_with_punctuation(task: Task) -> str | None:
    """The instruction begins with a punctuation mark."""
    first = task.instruction[:1]
    return first if first and first in string.punctuation else None


@example("Écris une phrase sur la mer.")
def starts_non_ascii(task: Task) -> str | None:
    """The instruction begins with a character outside ASCII; `instructions.english = false` turns this filter off."""
    first = task.instruction[:1]
    return None if first.isascii() else first


@example("Repeat the word.", ("echo", "echo"))
def input_is_output(instance: Instance, task: Task) -> str | None:
    """The output is the input."""
    return short(instance.output, 60) if instance.input == instance.output else None


@example("Name the capital.", ("Chile", ""))
def empty_output(instance: Instance, task: Task) -> str | None:
    """There is no output."""
    return None if instance.output.strip() else "no text"


@example("List what to pack for a weekend.", ("", "You should pack:"))
def ends_with_colon(instance: Instance, task: Task) -> str | None:
    """A field ends with a colon, so it was cut off before what it announces."""
    return next((_last_line(text) for text in (instance.input, instance.output) if text.endswith(":")), None)


@example("Is the word a noun?", ("run", "yes"), ("run", "no"))
def contradiction(instances: Sequence[Instance], task: Task) -> str | None:
    """One input has two different outputs; the whole task is rejected."""
    outputs: dict[str, str] = {}
    for instance in instances:
        if instance.input and outputs.setdefault(instance.input, instance.output) != instance.output:
            return short(instance.input, 60)
    return None


def _last_line(text: str) -> str:
    return text.rpartition("\n")[2][-60:]
