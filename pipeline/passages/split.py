"""Passages of a document: whole paragraphs below their heading, up to a number of words."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Passage(NamedTuple):
    """A part of a document, which has it from `start` up to `end`, counted in characters."""

    start: int
    end: int
    text: str
    heading: str = ""  # the headings above it: "Trees > Oaks"


class _Unit(NamedTuple):
    """A paragraph, or a part of a long one, or a heading."""

    start: int
    end: int
    words: int
    heading: str
    is_heading: bool = False
    leads: bool = False  # to the next: a heading, or a paragraph that ends with a colon


def passages(
    text: str, words: int, separators: Sequence[str] = (), is_markdown: bool = True, min_words: int = 1
) -> Iterator[Passage]:
    """The passages of a text, in order, without what is not to be read.

    A heading begins another passage, unless the one before it has fewer than `min_words` words; a paragraph of more
    than `words` is divided between sentences. With separators, a passage is what stands between two of them, and only
    one of more than `words` is divided further.

    Args:
        is_markdown: Lines that begin with # are headings; front matter and comments are no text.
    """
    begin = _front_matter(text) if is_markdown else 0
    for start, end in _pieces(text, begin, separators):
        if separators and num_words(text[start:end]) <= words:
            if found := _passage(text, start, end, ""):
                yield found
        else:
            yield from _packed(text, [*_units(text, start, end, words, is_markdown)], words, min_words)


def num_words(text: str) -> int:
    """Words between blanks; in scripts without blanks, each character; of what is very long, every 40 characters.

    There are no more in a text than in its parts together.
    """
    if text.isascii():
        return len(text.split()) + sum((len(run) - 1) // LONGEST for run in _LONG.findall(text))
    return sum(max(-(-len(run) // LONGEST), len(_SPACELESS.findall(run))) for run in text.split())


def halves(text: str) -> tuple[str, str]:
    """A text divided at the end of the sentence that is nearest to its middle; two empty texts if it has none."""
    last = len(text.rstrip())
    inside = [found.end() for found in _SENTENCE.finditer(text) if found.end() < last]
    if not inside:
        return "", ""
    middle = min(inside, key=lambda end: abs(end - len(text) / 2))
    return text[:middle].rstrip(), text[middle:].lstrip()


def _pieces(text: str, begin: int, separators: Sequence[str]) -> Iterator[tuple[int, int]]:
    if separators:
        for found in re.compile("|".join(map(re.escape, separators))).finditer(text, begin):
            yield begin, found.start()
            begin = found.end()
    yield begin, len(text)


def _packed(text: str, units: Sequence[_Unit], words: int, min_words: int) -> Iterator[Passage]:
    """As many units as fit into each passage; what announces the next one, such as a heading, goes with that.

    A heading that the paragraph below it does not fit to is left out: it is in `heading`.
    """
    held: list[_Unit] = []
    for unit in units:
        count = sum(one.words for one in held)
        begins = unit.is_heading and count >= min_words and not all(one.is_heading for one in held)
        if held and (count + unit.words > words or begins):
            last = _last_but_leads(held)
            fits = sum(one.words for one in held[last:]) + unit.words <= words
            if found := _joined(text, held[:last] if fits else _without_headings(held)):
                yield found
            held = held[last:] if fits else []
        held.append(unit)
    if found := _joined(text, _without_headings(held)):
        yield found


def _last_but_leads(units: Sequence[_Unit]) -> int:
    return next((n for n in range(len(units), 0, -1) if not units[n - 1].leads), 0)


def _without_headings(units: Sequence[_Unit]) -> Sequence[_Unit]:
    return units[: next((n for n in range(len(units), 0, -1) if not units[n - 1].is_heading), 0)]


def _joined(text: str, units: Sequence[_Unit]) -> Passage | None:
    return _passage(text, units[0].start, units[-1].end, units[0].heading) if units else None


def _passage(text: str, start: int, end: int, heading: str) -> Passage | None:
    inner = text[start:end]
    start += len(inner) - len(inner.lstrip())
    inner = _COMMENT.sub("", inner).replace("\f", "\n").strip()
    return Passage(start, start + len(text[start:end].rstrip()), inner, heading) if inner else None


def _units(text: str, start: int, end: int, words: int, is_markdown: bool) -> Iterator[_Unit]:
    above: list[tuple[int, str]] = []  # the headings a paragraph is below, with their levels
    for first, last in _paragraphs(text, start, end, is_markdown):
        level, title = _heading(text[first:last]) if is_markdown else (0, "")
        if level:
            above = [*(one for one in above if one[0] < level), (level, title)]
        where = " > ".join(name for _, name in above)
        count = num_words(text[first:last])
        if level and count <= words:
            yield _Unit(first, last, count, where, True, True)
        elif count <= words:
            yield _Unit(first, last, count, where, leads=text[first:last].rstrip().endswith((":", "：")))
        else:
            yield from (_Unit(a, b, num_words(text[a:b]), where) for a, b in _divided(text, first, last, words))


def _paragraphs(text: str, start: int, end: int, is_markdown: bool) -> Iterator[tuple[int, int]]:
    """Between blank lines and form feeds; a block of code is one, and so is a heading with or without a blank line."""
    begin, fence, place = -1, "", start
    while place < end:
        stop = text.find("\n", place, end)
        stop = end if stop < 0 else stop
        line = text[place:stop].strip()
        mark = _FENCE.match(line) if is_markdown else None
        if fence:
            fence = "" if mark and mark[0].startswith(fence) and not line.strip(fence[0]) else fence
        elif not line or "\f" in text[place:stop]:
            if begin >= 0:
                yield begin, place
            begin = place if line else -1
        elif mark:
            fence = mark[0]
        elif is_markdown and _HASHES.match(line):
            if begin >= 0:
                yield begin, place
            yield place, stop
            begin, place = -1, stop + 1
            continue
        elif is_markdown and begin >= 0 and _UNDERLINE.fullmatch(line) and "\n" not in text[begin:place].strip():
            yield begin, stop
            begin, place = -1, stop + 1
            continue
        begin = place if begin < 0 and line else begin
        place = stop + 1
    if begin >= 0:
        yield begin, end


def _heading(paragraph: str) -> tuple[int, str]:
    """The level and the title; 0 for what is no heading."""
    line, _, below = paragraph.strip().partition("\n")
    if found := _HASHES.match(line):
        return len(found[1]), line[found.end() :].strip().rstrip("#").strip()
    if below and _UNDERLINE.fullmatch(below.strip()):
        return (1 if below.strip()[0] == "=" else 2), line.strip()
    return 0, ""


def _divided(text: str, start: int, end: int, words: int) -> Iterator[tuple[int, int]]:
    """Parts of a long paragraph of whole sentences; one sentence of more words is divided between them."""
    begin, count = start, 0
    for first, last in _sentences(text, start, end, words):
        size = num_words(text[first:last])
        if count and count + size > words:
            yield begin, first
            begin, count = first, 0
        count += size
    yield begin, end


def _sentences(text: str, start: int, end: int, words: int) -> Iterator[tuple[int, int]]:
    begin = start
    for stop in (*(found.end() for found in _LINE.finditer(text, start, end)), end):
        if num_words(text[begin:stop]) <= words:
            yield begin, stop
        else:
            for run in _RUN.finditer(text, begin, stop):
                size = max(1, words) if num_words(run[0]) > words else len(run[0])
                yield from ((at, min(at + size, run.end())) for at in range(run.start(), run.end(), size))
        begin = stop


def _front_matter(text: str) -> int:
    found = _FRONT.match(text)
    return found.end() if found else 0


LONGEST = 40  # characters of a word; a link or a block of base64 is as many as it takes the place of
_LONG = re.compile(rf"\S{{{LONGEST + 1},}}")
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_FRONT = re.compile(
    r"\s*(?:---[^\S\n]*\n(?=(?:#[^\n]*\n)*[\"']?[\w.-]+[\"']? ?:|---[^\S\n]*(?:\n|\Z))"  # a key, or none at all
    r"(?:[^\n]*\n){0,200}?(?:---|\.\.\.)|\+\+\+[^\S\n]*\n(?:[^\n]*\n){0,200}?\+\+\+)"
    r"[^\S\n]*(?:\n|\Z)"
)
_COMMENT = re.compile(r"<!--.{0,20000}?-->", re.DOTALL)
_FENCE = re.compile(r"`{3,}|~{3,}")
_HASHES = re.compile(r"(#{1,6})[^\S\n]+(?=\S)")
_UNDERLINE = re.compile(r"={3,}|-{3,}")
_SENTENCE = re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？][」』”’）]*|\n\s*\n")
_LINE = re.compile(rf"{_SENTENCE.pattern}|\n")
_RUN = re.compile(r"\S+\s*")
