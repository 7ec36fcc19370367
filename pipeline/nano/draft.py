"""A task of nano's world before it has a wording: what to do, and how to make worked examples."""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

Example = tuple[str, str]  # input, output
Maker = Callable[[Random], Example]


class Draft(NamedTuple):
    cores: Sequence[str]  # ways to say what to do: imperatives in lower case, or questions
    given: str  # what the input is; "" when there is none
    make: Maker
    is_classification: bool = False


Family = Callable[[Random], Draft]

WITH_INPUT = [
    "{C}.", "{C}.", "Please {c}.", "Your task is to {c}.", "Given {g}, {c}.", "You are given {g}. {C}.",
    "Here is {g}. {C}.", "Read {g} and {c}.", "Can you {c}?", "{C} and write nothing else.", "Help me to {c}.",
    "I will show you {g}. {C}.", "Take {g}, then {c}.", "In this task you see {g}. {C}.", "{C}. Keep the answer short.",
    "You get {g}; {c}.", "My input is {g}. {C}.", "{C}, using only what is there.", "For {g}, {c}.",
]  # fmt: skip
WITHOUT_INPUT = [
    "{C}.", "{C}.", "Please {c}.", "Your task is to {c}.", "Can you {c}?", "{C} and write nothing else.",
    "Help me to {c}.", "I would like you to {c}.", "{C}. Keep the answer short.", "Now {c}.",
]  # fmt: skip
QUESTIONS = [
    "{C}", "{C}", "Given {g}, {c}", "Here is {g}. {C}", "Tell me, {c}", "You see {g}. {C}", "Answer this about {g}: {c}",
]  # fmt: skip


def instruction(draft: Draft, r: Random) -> str:
    """One of the many ways to ask for the task."""
    core = r.choice(draft.cores)
    frames = QUESTIONS if core.endswith("?") else WITH_INPUT if draft.given else WITHOUT_INPUT
    if core.endswith("?") and not draft.given:
        frames = ["{C}", "Tell me, {c}"]
    return r.choice(frames).format(c=core, C=core[0].upper() + core[1:], g=draft.given)
