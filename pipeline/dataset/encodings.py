"""The texts an instance becomes: prompt and completion for a base model, a message for a chat model."""

import random
import re
from collections.abc import Mapping
from typing import Literal

ZeroShot = Literal["plain", "output", "examples"]  # one prompt for all instances
Encoding = ZeroShot | Literal["random"]

# The prompts an instance is put in (Self-Instruct, section 2.3 and its released code). They vary, so that the tuned
# model does not learn one of them by heart. The end-of-text token is not part of them: the trainer adds it.
WITH_INPUT = (
    "{instruction}\nInput: {input}\nOutput:",
    "{instruction}\n\nInput: {input}\n\nOutput:",
    "Task: {instruction}\nInput: {input}\nOutput:",
    "{instruction}\n\n{input}\n\nOutput:",
    "{instruction}\n\n{input}\n\n",
    "{instruction}\n{input}\n\n",
    "Task: {instruction}\n\n{input}\n\n",
)
WITHOUT_INPUT = (
    "{instruction} Output:",
    "{instruction}\nOutput:",
    "{instruction}\n\nOutput:",
    "{instruction}\n",
    "{instruction}\n\n",
    "Task: {instruction}\n\n",
)
ENCODINGS = WITH_INPUT + WITHOUT_INPUT
FIXED: Mapping[ZeroShot, tuple[str, str]] = {
    "plain": ("{instruction}\n\n{input}\n\n", "{instruction}\n\n"),
    "output": ("{instruction}\n\nInput: {input}\n\nOutput:", "{instruction}\n\nOutput:"),
    "examples": ("Task: {instruction}\nExample 1\nInput: {input}\nOutput:", "Task: {instruction}\nExample 1\nOutput:"),
}
AFTER: Mapping[ZeroShot, tuple[str, ...]] = {  # what an untuned model writes behind its answer
    "plain": (),
    "output": (),
    "examples": ("\nExample", "\nTask:", "\nInput:"),
}

# The name before the colon in "Sentence: ..." or "Sentence 1: ...", at the start of a line; not "10:30", not "https://".
FIELD = re.compile(r"^[^\W\d]\w*(?: \w+){0,2}:(?:[ \t]+|$)\s*", re.MULTILINE)


def encode(instruction: str, input: str, output: str, encoding: ZeroShot | int = "plain") -> tuple[str, str]:
    """The prompt and the completion of an instance.

    Args:
        encoding: A fixed one, or the number of one of `ENCODINGS` that `draw` gives.
    """
    if isinstance(encoding, int):
        prompt = _fill(ENCODINGS[encoding], instruction, input)
    else:
        prompt = zero_shot(instruction, input, encoding)
    return prompt, f" {output}" if prompt.endswith("Output:") else output


def draw(input: str, number: int) -> int:
    """The number of one of the encodings that suit an instance, picked by a large number, such as a hash."""
    return number % len(WITH_INPUT) if input else len(WITH_INPUT) + number % len(WITHOUT_INPUT)


def zero_shot(instruction: str, input: str = "", encoding: ZeroShot = "plain") -> str:
    """The prompt for a base model that is to answer; always the same one, also after tuning on varied ones."""
    with_input, without = FIXED[encoding]
    return _fill(with_input if input else without, instruction, input)


def add_noise(input: str, rng: random.Random) -> str:
    """For one input in two: drop its field name, if it has just one, and its blank lines.

    The paper's code takes every word before a colon for a field name, and deletes all that stands before the first
    one; here a field name begins a line, and the one that is dropped begins the input.
    """
    if rng.random() >= 0.5:
        return input
    text = input.strip()
    if len(FIELD.findall(text)) == 1 and (found := FIELD.match(text)):
        text = text[found.end() :]
    return re.sub(r"\n{2,}", "\n", text) or input


def _fill(template: str, instruction: str, input: str) -> str:
    return template.format(instruction=instruction, input=input)
