"""Filters of instances in which the model refuses, or asks for what it was not given."""

import re

from pipeline.asking.phrases import REFUSES
from pipeline.filters.base import example
from pipeline.task import Instance, Task

SOFTLY = 400  # characters of an output in which a model that does answer would not speak of its limits


@example("Find a spa near my home.", ("", "I'd love to help, but as a chatbot I don't have access to local listings."))
def refusal(instance: Instance, task: Task) -> str | None:
    """The model speaks of what it cannot do, not only in its first words.

    Not where the task is about that, or the input says it too, or, for the softer ways, where it is to write to
    somebody.
    """
    found = REFUSES.match(instance.output)
    softly = None if found else _softly(instance.output[:SOFTLY])
    if not (found or softly) or _ABOUT_REFUSING.search(task.instruction) or REFUSES.match(instance.input):
        return None
    if found:
        return found[0]
    return softly if not _ASKS_SOMEBODY.search(task.instruction) and not _softly(instance.input) else None


@example("Shorten the text.", ("", "Please provide the text you would like me to shorten."))
def asks_back(instance: Instance, task: Task) -> str | None:
    """There is no input, and the output asks for one.

    Not where the task is to write to somebody, who may be asked for something.
    """
    if instance.input:
        return None
    found = _ASKS_BACK.match(instance.output) or _GO_AHEAD.search(instance.output[:SOFTLY])
    return found[0] if found and not _ASKS_SOMEBODY.search(task.instruction) else None


def _softly(text: str) -> str | None:
    """What of the text says so in the softer ways."""
    if text.isascii():  # elsewhere a letter may have other forms in small letters
        small = text.lower()
        if not any(words in small for words in _SOFTLY_BEGINS):  # thirty times as fast as looking for all of it
            return None
    return found[0] if (found := _SOFTLY.search(text)) else None


_ABOUT_REFUSING = re.compile(
    r"\b(?:AI|artificial intelligence|language model|chatbot|refus\w+|declin\w+|turn\w* down|apolog\w+|sorry|excuse)\b"
    r"|拒绝|拒絕|道歉|婉拒|谢绝|抱歉|断り|謝罪|お詫び|거절|사과|disculp|rechaz|recus|refus|ablehn|absag|entschuldig|rifiut|scus"
    r"|отказ|извин|отклон|رفض|اعتذ",
    re.IGNORECASE,
)
_ASKS_SOMEBODY = re.compile(
    r"\b(?:repl(?:y|ies)|respond to|e-?mails?|messages?|letters?|dialogues?|conversations?|requests?|ask"
    r"|polite(?:ly)?)\b",
    re.IGNORECASE,
)
_ASKS_BACK = re.compile(
    r"(?:(?:sure|of course|certainly)\W+)?(?:please|(?:could|can) you(?: please)?)"
    r" (?:provide|share|give|send|paste|enter) (?:me )?(?:with )?(?:the|an?|some|your) [^.?!\n]{0,60}"
    r"(?:\bme to\b|\bi can\b|\byou(?:'d| would|’d) (?:like|want)\b"
    r"|(?:(?<=text)|(?<=sentence)|(?<=paragraph)|(?<=input))[.!]?$)"
    r"|请(?:您)?(?:提供|输入|给出|告诉我)[^。\n]{0,20}(?:文本|内容|句子|文章|信息|段落)[^。\n]{0,12}[。！]?$"
    r"|por favor,? (?:proporcion|compart|env[ií]|indic)\w* (?:el|la|un|los|las) "
    r"|veuillez (?:fournir|partager|indiquer) "
    r"|bitte (?:geben sie|stellen sie|teilen sie|senden sie|gib|schick)\b[^.!\n]{0,30}\b(?:text|satz|artikel|absatz)\b",
    re.IGNORECASE,
)
_GO_AHEAD = re.compile(r"\bgo ahead and (?:share|provide|send|paste|enter) (?:me )?(?:the|your)\b", re.IGNORECASE)
_MACHINE = r"(?:[\w-]+ ){0,3}(?:chatbot|chat bot|ai|language model|(?:virtual|digital|automated) assistant)"
_SOFTLY_BEGINS = ("as a", "i'm", "i am", "i do")
_SOFTLY = re.compile(
    rf"\bas an? {_MACHINE}\b[^.!?\n]{{0,80}}?\bI\b"
    rf"|\bI(?:['’]m| am) (?:just |only )?an? {_MACHINE}\b"
    r"|\bI(?: do not| don['’]t) have the (?:cap(?:ability|abilities|acity)|ability) to\b"
    r"|\bI(?:['’]m| am) (?:unable|not able|not equipped) to (?:provide|assist|help|access|browse|offer|perform|create"
    r"|generate|give|recommend|answer)\b"
    r"|\bI(?: do not| don['’]t) have (?:[\w-]+ )?access to\b",
    re.IGNORECASE,
)
