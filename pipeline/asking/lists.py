"""Reads the items of a list as models write it: numbered in any way, with bullets, or a line for each."""

import re
from itertools import takewhile

from pipeline.asking.clean import FENCE, clean_text
from pipeline.asking.phrases import MIN_WORDS, SIGNS_OFF, is_preamble
from pipeline.novelty.tokens import count_words


def parse_list(text: str) -> list[str]:
    """The items of a numbered list that goes on where the prompt ended, with the case and words of the text.

    White space is collapsed. The first item need not have a number, since the prompt ends with it. Without any numbers,
    bullets count, and lines of four words or more if there are four. An item ends where its answer, its input, or a
    new paragraph begins.
    """
    return [item for piece in split_list(clean_text(text)) if (item := item_of(piece))]


def split_list(text: str) -> list[str]:
    """The text between the marks of the items; what comes before the first mark is the first piece."""
    text = FENCE.sub("", text)
    spans = _numbered(text) or _roman(text) or _bulleted(text) or _lines(text)
    ends = [0, *(place for span in spans for place in span), len(text)]
    first, *rest = (text[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True))
    return rest if rest and first.lstrip().startswith(("# ", "## ", "### ")) else [first, *rest]  # no heading


Span = tuple[int, int]
MIN_LINES = 4

ITEM = re.compile(
    r"^(?P<indent>[^\S\n]*+)(?:(?:#{1,6}|[-*•]) )?(?:\*\*|__)?(?P<style>(?:(?:Task|Instruction) #?)?[(\[（]?)"
    r"(?P<number>\d{1,4})(?:\*\*|__)?[ \t]?"
    r"(?P<close>[.:)\]](?=\s|$|\*\*|__)|[．。、：）]|(?P<tight>[.)])(?=[^\W\d_])(?![a-z]))(?:(?:\*\*|__)(?=\s|$))?",
    re.MULTILINE,
)
NUMERALS = re.findall(r"\w+", "I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX")
ROMAN = re.compile(rf"^[^\S\n]*+(?:\*\*)?(?P<number>(?i:{'|'.join(NUMERALS)}))[.)](?:\*\*)?(?=\s|$)", re.MULTILINE)
BULLET = re.compile(r"^(?P<indent>[^\S\n]*+)[-*•●▪–—+][^\S\n]", re.MULTILINE)
LABEL = re.compile(r"^[^\S\n]*+(?:\*\*)?(?:Task|Instruction)(?:\*\*)?:(?:\*\*)?", re.MULTILINE)
ANSWERED = re.compile(r"^[^\S\n]*+(?:\*\*)?(?:Input|Output|Answer|Solution)(?: \d+)?(?:\*\*)?:", re.MULTILINE)
PARAGRAPH = re.compile(r"\n(?:[^\S\n]*+\n)++")
BOLD = re.compile(r"(?<![\w*])\*{2,}+([^*]+)\*{2,}+(?!\w)")
HALF_BOLD = re.compile(r"(?<=[^\s*])\*\*(?=\s|$)")
LINE = re.compile(r"^[^\S\n]{0,1}(?=[^\s])(?![a-z])", re.MULTILINE)
LEAD = re.compile(r"(?:(?:[-*•>]|#{1,6}) +|(?:Task|Instruction): *)++")


def _numbered(text: str) -> list[Span]:
    """The numbers of the list itself, whatever they are; a list inside an item is part of the item.

    It begins with 1 and does not count on from the item; it is indented, or numbered in another style after a colon.
    A number without a blank after it counts on, before a capital or a script that has none, or it is none.
    """
    spans: list[Span] = []
    depth = end = last = outer = 0
    inner: tuple[str, str, int] | None = None
    for mark in ITEM.finditer(text):
        value = int(mark["number"])
        if mark["tight"] and last and value not in (last + 1, outer + 1):
            continue
        last = value
        style, before = mark["style"] + mark["close"], text[end : mark.start()].rstrip()
        here, end = (mark["indent"], style, value), mark.end()
        nested = len(mark["indent"]) > depth or (style != "." and before.endswith((":", "：")))
        begins = value == 1 and nested and (spans or (before and not is_preamble(before)))
        if (inner and here == (*inner[:2], inner[2] + 1)) or begins:
            inner = here
            continue
        spans.append(mark.span())
        depth, inner, outer = len(mark["indent"]), None, value
    return spans


def _roman(text: str) -> list[Span]:
    marks = list(ROMAN.finditer(text))
    values = [NUMERALS.index(mark["number"].upper()) for mark in marks]
    return [mark.span() for mark in marks] if values[1:] == [value + 1 for value in values[:-1]] != [] else []


def _bulleted(text: str) -> list[Span]:
    """Bullets, or "Task:" in front of each item; but after a colon they are points of one item."""
    marks = list(BULLET.finditer(text))
    marks = [mark for mark in marks if mark["indent"] == marks[0]["indent"]]
    before = text[: marks[0].start()].strip() if marks else ""
    if len(marks) < 2 or (before.endswith((":", "：")) and not is_preamble(before)):
        marks = list(LABEL.finditer(text))
    return [mark.span() for mark in marks]


def _lines(text: str) -> list[Span]:
    marks = list(LINE.finditer(text))
    lines = [line for line in text.split("\n") if line.strip()]
    alike = all(count_words(line) >= MIN_WORDS and not line.rstrip().endswith((":", "：", ",")) for line in lines)
    return [mark.span() for mark in marks] if len(lines) == len(marks) >= MIN_LINES and alike else []


def item_of(piece: str) -> str:
    """A piece on one line, without the marks of Markdown around it."""
    text = piece.strip()
    text = " ".join((_task_alone(text) if "\n" in text else text).split())
    if "**" in text:
        text = BOLD.sub(r"\1", text)
        if text.count("**") % 2:  # bold that began before the number
            text = HALF_BOLD.sub("", text, count=1)
        text = " ".join(text.split())
    return text[found.end() :] if (found := LEAD.match(text)) else text


def _task_alone(text: str) -> str:
    """The first paragraph, and the next after a colon, up to an input, an answer or a word to the user."""
    first, *more = PARAGRAPH.split(text)
    shown = takewhile(lambda pair: pair[0].rstrip().endswith((":", "：")), zip([first, *more], more, strict=False))
    text = "\n".join([first, *(following for _, following in shown)])
    answer = ANSWERED.search(text)
    if answer and not text[: answer.start()].rstrip().endswith((":", "：")):
        text = text[: answer.start()]
    line, *lines = text.split("\n")
    return "\n".join([line, *takewhile(lambda line: not SIGNS_OFF.match(line.strip()), lines)])
