"""Filters: each looks at a task, or at one instance, and returns the reason to reject it, or None to keep it.

The words, lengths and order are those of Self-Instruct (Wang et al. 2022, its published code). Where ours differ, the
docstring says so; ours come last, and would rather miss nonsense than lose something good. Those for instances that ask
what the task is are in stages/filter.py. `clean_text` takes out of a completion what is no part of its answer.
"""

import re
import string
from collections.abc import Callable, Iterable

from pipeline.novelty.tokens import tokens
from pipeline.store import mend
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


INSTRUCTION_FILTERS: list[Filter] = [
    empty, too_short, too_long, unsuitable_word, asks_for_program, starts_with_punctuation, starts_non_ascii,
    preamble, sign_off, refusal, no_words, garbled, chat_token, repetition,
]  # fmt: skip


def folded(text: str) -> str:
    """For comparing: case and white space aside."""
    return " ".join(text.casefold().split())


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


def ends_in_loop(text: str, min_chars: int) -> bool:
    """Whether the text ends in something said eight times or more, over `min_chars` characters or more."""
    text = " ".join(text.split())[-8 * MAX_PERIOD :]
    if len(text) < min_chars:
        return False
    for period in range(1, min(MAX_PERIOD, len(text) // 8) + 1):
        size = max(min_chars, 8 * period)
        if text[-1 - period] == text[-1] and text[period - size :] == text[-size:-period]:
            return True
    return False


def is_preamble(text: str) -> bool:
    return bool(_INTRODUCES.match(text) or ANNOUNCES.fullmatch(text) or _OFFERS.match(text))


def is_echo(text: str, header: str) -> bool:
    """Whether the text is what the prompt begins with, or a part of it."""
    return count_words(text) >= MIN_WORDS <= count_words(header) and (text.rstrip(":") in header or header in text)


def clean_text(text: str) -> str:
    """What of a completion is its answer, in characters that can be read; every parser begins with it.

    Reasoning before the answer is left out, and so is what comes after a token that ends the turn. Lines end with \\n,
    other control characters go. Joiners stay where a script or an emoji needs them; half a surrogate pair is U+FFFD.
    """
    text = _MISREAD.sub("\ufffd", _LINE_END.sub("\n", mend(text)))
    text = without_thoughts(_JOINER.sub("", _CONTROL.sub("", text)))
    text = text[found.end() :] if (found := _TURN_BEGINS.match(text)) else text
    struck = text.find("<s>")  # from here on </s> is HTML
    for found in _TURN_ENDS.finditer(text):
        if not (found["strike"] and 0 <= struck < found.start()):
            return text[: found.start()]
    return text


def without_thoughts(text: str) -> str:
    """A first tag that closes ends a thought that the prompt opened; one that is not closed goes on to the end."""
    kept, start, thinking = [], 0, False
    for number, tag in enumerate(_THOUGHT.finditer(text)):
        if not thinking and (tag["opens"] or number):
            kept.append(text[start : tag.start()])
        start, thinking = tag.end(), bool(tag["opens"])
    return "\n".join(kept if thinking else [*kept, text[start:]])


def _phrase(pattern: str) -> re.Pattern[str]:
    """In any case, and with either apostrophe."""
    return re.compile(pattern.replace("'", "['’]"), re.IGNORECASE)


_LINE_END = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_MISREAD = re.compile(r"[\x80-\x9f]")  # bytes of UTF-8 that were read as Latin-1
# Colours of a terminal; control characters; byte order mark, word joiner and overrides of direction; the zero-width
# space, but in the scripts of South-East Asia.
_CONTROL = re.compile(
    r"\x1b\[[\d;]*[A-Za-z]|[\x00-\x08\x0e-\x1f\x7f\ufeff\u2060\u202d\u202e]|(?<![\u0e00-\u109f\u1780-\u17ff])\u200b+"
)
# After an ASCII character, a space or a full-width mark they join nothing.
_JOINER = re.compile(r"(?<![^\x00-\x7f\xa0\u2000-\u206f\u3000-\u303f\uff00-\uff20])[\u200c\u200d]+")

_THOUGHT = re.compile(
    r"(?P<opens><think(?:ing)?>|\[THINK\]|◁think▷|<\|channel\|>(?:analysis|commentary)(?:<\|message\|>)?)"
    r"|</think(?:ing)?>|\[/THINK\]|◁/think▷|<\|channel\|>final<\|message\|>"
)
_TOKENS = r"<\|\w{2,30}\|>|<｜[\w▁]{2,30}｜>|\[/?INST\]|<(?:start|end)_of_turn>|<[be]os>"
_ROLES = r"### ?(?:Instruction|Response|Human|User|Assistant):"
TOKEN = re.compile(_TOKENS)
_NO_TURN = r"(?!<\|(?:im_end|endoftext|end_of_text|eot_id|eom_id|end|return)\||\[INST|<end_of|<eos|<｜end)"
_BEGINS = rf"{_NO_TURN}(?:{_TOKENS}|<s>|### ?(?:Response|Assistant):)(?!user|system)(?:(?:assistant|model)\b)?"
_TURN_BEGINS = re.compile(rf"(?:\s*+{_BEGINS})+")
_TURN_ENDS = re.compile(
    rf"^[^\S\n]*+(?:{_TOKENS}|{_ROLES})|(?:{_TOKENS})(?=[^\S\n]*+(?:$|</s>|{_TOKENS}))|(?P<strike></s>)", re.MULTILINE
)

SIGNS_OFF = _phrase(
    r"(?:please |just )?let me know (?:if|whether) (?:you(?:'d like| would like| need| want| have any)|there)\b"
    r"|feel free to (?:ask|reach|contact|let me|request)\b|(?:i )?hope (?:this|that|these|those|it) (?:help|meet|suit)"
    r"|(?:would you like|do you want) (?:me to|more (?:tasks|examples)|another)\b|is there anything else (?:i|you)\b"
)
_AGREES = r"(?:sure|certainly|of course|ok(?:ay)?|absolutely|great|no problem)\b[^.!:\n]{0,40}[.!,:]\s*"
_INTRODUCES = _phrase(r"(?s)(?:(?:sure|certainly|of course|okay|ok)\b.*|here(?:'s| is| are)\b[^.!?]*):$")
ANNOUNCES = _phrase(
    rf"(?:{_AGREES})?(?:here(?:'s| is| are)|below (?:is|are)|these are|the following are)\b[^.!?:\n]{{0,80}}"
    r"\b(?:tasks|instructions|examples?|the (?:rest|list|continuation))\b[^.!?:\n]{0,60}[.!:]?"
)
_OFFERS = _phrase(
    rf"(?:{_AGREES})?i(?:'m|'d be| would be) (?:happy|glad) to (?:help|assist|continue|provide|write|create|generate)\b"
    rf"|{_AGREES}(?:i(?:'ll| will| can)|let(?:'s| me))\b[^.!?\n]{{0,60}}\b(?:help|continue|list|tasks?|more)\b"
)
_SORRY = r"(?:(?:i(?:'m| am)(?: \w+)? (?:sorry|afraid)|sorry|i apologi[sz]e|apologies|unfortunately)\b\W*(?:but )?)?"
_AI = r"an? (?:\w+ )?(?:ai|artificial intelligence|(?:large )?language model)\b[^.!?\n]{0,60}"
_CANNOT = r"i(?:'m| am)? (?:can(?:not|'t| not)|could(?: not|n't)|won't|will not|unable to|not able to)(?: be able to)? "
REFUSES = _phrase(
    rf"\W*{_SORRY}(?:as {_AI}\bi(?:'m| am| do| have| was)?(?: \w+)?(?:n't| can't| cannot| not| no| unable| lack)\b"
    rf"|i(?:'m| am) (?:just |only )?{_AI}(?:n't|\b(?:not|cannot|unable))\b"
    rf"|{_CANNOT}(?:assist|help)(?: you)?(?: with)?(?: th(?:at|is)| (?:your|the|such) request)?(?:[.!,]|$)"
    rf"|{_CANNOT}(?:fulfil+|complete|comply with|process|continue|answer|assist with|help with|accommodate)"
    r" (?:(?:this|that|the|such an?) (?:request|prompt|list)\b|your (?:request|prompt|list)\b(?! (?:for|because)))"
    rf"|{_CANNOT}(?:browse|access) (?:the (?:internet|web)\b|external|real-time)"
    rf"|{_CANNOT}(?:open|view|see|watch) (?:links|urls|websites|images|videos|files|attachments)\b"
    r"|i (?:do not|don't) have (?:personal (?:opinion|experience|preference|feeling)|access to (?:the internet|real)))"
    r"|作为(?:一个|一名)?(?:AI|人工智能|语言模型)|als ki\b|como (?:una )?ia\b|en tant qu'ia\b"
)

MAX_PERIOD = 200  # characters of what is said over and over
FENCE = re.compile(r"^[^\S\n]*+```[^`\n]*+(?:\n|\Z)", re.MULTILINE)  # a whole line
