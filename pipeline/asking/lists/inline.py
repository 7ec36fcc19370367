"""Finds the marks of items that follow each other on one line."""

import re

from pipeline.asking.lists.marks import CONTINUES, LATER_LETTER, LATER_ROMAN, LETTER, ROMAN
from pipeline.asking.lists.numbers import Span
from pipeline.asking.phrases import MIN_WORDS, is_preamble
from pipeline.asking.words import CIRCLED, KEYCAP, WORD, place_of, value_of
from pipeline.novelty.tokens import count_words


def inline(text: str) -> list[Span]:
    """Numbers in the middle of a line that begin another item.

    They follow the end of a sentence, or count on from each other. Those that begin with 1 after a text are a list
    inside it.
    """
    if not text.strip():
        return []
    if text.isascii() and not DIGIT.search(text):  # most items: neither a number nor a sign in place of one
        return _letters(text) or (_bullets(text) if "|" in text or "-" in text else [])
    marks = list(INLINE.finditer(text)) if COUNTS.search(text) or SIGN.search(text) else []
    values = [value_of(mark["number"] or mark["special"]) for mark in marks]
    spans: list[Span] = []
    inside = None  # the last number of a list in the item
    for place, (mark, value) in enumerate(zip(marks, values, strict=True)):
        announced = value == 1 and not spans and is_preamble(text[: mark.start()].strip())
        if (value == 1 and not announced) or (inside is not None and value == inside + 1):
            inside = value
            continue
        follows = value + 1 in values[place + 1 : place + 2] or (place > 0 and spans and values[place - 1] == value - 1)
        if mark["ended"] is not None or follows or announced:
            spans.append(mark.span())
            inside = None
    return spans or _bare(text) or _letters(text) or _bullets(text)


def _bullets(text: str) -> list[Span]:
    """Bullets after sentences, if what follows each is a sentence that needs no other before it."""
    spans = [mark.span() for mark in BULLETS.finditer(text)]
    return [] if any(CONTINUES.match(text, end) for _, end in spans) else spans


def _bare(text: str) -> list[Span]:
    """Numbers with a dash or a blank, after sentences, that count on from each other or from where the text begins."""
    first = BARE.match(text.lstrip())
    later = list(LATER_BARE.finditer(text))
    values = [int(mark["number"]) for mark in ([first, *later] if first else later)]
    counts = values == list(range(values[0], values[0] + len(values))) if values else False
    if not later or not counts or (not first and (values[0] == 1 or (len(values) < 2 and not later[0]["dash"]))):
        return []
    start = len(text) - len(text.lstrip())
    return [*([(start, start + first.end())] if first else []), *(mark.span() for mark in later)]


def _letters(text: str) -> list[Span]:
    """Letters or roman numbers that count, the first where the text begins, the others after sentences."""
    for pattern, later in ((ROMAN, LATER_ROMAN), (LETTER, LATER_LETTER)):
        if (first := pattern.match(text.lstrip())) is None:
            continue
        marks = [first, *later.finditer(text)]
        values = [value_of(mark["number"]) if pattern is ROMAN else place_of(mark["number"]) for mark in marks]
        if len(values) > 1 and values == list(range(1, len(values) + 1)):
            start = len(text) - len(text.lstrip())
            spans = [(start, start + first.end()), *(mark.span() for mark in marks[1:])]
            ends = [*(begin for begin, _ in spans[1:]), len(text)]
            if all(count_words(text[begin:end]) >= MIN_WORDS for (_, begin), end in zip(spans, ends, strict=True)):
                return spans
    return []


DIGIT = re.compile("[0-9]")
_EMPHASIS = r"(?:\*{1,3}|__?)?"
_ENDED = r"(?<=[.?!。？！])|(?<=[.?!][\"”’)*»])"
_SPECIAL = rf"(?P<special>{KEYCAP}|{CIRCLED})[^\S\n]*+"
_CLOSE = rf"\\?[.):\]]{_EMPHASIS}[^\S\n]++|[．、：）]"
# A digit and what closes it, or a sign in its place: one of them is in each mark, and they are found ten times as fast.
COUNTS = re.compile(rf"\d(?:{_EMPHASIS}(?:\\?[.):\]]{_EMPHASIS}[^\S\n]|[．、：）])|\ufe0f?\u20e3)")
SIGN = re.compile(rf"{CIRCLED[:-1]}\U0001f51f]")
_GLUED = r"(?<=[a-z]{2}[.?!])(?=\d{1,3}[.)][^\S\n])"  # to the sentence before
_NUMBER = rf"(?:(?<=[\s。？！：:，、；*_])|{_GLUED})[(\[（]?(?P<number>\d{{1,3}}+){_EMPHASIS}(?:{_CLOSE})"
_TEXT = r"(?=[\"“'*(¿¡]*+[^\W\d_a-z])(?=[^\x00-\x7f]|(?:\S++\s++){3}\S)"  # four words
INLINE = re.compile(
    rf"(?:(?P<ended>{_ENDED})|(?<=\S))[^\S\n]*+{_EMPHASIS}(?:(?<=[\s*])(?:{WORD})[^\S\n]*+#?)?(?:{_SPECIAL}"
    rf"|{_NUMBER}){_TEXT}"
)
_BARE = r"(?P<number>\d{1,3}+)(?:(?P<dash>[^\S\n]?[-–—])[^\S\n]+|[^\S\n]++)" + _TEXT
BARE, LATER_BARE = re.compile(_BARE), re.compile(rf"(?<=[.?!])[^\S\n]++{_BARE}")
BULLETS = re.compile(r"(?<=[.?!。？！\"”])[^\S\n]+(?:[•●▪◦‣|]|(?<!-)-(?=\s+[A-Z]))[^\S\n]+")
