"""Filters: each looks at a task, or at one instance, and returns the reason to reject it, or None to keep it.

The words, lengths and order are those of Self-Instruct (Wang et al. 2022, its published code); where ours differ, the
docstring says so.
"""

import re
import string
from collections.abc import Callable, Iterable

from pipeline.novelty.tokens import tokens
from pipeline.task import Instance, Task

Filter = Callable[[Task], str | None]
InstanceFilter = Callable[[Instance], str | None]

MIN_WORDS, MAX_WORDS = 4, 150
UNSUITABLE = [*"image images graph graphs picture pictures file files map maps draw plot".split(), "go to"]
_UNSUITABLE = re.compile(rf"\b(?:{'|'.join(UNSUITABLE)})\b", re.IGNORECASE)


def first_reason(task: Task, filters: Iterable[Filter]) -> str | None:
    """The reason of the first filter that objects."""
    return next((reason for check in filters if (reason := check(task))), None)


def empty(task: Task) -> str | None:
    return None if task.instruction.strip() else "empty"


def too_short(task: Task) -> str | None:
    """Words are counted at blanks; in scripts without blanks, by character."""
    return "too_short" if count_words(task.instruction) < MIN_WORDS else None


def too_long(task: Task) -> str | None:
    return "too_long" if count_words(task.instruction) > MAX_WORDS else None


def unsuitable_word(task: Task) -> str | None:
    """What a text model cannot do: look at an image, open a file, draw."""
    return "unsuitable_word" if _UNSUITABLE.search(task.instruction) else None


def asks_for_program(task: Task) -> str | None:
    return "asks_for_program" if task.instruction.lower().startswith("write a program") else None


def starts_with_punctuation(task: Task) -> str | None:
    return "starts_with_punctuation" if task.instruction[:1] in string.punctuation else None


def starts_non_ascii(task: Task) -> str | None:
    """For runs in English; a stage leaves this one out where seeds are in another script."""
    return None if task.instruction[:1].isascii() else "starts_non_ascii"


def preamble(task: Task) -> str | None:
    """Ours: a chat model's announcement of its list ("Sure, here are ten tasks:") is not a task."""
    found = re.match(r"(?:sure|certainly|of course|okay|ok|here(?:'s| is| are))\b.*:$", task.instruction, re.I | re.S)
    return "preamble" if found else None


INSTRUCTION_FILTERS: list[Filter] = [
    empty, too_short, too_long, unsuitable_word, asks_for_program, starts_with_punctuation, starts_non_ascii, preamble,
]  # fmt: skip


def count_words(text: str) -> int:
    return max(len(text.split()), 0 if text.isascii() else len(tokens(text)))


def input_is_output(instance: Instance) -> str | None:
    return "input_is_output" if instance.input == instance.output else None


def empty_output(instance: Instance) -> str | None:
    return None if instance.output.strip() else "empty_output"


def ends_with_colon(instance: Instance) -> str | None:
    """A field that ends with a colon was cut off before what it announces."""
    return "ends_with_colon" if instance.input.endswith(":") or instance.output.endswith(":") else None


INSTANCE_FILTERS: list[InstanceFilter] = [input_is_output, empty_output, ends_with_colon]


def contradiction(task: Task) -> str | None:
    """The same input, unless empty, must not have two different outputs."""
    outputs: dict[str, str] = {}
    for instance in task.instances:
        if instance.input and outputs.setdefault(instance.input, instance.output) != instance.output:
            return "contradiction"
    return None
