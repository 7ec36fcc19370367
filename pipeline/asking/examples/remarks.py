"""Takes out of a field what is said about it: explanations, reasoning and notes to the reader."""

import re
from bisect import bisect

from pipeline.asking.clean import FENCE
from pipeline.asking.examples.instruction import ASKS_FOR_DIALOGUE, asks_why


def without_remarks(field: str, instruction: str) -> str:
    """The field up to an explanation or a note, unless the instruction asks for one; never nothing.

    What a chat goes on with, and the last word to its user, is left out, unless the task is to write to somebody.
    A note that is no part of a short answer, stands in brackets or speaks of the answer or the task is left out; others
    may belong to a recipe or a letter.
    """
    field = _without_turns(field, instruction) if "\n" in field else field
    if not _may_remark(field) or asks_why(instruction):
        return field
    fences = [fence.start() for fence in FENCE.finditer(field)]
    for mark in EXPLAINS.finditer(field):
        before = field[: mark.start()].strip()
        part_of_form = LABELLED.search(before) and not mark[0].strip("*_#-([ \n").casefold().startswith("expl")
        if before and bisect(fences, mark.start()) % 2 == 0 and not part_of_form:
            return without_note(before)
    return without_note(field)


def _without_turns(field: str, instruction: str) -> str:
    if not any(word in field for word in SAID_BY_CHAT) or ASKS_FOR_DIALOGUE.search(instruction):
        return field
    found = TURN.search(field)
    field = field[: found.start()].rstrip() if found and not TURN.match(f"\n{field}") else field
    before, _, last = field.rpartition("\n\n")
    return before.rstrip() if before.strip() and FAREWELL.match(last.strip()) else field


def _may_remark(field: str) -> bool:
    """Whether a remark can be in the field, by the letters that each has: most have none, and need no search."""
    if not field.isascii():
        return True
    small = field.lower()
    return (":" in small or " that" in small) and any(word in small for word in WORDS)


def without_note(field: str) -> str:
    for _ in range(MAX_NOTES):
        last = next(iter([*NOTE.finditer(field)][-1:]), None)
        if last is None or not (before := field[: last.start()].strip()):
            return field
        note = field[last.start() :]
        closed = note.strip().endswith((")", "]", "*", "_")) and last["opens"]
        if "\n\n" in note.strip() or not (closed or len(before.split()) <= MAX_WORDS or ABOUT.search(note)):
            return field
        field = before
    return field


MAX_NOTES, MAX_WORDS = 3, 12
SAID_BY_CHAT = ("Human:", "User:", "hope", "et me know", "eel free", "anything else")
TURN = re.compile(r"\n\s*(?:\*\*)?(?:Human:|User:(?=.*\n\s*(?:\*\*)?(?:Assistant|AI|Bot|System):))", re.DOTALL)
FAREWELL = re.compile(
    r"i hope (?:this|that|it|these) helps\b|(?:please |just )?(?:let me know|feel free to ask)\b[^\n]*$"
    r"|is there anything else (?:i|you)\b",
    re.IGNORECASE,
)
# In each of the names below that is ASCII.
WORDS = ("explana", "reason", "rationale", "justif", "thought", "explication", "note", "nota", "nb", "n.b.", "remark",
         "disclaimer", "hinweis")  # fmt: skip
_NAMES = (
    r"explanations?|reasoning|rationale|justification|reasons?|chain of thought|thought process"
    r"|explanation of (?:the )?\w+"
)
EXPLAINS = re.compile(
    rf"^[^\S\n]*+(?:#{{1,6}} |[-*] )?(?P<opens>[(\[*_]{{0,3}})(?i:{_NAMES}|explicación|explication|erklärung"
    rf"|begründung|объяснение|解释|説明|설명)[*_]{{0,2}}[:：]"
    rf"|(?<=[^\s(])[^\S\n]+[(\[](?i:{_NAMES})[:：][^\n]*[)\]]\s*\Z",
    re.MULTILINE,
)
NOTE = re.compile(
    r"(?:^[^\S\n]*+(?:[-*] )?(?P<opens>[(\[*_]{0,3})"
    r"|(?<=\S)[^\S\n]+(?=[(\[])(?P<same>[(\[*_]{1,3}))(?i:please note|notes?|nb|n\.b\.|remarks?|disclaimer|nota"
    r"|hinweis|примечание|注意?)"
    r"[*_]{0,2}(?:[:：]|\b(?i: that))",
    re.MULTILINE,
)
LABELLED = re.compile(r"^[^\S\n]*+(?:[-*] )?(?:\*\*)?[^\W\d_][\w ]{0,24}(?:\*\*)?:", re.MULTILINE)
ABOUT = re.compile(
    r"\b(?:answers?|outputs?|inputs?|examples?|tasks?|instructions?|responses?|solutions?|instances?|results?"
    r"|prompts?)\b",
    re.IGNORECASE,
)
