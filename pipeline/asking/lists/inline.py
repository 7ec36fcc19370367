"""Finds the marks of items that follow each other on one line."""

import re

from pipeline.asking.lists.numbers import Span
from pipeline.asking.words import CIRCLED, KEYCAP, WORD, value_of


def inline(text: str) -> list[Span]:
    """Numbers in the middle of a line that begin another item.

    They follow the end of a sentence, or count on from each other. Those that begin with 1 after a text are a list
    inside it.
    """
    if not text.strip():
        return []
    marks = list(INLINE.finditer(text))
    values = [value_of(mark["number"] or mark["special"]) for mark in marks]
    spans: list[Span] = []
    inside = None  # the last number of a list in the item
    for place, (mark, value) in enumerate(zip(marks, values, strict=True)):
        if value == 1 or (inside is not None and value == inside + 1):
            inside = value
            continue
        follows = value + 1 in values[place + 1 : place + 2] or (place > 0 and spans and values[place - 1] == value - 1)
        if mark["ended"] is not None or follows:
            spans.append(mark.span())
            inside = None
    return spans or [mark.span() for mark in BULLETS.finditer(text)]


_EMPHASIS = r"(?:\*{1,3}|__?)?"
_ENDED = r"(?<=[.?!。？！])|(?<=[.?!][\"”’)*»])"
_SPECIAL = rf"(?P<special>{KEYCAP}|{CIRCLED})[^\S\n]*+"
_NUMBER = rf"(?<=[\s。？！])[(\[（]?(?P<number>\d{{1,3}}+){_EMPHASIS}(?:\\?[.):\]](?:{_EMPHASIS}[^\S\n]++)|[．、：）])"
_TEXT = r"(?=[\"“'*(¿¡]*+[^\W\d_a-z])(?=[^\x00-\x7f]|(?:\S++\s++){3}\S)"  # four words
INLINE = re.compile(
    rf"(?:(?P<ended>{_ENDED})|(?<=\S))[^\S\n]*+{_EMPHASIS}(?:(?<=[\s*])(?:{WORD})[^\S\n]*+#?)?(?:{_SPECIAL}|{_NUMBER}){_TEXT}"
)
BULLETS = re.compile(r"(?<=[.?!。？！\"”])[^\S\n]+[•●▪◦‣][^\S\n]+")
