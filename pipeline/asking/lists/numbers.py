"""Finds the numbers in front of the items of a list, in any style, and tells them from numbers inside an item."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from pipeline.asking.phrases import MIN_WORDS, is_preamble
from pipeline.asking.words import CIRCLED, KEYCAP, WORD, value_of
from pipeline.novelty.tokens import count_words

Span = tuple[int, int]


class Mark(NamedTuple):
    """A number where a line begins."""

    start: int
    end: int
    indent: int
    style: str  # what stands around the number, a blank and emphasis aside
    value: int
    kind: str  # sure; tight, without a blank after it; weak, as in "9 -", "#9" and "9"


def numbered(text: str) -> list[Span]:
    """The numbers of the list itself, whatever they are; a list inside an item is part of the item.

    It begins with 1 and does not count on from the item; it is indented, or numbered in another style after a colon,
    or the item is followed by the next one. A number without a blank after it counts on, before a capital or a script
    that has none, or it is none; so does one without a full stop or the like.
    """
    marks = _real(text, [_mark(found) for found in ITEM.finditer(text)])
    last_place = {(mark.style, mark.value): place for place, mark in enumerate(marks)}
    spans: list[Span] = []
    depth = end = last = outer = 0
    outer_style = ""
    inner: tuple[int, str, int] | None = None
    for place, mark in enumerate(marks):
        if mark.kind == "tight" and last and mark.value not in (last + 1, outer + 1):
            continue
        last = mark.value
        before = text[end : mark.start].rstrip()
        end = mark.end
        announced = before.endswith((":", "："))
        goes_on = bool(spans) and last_place.get((outer_style, outer + 1), 0) > place
        points = announced and (mark.style != "." or goes_on or not _is_task(text, mark))
        nested = mark.indent > depth or points
        nested = nested or (goes_on and mark.style != outer_style)
        begins = mark.value == 1 and nested and (spans or (before and not is_preamble(before)))
        here = (mark.indent, mark.style, mark.value)
        if (inner and here == (*inner[:2], inner[2] + 1)) or begins:
            inner = here
            continue
        spans.append((mark.start, mark.end))
        depth, inner, outer, outer_style = mark.indent, None, mark.value, mark.style
    return spans


def _is_task(text: str, mark: Mark) -> bool:
    line = LINE.match(text, mark.end)
    words = line[0].strip() if line else ""
    return count_words(words) >= MIN_WORDS and not words[0].islower()


def dotted(text: str) -> list[Span]:
    """Numbers of two parts, such as 9.1; the first item may have one part, or none."""
    marks = list(DOTTED.finditer(text)) if TWO_PARTS.search(text) else []
    parts = [tuple(map(int, mark["number"].split("."))) for mark in marks]
    counts = all(_follows(one, following) for one, following in pairwise(parts))
    before = text[: marks[0].start()].strip() if marks else ""
    if not counts or not (len(marks) > 1 or (before and parts[0][-1] == 2)):
        return []
    spans = [mark.span() for mark in marks]
    if parts[0][-1] > 1 and (first := ITEM.match(text)):
        return [first.span(), *spans]
    above = [LINE.match(text, start) for start, _ in numbered(DOTTED.sub(lambda mark: "\0" * len(mark[0]), text))]
    titles = [title.span() for title in above if title]
    short = all(count_words(text[start:end]) < MIN_WORDS + 1 for start, end in titles)  # words and the number
    return sorted([*spans, *titles]) if short else []


def _follows(one: tuple[int, ...], following: tuple[int, ...]) -> bool:
    return following in ((*one[:-1], one[-1] + 1), (one[0] + 1, 1), (one[0] + 1, *one[1:]))


def _mark(found: re.Match[str]) -> Mark:
    indent, word, opens, special, number, sure, tight, weak = found.group(*PARTS)
    kind = "sure" if sure is not None else "tight" if tight is not None else "weak"
    style = f"{word or ''}{opens}{(sure or tight or '').lstrip(BACKSLASH)}".casefold()
    if word and kind == "weak" and (weak.strip() or ends_line(found)):
        kind = "sure"
    if special:
        kind, style = "sure", "circle" + style
    return Mark(*found.span(), len(indent), style, value_of(number or special), kind)


def ends_line(found: re.Match[str]) -> bool:
    """Whether the line holds nothing but the mark."""
    return found.end() == len(found.string) or found.string[found.end()] == "\n"


def _real(text: str, marks: Sequence[Mark]) -> list[Mark]:
    """Without the weak ones that neither count on nor are counted on from, or that are points after a colon."""
    sure = {mark.value for mark in marks if mark.kind != "weak"}
    real: list[Mark] = []
    last = point = None  # values of the last mark that is real, and of the last that is a point of an item
    for place, mark in enumerate(marks):
        if mark.kind == "weak":
            before = text[real[-1].end if real else 0 : mark.start].rstrip()
            points = (before.endswith((":", "：")) and not is_preamble(before)) or (
                point is not None and mark.value == point + 1
            )
            follows = marks[place + 1] if place + 1 < len(marks) else None
            counted = follows is not None and (follows.value, follows.indent) == (mark.value + 1, mark.indent)
            alone = last is None and mark.value > 1 and before.endswith(SENTENCE_ENDS)
            counts = last is not None and mark.value == last + 1
            first = last is None and counted
            if mark.value in sure or (points and not counts) or not (counts or first or alone):
                point = mark.value if points else point
                continue
        real.append(mark)
        last, point = mark.value, None
    return real


SENTENCE_ENDS = (".", "?", "!", "。", "？", "！", '."', ".”", '?"', "?”", '!"', "!”")
_LEAD = (
    r"(?:(?:#{1,6}|[-*+•●▪◦‣>–—]|\\[-*+#]|[☐☑☒✅✔✓□▢]\ufe0f?|\\?\[[ xX]?\\?\]|\\item)[^\S\n]++){0,3}+"
    r"(?:#{1,6}(?=\d{1,3}[.:)]))?"
)
_EMPHASIS = r"(?:\*{1,3}|_{1,3}|`)"
_DIGITS = rf"\d{CIRCLED[1:-1]}\U0001f51f"
_SOON = rf"(?=[^\n{_DIGITS}]{{0,60}}+[{_DIGITS}])"  # looked for first, which is quick
_OPENS, _CLOSES = r"[(\[（【［「『〔<{]", r"[)\]）】］」』〕>}]"
_SURE = r"\\?(?:[.:)\]>}]{1,3}-?(?=\s|$|\*|_|`|&nbsp;)|[．。、：）】］」』〕｡､｝।۔။។]|\.\\\.)"
ITEM = re.compile(
    rf"^(?P<indent>[^\S\n]*+){_SOON}{_LEAD}{_EMPHASIS}?[\"“]?"
    rf"(?P<word>(?i:(?:(?:the|new|generated|next|additional|bonus) )?(?:{WORD}))(?=[^a-zA-Z]))?"
    rf"(?P<open>(?(word)(?:[^\S\n]*+(?:#|№|(?i:no|nr|num|number|nummer|número|numéro|numero)\b\.?|n\.?[º°]\.?"
    rf"|第))?[^\S\n]*+"
    rf"|(?:(?:#|№|(?i:no|nr|number)\b\.?|n\.?[º°]\.?|第)[^\S\n]?)?){_EMPHASIS}?\\?{_OPENS}?)"
    rf"(?:(?P<special>{KEYCAP}|{CIRCLED})|(?P<number>\d{{1,4}}+)(?:(?: of |/)\d{{1,3}}(?=[:.)]))?){_EMPHASIS}?[ \t]?"
    rf"(?:题|題|个|個|番|号|[ºª°])?(?(word)(?:\([^()\n]{{1,40}}\)|\[[^\[\]\n]{{1,40}}\])?)"
    rf"(?:(?P<sure>{_SURE})|(?P<tight>\\?[.:)\]](?=[^\W\d_]|[\"“«¿¡*])(?![a-z]))"
    rf"|(?P<weak>(?:[^\S\n]*+[-–—~|,;/>→=]{{1,2}}(?=[^\S\n]++[^\W\d_]|[^\S\n]*+[\"“«])|,(?=[A-Z])"
    rf"|(?=[^\S\n]++[\"“«¿¡*]?[^\W\d_])(?![^\S\n]++[a-z])|(?=[^\S\n]*+$)|(?=[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ])|(?(special)|(?!)))))"
    rf"(?:{_EMPHASIS}(?=\s|$))?+",
    re.MULTILINE,
)
PARTS = ("indent", "word", "open", "special", "number", "sure", "tight", "weak")  # of an item
BACKSLASH = "\\"
LINE = re.compile(r"[^\n]*+")
TWO_PARTS = re.compile(r"\d\.\d")
DOTTED = re.compile(
    rf"^[^\S\n]*+{_SOON}{_LEAD}{_EMPHASIS}?(?:(?i:{WORD})[^\S\n]*+)?{_OPENS}?(?P<number>\d{{1,3}}(?:\.\d{{1,3}}){{1,2}}+){_EMPHASIS}?"
    rf"(?:{_SURE}|(?=\s)|[^\S\n]*+[-–—](?=\s)){_EMPHASIS}?(?=\s|$|\*)",
    re.MULTILINE,
)
