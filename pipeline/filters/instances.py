"""Filters of instances for what a model writes around an answer, or in its place, that is none."""

import re

from pipeline.asking.clean import FENCE, TOKEN
from pipeline.asking.examples.label import mentions
from pipeline.asking.phrases import ANNOUNCES
from pipeline.filters.base import example
from pipeline.task import Instance, Task
from pipeline.text import folded, short


@example("Describe the tallest building of your town.", ("", "[insert description here]"))
def placeholder(instance: Instance, task: Task) -> str | None:
    """A field that only says that something belongs there ("[your answer]", "TODO", "N/A").

    An output that the instruction names is an answer, as is "None" where there may be none.
    """
    text, given = instance.output.strip(), instance.input.strip()
    if not text[:1].isalnum() and not any(char.isprintable() and not char.isspace() for char in text):
        return "nothing that can be seen"
    if _BLANK.fullmatch(given):
        return given
    if not (_BLANK.fullmatch(text) or _NOTHING.fullmatch(text)):
        return None
    word = text.strip(" .\"'`*()[]<>{}")
    named = mentions(task.instruction, word)
    possible = word.lower() == "none" and _MAY_BE_NONE.search(task.instruction)
    return None if named or possible else text


@example("Give examples of citrus fruit.", ("", "Here are some examples."))
def preamble(instance: Instance, task: Task) -> str | None:
    """An announcement in the place of an output."""
    return instance.output if ANNOUNCES.fullmatch(instance.output) else None


@example("Explain why the sea is salty.", ("", "Explain why the sea is salty."))
def prompt_echo(instance: Instance, task: Task) -> str | None:
    """The output is the instruction."""
    output, asked = instance.output, task.instruction
    same = _first(output) == _first(asked) and folded(output) == folded(asked)
    return short(output, 60) if same else None


@example("Name a place to drink coffee.", ("", "a caf\ufffd"))
def garbled(instance: Instance, task: Task) -> str | None:
    """U+FFFD stands for bytes that were no text, unless the task is about it."""
    return "\ufffd" if "\ufffd" in instance.output and "\ufffd" not in instance.input + task.instruction else None


@example("Greet a guest.", ("", "Welcome <|im_end|> to our house."))
def chat_token(instance: Instance, task: Task) -> str | None:
    """A token of a chat template in the middle of a line that neither instruction nor input has."""
    if "<" not in instance.output and "[" not in instance.output:  # what all of them begin with
        return None
    given = f"{task.instruction}\n{instance.input}"
    return next((token for token in TOKEN.findall(instance.output) if token not in given), None)


@example("Print a greeting in Python.", ("", 'Run this:\n```python\nprint("Hello")'))
def unclosed_fence(instance: Instance, task: Task) -> str | None:
    """A block of code that is begun and not ended was cut off."""
    fences: list[str] = FENCE.findall(instance.output) if "```" in instance.output else []
    return fences[-1].strip() if len(fences) % 2 else None


def _first(text: str) -> str:
    """What the folded text begins with; most texts differ in that."""
    return text.lstrip()[:1].casefold()[:1]


_BLANK = re.compile(
    r"(?:\.{3,}|…+|_{3,}|\?{3,}|\W?(?-i:TODO|TBD)\W{0,3}"
    r"|[\[({<]{1,2} ?(?:(?:insert|enter|add|type|write|paste|provide|your)\b[^\[\](){}<>\n]{0,60}"
    r"|[^\[\](){}<>\n]{0,40}\b(?:goes|comes) here|(?:no ?(?:in|out)put|placeholder|none|blank|empty|n/a)) ?[\])}>]{1,2}"
    r"|[\[{]{1,2} ?(?:the )?(?:input|output|answer|response|text|sentence|class label|label|example) ?[\]}]{1,2})\.?",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"[\"'`*]{0,3}(?:none|n/a|not applicable"
    r"|no (?:output|input|answer)(?: (?:needed|required|given|provided|available))?)[\"'`*.]{0,3}",
    re.IGNORECASE,
)
_MAY_BE_NONE = re.compile(
    r"\b(?:any|none|nothing|null|python|returns?|missing|absent|exists?|find|which|how many"
    r"|identify|spot|detect|extract|errors?|mistakes?)\b",
    re.IGNORECASE,
)
