"""Filters of instructions that are no part of the paper; they would rather miss nonsense than lose something good."""

import re

from pipeline.asking.clean import TOKEN
from pipeline.asking.phrases import REFUSES, SIGNS_OFF, SPEAKS_AS_ASSISTANT, ends_in_loop, is_preamble
from pipeline.filters.base import example
from pipeline.task import Task
from pipeline.text import short


@example("Sure, here are ten new tasks:")
def preamble(task: Task) -> str | None:
    """A chat model's announcement of its list, which is not a task."""
    return short(task.instruction, 60) if is_preamble(task.instruction) else None


@example("Let me know if you need more tasks!")
def sign_off(task: Task) -> str | None:
    """What a chat model says after its list."""
    return _found(SIGNS_OFF.match(task.instruction))


@example("As an AI language model, I cannot write more tasks.")
def refusal(task: Task) -> str | None:
    """The model speaks of what it cannot do."""
    return _found(REFUSES.match(task.instruction))


@example("I'm sorry for the confusion, but I'm here to assist you.")
def assistant_voice(task: Task) -> str | None:
    """It begins as an assistant speaks, not as one who asks: a chat model has taken the wrong turn."""
    return _found(SPEAKS_AS_ASSISTANT.match(task.instruction))


@example("12 + 30 = 42")
def no_words(task: Task) -> str | None:
    """Nothing but numbers, marks or emoji."""
    return None if any(map(str.isalpha, task.instruction)) else short(task.instruction, 60)


@example("Explain the word caf\ufffd to a child.")
def garbled(task: Task) -> str | None:
    """It holds U+FFFD, which stands for bytes that were no text."""
    return "\ufffd" if "\ufffd" in task.instruction else None


@example("Name a fish <|im_end|> and a bird.")
def chat_token(task: Task) -> str | None:
    """A token of a chat template in the middle of a line, where nobody can say what belongs to the task."""
    return _found(TOKEN.search(task.instruction))


@example(f"Write about the sea and {'the sea and ' * 9}the sea")
def repetition(task: Task) -> str | None:
    """It ends in the same words over and over."""
    return f"… {task.instruction[-40:]}" if ends_in_loop(task.instruction, 40) else None


def _found(match: re.Match[str] | None) -> str | None:
    return match[0] if match else None
