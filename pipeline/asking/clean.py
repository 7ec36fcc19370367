"""Takes out of a completion what is no part of its answer: thoughts, turns, control characters."""

import re

from pipeline.text import mend
from pipeline.thoughts import CLOSES, OPENS, end_of_first, may_think


def clean_text(text: str) -> str:
    """What of a completion is its answer, in characters that can be read; every parser begins with it.

    Reasoning before the answer is left out, and so is what comes after a token that ends the turn. Lines end with \\n,
    other control characters go. Joiners stay where a script or an emoji needs them; half a surrogate pair is U+FFFD.
    """
    if _UNSEEN.search(text):
        text = _MISREAD.sub("\ufffd", _LINE_END.sub("\n", mend(text)))
        text = _JOINER.sub("", _CONTROL.sub("", text))
    if not may_hold_marks(text):
        return text
    text = without_thoughts(text)
    text = text[found.end() :] if (found := _TURN_BEGINS.match(text)) else text
    if "assistant\n\n" in text:
        text = _LOST_HEADER.split(_LOST_FIRST.sub("", text), maxsplit=1)[0]
    struck = text.find("<s>")  # from here on </s> is HTML
    for found in _TURN_ENDS.finditer(text):
        if not (found["strike"] and 0 <= struck < found.start()):
            return text[: found.start()]
    return text


def without_thoughts(text: str) -> str:
    """A first tag that closes ends a thought that the prompt opened; one that is not closed goes on to the end."""
    if not may_hold_marks(text):
        return text
    text = text[end_of_first(text) :]
    kept, start, thinking = [], 0, False
    tags = list(_THOUGHT.finditer(text))
    closing = max((number for number, tag in enumerate(tags) if not tag["opens"]), default=-1)
    for number, tag in enumerate(tags):
        if tag["opens"] and number > closing and _WITHIN.search(text[max(0, tag.start() - 4) : tag.start()]):
            continue  # a word of a sentence
        if not thinking and (tag["opens"] or number):
            kept.append(text[start : tag.start()])
        start, thinking = tag.end(), bool(tag["opens"])
    return "\n".join(kept if thinking else [*kept, text[start:]])


def may_hold_marks(text: str) -> bool:
    """Whether a text has what the marks of thoughts and turns begin with; most have none, and need no search."""
    return may_think(text) or "###" in text or "assistant\n\n" in text


# One of them is in whatever is replaced below: most texts hold none, and one search tells in a tenth of the time.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060\u2066-\u2069\ud800-\udfff\ufeff]"
)
_LINE_END = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_MISREAD = re.compile(r"[\x80-\x9f]")  # bytes of UTF-8 that were read as Latin-1
# Colours of a terminal; control characters; byte order mark, word joiner and frames of direction; marks of direction
# where a line begins; the zero-width space, but in the scripts of South-East Asia.
_CONTROL = re.compile(
    r"\x1b\[[\d;]*[A-Za-z]|[\x00-\x08\x0e-\x1f\x7f\ufeff\u2060\u202a-\u202e\u2066-\u2069]"
    r"|^[\u200e\u200f\u061c]+|(?<![\u0e00-\u109f\u1780-\u17ff])\u200b+",
    re.MULTILINE,
)
# After an ASCII character, a space or a full-width mark they join nothing.
_JOINER = re.compile(r"(?<![^\x00-\x7f\xa0\u2000-\u206f\u3000-\u303f\uff00-\uff20])[\u200c\u200d]+")

_THOUGHT = re.compile(rf"(?P<opens>{OPENS})|{CLOSES}")
_WITHIN = re.compile(r"[^\W\d_]{2}[,;]? \Z")
_LOST_FIRST = re.compile(r"\A(?:\s*assistant\n\n)+")
_LOST_HEADER = re.compile(r"(?<=[.!?)\]}\"'`”…])assistant\n\n")  # of Llama 3, whose tokens were left out
_TOKENS = r"<\|[\w▁]{2,30}\|>|<pad>|<｜[\w▁]{2,30}｜>|\[/?INST\]|<(?:start|end)_of_turn>|<[be]os>"
_ROLES = r"### ?(?:Instruction|Response|Human|User|Assistant):"
TOKEN = re.compile(_TOKENS)
_NO_TURN = r"(?!<\|(?:im_end|endoftext|end_of_text|eot_id|eom_id|end|return)\||\[INST|<end_of|<eos|<｜end)"
_BEGINS = rf"{_NO_TURN}(?:{_TOKENS}|<s>|### ?(?:Response|Assistant):)(?!user|system)(?:(?:assistant|model)\b)?"
_TURN_BEGINS = re.compile(rf"(?:\s*+{_BEGINS})+")
_TURN_ENDS = re.compile(
    rf"^[^\S\n]*+(?:{_TOKENS}|{_ROLES})|(?:{_TOKENS})(?=[^\S\n]*+(?:$|</s>|{_TOKENS}))|(?P<strike></s>)", re.MULTILINE
)
FENCE = re.compile(r"^[^\S\n]*+```[^`\n]*+(?:\n|\Z)", re.MULTILINE)  # a whole line
