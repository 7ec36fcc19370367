"""Filters of instructions: each looks at a task and returns the reason to reject it, or None to keep it.

The words, lengths and order are those of Self-Instruct (Wang et al. 2022, its published code). Where ours differ, the
docstring says so; ours come last, and would rather miss nonsense than lose something good.
"""

import re
import string
from collections.abc import Callable, Iterable

from pipeline.asking.clean import TOKEN
from pipeline.asking.phrases import MIN_WORDS, REFUSES, SIGNS_OFF, ends_in_loop, is_preamble
from pipeline.novelty.tokens import count_words
from pipeline.task import Task

Filter = Callable[[Task], str | None]

MAX_WORDS = 150
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
    """For runs in English alone, see `instructions.english`."""
    return None if task.instruction[:1].isascii() else "starts_non_ascii"


def preamble(task: Task) -> str | None:
    """Ours: a chat model's announcement of its list ("Sure, here are ten tasks:") is not a task."""
    return "preamble" if is_preamble(task.instruction) else None


def sign_off(task: Task) -> str | None:
    """Ours: nor is what it says after its list ("Let me know if you need more!")."""
    return "sign_off" if SIGNS_OFF.match(task.instruction) else None


def refusal(task: Task) -> str | None:
    """Ours: the model speaks of what it cannot do."""
    return "refusal" if REFUSES.match(task.instruction) else None


def no_words(task: Task) -> str | None:
    """Ours: nothing but numbers, marks or emoji."""
    return None if any(map(str.isalpha, task.instruction)) else "no_words"


def garbled(task: Task) -> str | None:
    """Ours: bytes that were no text."""
    return "garbled" if "\ufffd" in task.instruction else None


def chat_token(task: Task) -> str | None:
    """Ours: a token of a chat template in the middle of a line, where nobody can say what belongs to the task."""
    return "chat_token" if TOKEN.search(task.instruction) else None


def repetition(task: Task) -> str | None:
    """Ours: it ends in the same words over and over."""
    return "repetition" if ends_in_loop(task.instruction, 40) else None


OUR_FILTERS: list[Filter] = [preamble, sign_off, refusal, no_words, garbled, chat_token, repetition]
INSTRUCTION_FILTERS: list[Filter] = [
    empty, too_short, too_long, unsuitable_word, asks_for_program, starts_with_punctuation, starts_non_ascii,
    *OUR_FILTERS,
]  # fmt: skip
