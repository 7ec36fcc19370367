"""Filters of instances: each looks at an instance and its task and returns the reason to reject it, or None.

The first three are those of Self-Instruct (its published code), in its order; ours follow, for what is no answer.
"""

import re
from collections.abc import Callable

from pipeline.asking.clean import FENCE, TOKEN
from pipeline.asking.phrases import ANNOUNCES, REFUSES, ends_in_loop
from pipeline.task import Instance, Task
from pipeline.text import folded

InstanceFilter = Callable[[Instance], str | None]


def instance_reason(instance: Instance, task: Task) -> str | None:
    paper = (check(instance) for check in INSTANCE_FILTERS)
    ours = (check(instance, task) for check in OUR_FILTERS)
    return next(filter(None, paper), None) or next(filter(None, ours), None)


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


def placeholder(instance: Instance, task: Task) -> str | None:
    """A field that only says that something belongs there ("[your answer]", "TODO", "N/A").

    An output that the instruction names is an answer, as is "None" where there may be none.
    """
    text = instance.output.strip()
    if not any(char.isprintable() and not char.isspace() for char in text) or _BLANK.fullmatch(instance.input.strip()):
        return "placeholder"
    if not (_BLANK.fullmatch(text) or _NOTHING.fullmatch(text)):
        return None
    word = text.strip(" .\"'`*()[]<>{}")
    named = word and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", task.instruction, re.IGNORECASE)
    possible = word.lower() == "none" and _MAY_BE_NONE.search(task.instruction)
    return None if named or possible else "placeholder"


def refusal(instance: Instance, task: Task) -> str | None:
    """The model speaks of what it cannot do; not where the task is about that, or the input says it too."""
    asked = _ABOUT_REFUSING.search(task.instruction) or REFUSES.match(instance.input)
    return "refusal" if REFUSES.match(instance.output) and not asked else None


def asks_back(instance: Instance, task: Task) -> str | None:
    """There is no input, and the output asks for one ("Please provide the text you would like me to shorten").

    Not where the task is to write to somebody, who may be asked for something.
    """
    asks = not instance.input and _ASKS_BACK.match(instance.output) and not _WRITES_TO.search(task.instruction)
    return "asks_back" if asks else None


def preamble(instance: Instance, task: Task) -> str | None:
    """An announcement in the place of an output ("Here are some examples.")."""
    return "preamble" if ANNOUNCES.fullmatch(instance.output) else None


def prompt_echo(instance: Instance, task: Task) -> str | None:
    """The output is the instruction."""
    return "prompt_echo" if folded(instance.output) == folded(task.instruction) else None


def garbled(instance: Instance, task: Task) -> str | None:
    """U+FFFD stands for bytes that were no text, unless the task is about it."""
    return "garbled" if "\ufffd" in instance.output and "\ufffd" not in instance.input + task.instruction else None


def chat_token(instance: Instance, task: Task) -> str | None:
    """A token of a chat template in the middle of a line that neither instruction nor input has."""
    given = f"{task.instruction}\n{instance.input}"
    return "chat_token" if any(token not in given for token in TOKEN.findall(instance.output)) else None


def repetition(instance: Instance, task: Task) -> str | None:
    """A field ends in the same words over and over, and the instruction does not ask for it."""
    looping = ends_in_loop(instance.input, 200) or ends_in_loop(instance.output, 200)
    return "repetition" if looping and not _ASKS_TO_REPEAT.search(task.instruction) else None


def unclosed_fence(instance: Instance, task: Task) -> str | None:
    """A block of code that is begun and not ended was cut off."""
    return "unclosed_fence" if len(FENCE.findall(instance.output)) % 2 else None


def not_a_label(instance: Instance, task: Task) -> str | None:
    """The output of a classification task is prose, and in neither its instruction nor the input."""
    label, most = folded(instance.output), MAX_LABEL_WORDS if instance.input else MAX_BARE_LABEL_WORDS
    given = label in folded(task.instruction) or label in folded(instance.input)
    return "not_a_label" if task.is_classification and len(label.split()) > most and not given else None


def bare_label(instance: Instance, task: Task) -> str | None:
    """The labels of a classification task, and no input that would decide between them."""
    others = {other.output for other in task.instances if not other.input and other.output != instance.output}
    return "bare_label" if task.is_classification and not instance.input and others else None


# Ours, after those of the paper. The first that objects names the reason.
OUR_FILTERS: list[Callable[[Instance, Task], str | None]] = [
    placeholder, refusal, asks_back, preamble, prompt_echo, garbled, chat_token, repetition, unclosed_fence,
    not_a_label, bare_label,
]  # fmt: skip
MAX_LABEL_WORDS, MAX_BARE_LABEL_WORDS = 12, 4  # with and without an input

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
_WRITES_TO = re.compile(
    r"\b(?:repl(?:y|ies)|respond to|e-?mails?|messages?|letters?|dialogues?|conversations?|requests?|ask"
    r"|polite(?:ly)?)\b",
    re.IGNORECASE,
)
_ABOUT_REFUSING = re.compile(
    r"\b(?:AI|artificial intelligence|language model|chatbot|refus\w+|declin\w+|turn\w* down|apolog\w+|sorry|excuse)\b",
    re.IGNORECASE,
)
_ASKS_BACK = re.compile(
    r"(?:(?:sure|of course|certainly)\W+)?(?:please|(?:could|can) you(?: please)?)"
    r" (?:provide|share|give|send|paste|enter) (?:me )?(?:with )?(?:the|an?|some|your) [^.?!\n]{0,60}"
    r"(?:\bme to\b|\bi can\b|(?:(?<=text)|(?<=sentence)|(?<=paragraph)|(?<=input))[.!]?$)",
    re.IGNORECASE,
)
_ASKS_TO_REPEAT = re.compile(r"\b(?:repeat\w*|times|copy|copies|again and again|over and over)\b", re.IGNORECASE)
