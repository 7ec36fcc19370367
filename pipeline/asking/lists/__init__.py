"""Reads the items of a list as models write it: numbered in any way, with bullets, as JSON, or a line for each."""

import re

from pipeline.asking.clean import FENCE, clean_text
from pipeline.asking.lists.inline import inline
from pipeline.asking.lists.items import ASKS, item_of, own_part
from pipeline.asking.lists.marks import (
    BULLET,
    KEY,
    LETTER,
    any_word,
    bulleted,
    lettered,
    lines,
    roman,
    stands_alone,
    worded,
)
from pipeline.asking.lists.numbers import ITEM, Span, dotted, numbered
from pipeline.asking.lists.records import from_table, from_values
from pipeline.asking.markup import is_header, unwrapped, without_tags
from pipeline.asking.phrases import MIN_WORDS
from pipeline.novelty.tokens import count_words


def parse_list(text: str) -> list[str]:
    """The items of a numbered list that goes on where the prompt ended, with the case and words of the text.

    White space is collapsed. The first item need not have a number, since the prompt ends with it. Without any numbers,
    letters, words that count, bullets and labels do, and lines that are each a task. An item ends where its answer, its
    input, or a new paragraph begins.
    """
    return [item for piece in split_list(clean_text(text)) if (item := item_of(piece))]


def split_list(text: str) -> list[str]:
    """The text between the marks of the items; what comes before the first mark is the first piece.

    The last piece is empty where the list is closed, as JSON is by its bracket.
    """
    text = without_tags(unwrapped(text), TAGS)
    if found := from_values(text) or from_table(text):
        return found
    text = _without_fences(text) if "```" in text else text
    text = ESCAPED_BREAK.sub("\n", text) if "\\n" in text else text
    text = BREAK.sub("\n", text) if any(sign in text for sign in BREAKS) else text
    text = text[: key.start()] if may_hold_key(text) and (key := KEY_TO_ALL.search(text)) else text
    spans = _spans(text)
    first, *rest = _between(spans, text)
    marks = [text[start:end].lstrip() for start, end in spans]
    rest = [_titled(mark, piece) for mark, piece in zip(marks, rest, strict=True)]
    pieces = [part for piece in (first, *rest) for part in _parts(piece)]
    heading = (
        first.lstrip().startswith(("# ", "## ", "### "))
        or KEY.fullmatch(first.strip())
        or (
            is_header(first) and any(word in first.casefold() for word in ("task", "instruction", "prompt", "question"))
        )
    )
    return _numbered_once(pieces[1:] if rest and heading else pieces)


def _without_fences(text: str) -> str:
    """The code of an item without blank lines, which would end the item, and all without the lines of fences."""
    fences = [fence.span() for fence in FENCE.finditer(text)]
    for (_, start), (end, _) in reversed([*zip(fences[::2], fences[1::2], strict=False)]):
        if text[:start].count("\n") > 1 and not ITEM.search(text, start, end):
            text = text[:start] + BLANK_LINES.sub("\n", text[start:end]) + text[end:]
    return FENCE.sub("", text)


def _numbered_once(pieces: list[str]) -> list[str]:
    """Without a second number where each piece has one ("2. 2. Name a bird."), but maybe the first."""
    found = [NUMBER.match(piece) for piece in pieces]
    told = [one for one, piece in zip(found, pieces, strict=True) if piece.strip()]
    if not all(told[1:]) or len([*filter(None, told)]) < 2:
        return pieces
    return [piece[one.end() :] if one else piece for one, piece in zip(found, pieces, strict=True)]


def _titled(mark: str, piece: str) -> str:
    """The piece, and that its first line is a heading."""
    return f"# {piece}" if mark.startswith("#") and piece.partition("\n")[0].strip() else piece


def _parts(piece: str) -> list[str]:
    """The items of a piece: those on one line with its own, or those of JSON after a number."""
    if piece.lstrip().startswith(("{", "[")) and (found := from_values(piece)):
        return found
    return _between(inline(piece), piece)


def holds_several(piece: str, item: str) -> bool:
    """Whether a piece of a list may be several tasks: below a sentence or a title, lines with marks that are sentences.

    They may as well be parts of one task, so nobody can say what it is. The same goes for what would be several tasks
    on one line.

    Args:
        item: What `item_of` takes out of it.
    """
    if inline(item):
        return True
    if "\n" not in piece.strip():
        return False
    piece = own_part(piece)
    for mark in (BULLET, LETTER, ITEM):
        first, *parts = _between([found.span() for found in mark.finditer(piece)], piece)
        title = len(parts) > 1 and count_words(first) < MIN_WORDS and not ASKS.match(first.strip(" *_#\n"))
        if parts and (title or first.rstrip().endswith(ENDS)) and all(map(stands_alone, parts)):
            return True
    return False


def may_hold_key(text: str) -> bool:
    """Whether the answers to all tasks may follow: most texts name none, and need no search."""
    if not text.isascii():
        return True
    small = text.lower()
    return any(word in small for word in ("answer", "solution", "output"))


def _spans(text: str) -> list[Span]:
    for read in (dotted, numbered, roman, worded, lettered, bulleted, any_word, lines):
        if spans := read(text):
            return spans
    return []


def _between(spans: list[Span], text: str) -> list[str]:
    ends = [0, *(place for span in spans for place in span), len(text)]
    return [text[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True)]


BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
ESCAPED_BREAK = re.compile(r"(?<=[.?!\"”])\\n(?=\s*(?:\\n)*\d{1,3}[.)])")
BREAK = re.compile(
    r"^[^\S\n]*+(?:([-*_=~#])\1{2,}+|\[\[\w{1,20}\]\]|\\(?:begin|end)\{\w+\*?\})[^\S\n]*+$"
    r"|(?<=[.?!])<br\s?/?>",
    re.MULTILINE,
)
BREAKS = ("---", "***", "___", "===", "~~~", "###", "[[", "\\", "<br")  # one of these is in each
KEY_TO_ALL = re.compile(  # the answers, after all of the tasks
    r"(?<=\S)\n\s*(?:#{1,6} |\*\*)?(?:(?:Sample |Example )?(?:Answers|Solutions|Outputs)|Answer Key)(?:\*\*)?:"
    r"(?:\*\*)?[^\S\n]*(?=\n\s*(?:\*\*)?1[.):])",
    re.IGNORECASE,
)
ENDS = (".", "!", "。", "！")
NUMBER = re.compile(r"\s*+\(?(?:\d{1,2}[.)]|[A-Za-z]\)) +(?!.*\s\(?(?:\d{1,2}[.)]|[A-Za-z]\)) )", re.DOTALL)
TAGS = {
    **dict.fromkeys(("li", "item", "task", "dd", "option", "entry"), "- "),
    **dict.fromkeys(("tr", "td", "th"), "| "),
    **dict.fromkeys(("p", "br", "tasks", "list", "items", "instructions"), ""),
    **{name: f"{name.capitalize()}: " for name in ("instruction", "prompt", "question", "input", "output")},
    "h": "### ",
}
