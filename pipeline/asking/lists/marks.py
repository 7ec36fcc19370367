"""Finds what stands in front of the items of a list that has no numbers: letters, words, bullets, or nothing at all."""

import re

from pipeline.asking.lists.numbers import SENTENCE_ENDS, Span
from pipeline.asking.phrases import MIN_WORDS, is_preamble
from pipeline.asking.words import LETTERS, NUMBER_WORD, NUMERALS, WORD, place_of, value_of
from pipeline.novelty.tokens import count_words


def roman(text: str) -> list[Span]:
    return _counted(text, list(ROMAN.finditer(text)))


def worded(text: str) -> list[Span]:
    """First, second; one, two; Task nine, Task IX, Task C."""
    return _counted(text, list(WORDED.finditer(text))) or _counted(text, list(NAMED.finditer(text)))


def any_word(text: str) -> list[Span]:
    """A word that is not known, the same before each number, which counts."""
    marks = list(ANY_WORD.finditer(text))
    return _counted(text, marks) if len({mark["word"].casefold() for mark in marks}) == 1 else []


def lettered(text: str) -> list[Span]:
    """Letters that count, unless they are answers to choose from."""
    marks = list(LETTER.finditer(text))
    spans = _counted(text, marks, letters=True)
    pieces = [text[start:end] for start, end in zip([end for _, end in spans], [s for s, _ in spans[1:]], strict=False)]
    return [] if pieces and all(count_words(piece) < MIN_WORDS for piece in pieces) else spans


def _counted(text: str, marks: list[re.Match[str]], letters: bool = False) -> list[Span]:
    """The marks, if they count on from each other, and begin the text or count on from its unnumbered first item."""
    numbers = [mark["number"] for mark in marks[:MOST]]
    values = [0 if letters else value_of(number) for number in numbers]
    values = [value or place_of(number) for value, number in zip(values, numbers, strict=True)]
    if not marks or len(marks) > MOST or values != list(range(values[0], values[0] + len(values))):
        return []
    before = text[: marks[0].start()].strip()
    begins = not before or is_preamble(before)
    if begins if values[0] == 1 else (begins or not before.endswith((":", "："))):
        number = marks[0]["number"]
        second = values[0] == 2 or (values[0] > 1 and (number.isupper() or number.isdigit()))  # B, or the X after 9
        enough = len(marks) > 1 or (second and before.endswith(SENTENCE_ENDS)) or bool(NAMED.match(text))
        return [mark.span() for mark in marks] if enough else []
    return []


def bulleted(text: str) -> list[Span]:
    """Bullets, or "Task:" in front of each item; but after a colon they are points of one item."""
    marks = list(BULLET.finditer(text))
    marks = [mark for mark in marks if mark["indent"] == marks[0]["indent"]]
    before = text[: marks[0].start()].strip() if marks else ""
    points = before.endswith((":", "：")) and not is_preamble(before) and not KEY.fullmatch(before)
    one = len(marks) == 1 and not (before.endswith(SENTENCE_ENDS) and stands_alone(text[marks[0].end() :]))
    return labelled(text) if not marks or one or points else [mark.span() for mark in marks]


def labelled(text: str) -> list[Span]:
    """ "Task:" and the like, the same in front of each item."""
    marks = list(LABEL.finditer(text))
    return [mark.span() for mark in marks if mark["word"].casefold() == marks[0]["word"].casefold()]


def lines(text: str) -> list[Span]:
    """Lines that are each a task: four or more, or as many as there are, if each is a sentence of its own."""
    marks = list(LINE.finditer(text))
    found = [line.strip() for line in text.split("\n") if line.strip()]
    alike = all(count_words(line) >= MIN_WORDS and not line.endswith((":", "：", ",")) for line in found)
    enough = len(marks) >= MIN_LINES or (len(marks) > 1 and all(map(stands_alone, found)))
    return [mark.span() for mark in marks] if len(found) == len(marks) and enough and alike else []


def stands_alone(line: str) -> bool:
    """Whether a line is a whole sentence that needs no other before it."""
    line = line.strip().strip("*_\"'“”")
    ends = line.endswith(SENTENCE_ENDS)
    return ends and count_words(line) >= MIN_WORDS and not line[0].islower() and not CONTINUES.match(line)


MIN_LINES, MOST = 4, 1000
_INDENT = r"^(?P<indent>[^\S\n]*+)"
_BEFORE = r"(?:(?:#{1,6}|[-*+•>]) ){0,2}+(?:\*{1,3}|__?)?"
_AFTER = r"(?:\*{1,3}|__?)?"
_CLOSES = rf"\\?[.:)\]>]{_AFTER}(?=\s|$)|[．、：）】]"
_ROMAN = rf"[(\[]?(?P<number>(?i:{'|'.join(NUMERALS)})|[Ⅰ-Ⅻⅰ-ⅻ])"
_LETTER = rf"[(\[（]?(?P<number>[A-Za-zＡ-Ｚａ-ｚ{LETTERS}])"
_COUNTED = rf"(?<!\[[xX])(?:{_AFTER}(?:{_CLOSES})|[^\S\n][-–—](?=\s))"
ROMAN = re.compile(rf"{_INDENT}{_BEFORE}{_ROMAN}{_COUNTED}", re.MULTILINE)
LETTER = re.compile(rf"{_INDENT}{_BEFORE}{_LETTER}{_COUNTED}", re.MULTILINE)
LATER_ROMAN, LATER_LETTER = (re.compile(rf"(?<=[.?!])[^\S\n]++{mark}{_COUNTED}") for mark in (_ROMAN, _LETTER))
WORDED = re.compile(
    rf"{_INDENT}{_BEFORE}[(（]?(?:(?i:the|number|no\.) )?(?P<number>(?i:{NUMBER_WORD}))(?: (?i:{WORD}|one)\b)?"
    rf"(?:个|個)?(?:{_AFTER}(?:[,，]|{_CLOSES})|[^\S\n]*+[-–—](?=\s)|[^\S\n]*+$)",
    re.MULTILINE,
)
NAMED = re.compile(
    rf"{_INDENT}{_BEFORE}(?i:{WORD})(?:[^\S\n]*+#|[^\S\n]+(?:number|no\.))?[^\S\n]*+"
    rf"(?P<number>(?i:{NUMBER_WORD}|{'|'.join(NUMERALS)})|[A-Z])(?:{_AFTER}(?:{_CLOSES})|[^\S\n]*+[-–—](?=\s)"
    rf"|{_AFTER}[^\S\n]*+$)",
    re.MULTILINE,
)
ANY_WORD = re.compile(
    rf"{_INDENT}{_BEFORE}[(\[]?(?P<word>[^\W\d_]{{1,20}})[^\S\n]?#?(?P<number>\d{{1,3}}+){_AFTER}"
    rf"(?:{_CLOSES}|[^\S\n]*+[-–—](?=\s)|[^\S\n]*+$)",
    re.MULTILINE,
)
_SIGNS = r"[-*+•●▪–—◦‣⁃∙·○◆◇■▶▸➤➢→»❖★☆✓✔✅☐☑☒□▢👉\u2190-\u21ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
BULLET = re.compile(
    rf"{_INDENT}(?:\\?{_SIGNS}[\ufe0f\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff]*+|\\item(?:\[[^\[\]\n]{{0,20}}\])?|#\."
    rf"|(?:[-*+]\s)?\\?\[[ xX✓]?\\?\])(?:[^\S\n]\\?\[[ xX✓]?\\?\])?[^\S\n]",
    re.MULTILINE,
)
TASK = r"(?i:(?:(?:new|next|another|final|last|bonus) )?(?:task|instruction|prompt))"
LABEL = re.compile(
    rf"{_INDENT}(?:{_BEFORE})(?P<quote>[\"']?)(?P<word>{TASK}"
    rf"|(?:{WORD}))(?P=quote){_AFTER}[^\S\n]?[:：=]{_AFTER}",
    re.MULTILINE,
)
KEY = re.compile(
    r"(?i:[\"']?(?:tasks|instructions|items|prompts|questions|list|data)[\"']?:"
    r"|(?!(?:answer|arrange|check|compare|complete|do|give|group|list|order|plan|prioriti[sz]e|rank|read|schedule|sort|write)\b)"
    r"(?:(?!(?:the|these|those|following|all)\b)[^\W\d_]{1,20} ){1,2}(?:tasks|instructions|prompts):"
    r"|\[{1,2}\w+\]{1,2}|\\begin\{\w+\})"
)
LINE = re.compile(r"^[^\S\n]{0,1}(?=[^\s])(?![a-z])", re.MULTILINE)
CONTINUES = re.compile(
    r"(?:then|also|next|finally|it|they|he|she|this|these|that|those|the|its|their|your|you|make sure|use|include"
    r"|do not"
    r"|don't|be|if|each|please|for example|for instance|remember|note|keep|and|or|but|so|otherwise|afterwards)\b",
    re.IGNORECASE,
)
