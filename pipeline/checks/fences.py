"""Takes code out of the text around it."""

import re

_FENCE = re.compile(r"^(?P<indent>[^\S\n]*)(?P<marks>`{3,}|~{3,})[^\S\n]*(?P<language>[\w+#.-]*)[^\n`]*$", re.MULTILINE)
_QUOTES = re.compile("\"\"\"|'''")


def unwrapped(text: str, languages: tuple[str, ...]) -> str:
    """The first block in fences that names one of the languages, else the first block; without blocks, the text.

    A fence inside a docstring is part of the code. A block that nothing ends goes to the end of the text.
    """
    blocks = _blocks(text)
    named = (code for language, code in blocks if language.lower() in languages)
    return next(named, blocks[0][1] if blocks else text)


def _blocks(text: str) -> list[tuple[str, str]]:
    """The language and the code of each block."""
    found, place = [], 0
    while opens := next(
        (one for one in _FENCE.finditer(text, place) if not _in_docstring(text[place : one.start()])), None
    ):
        indent, marks = opens["indent"], opens["marks"]
        closes = re.compile(rf"^[^\S\n]*{marks[0]}{{{len(marks)},}}[^\S\n]*$", re.MULTILINE)
        begin = min(opens.end() + 1, len(text))
        ends = [one for one in closes.finditer(text, begin) if not _in_docstring(text[begin : one.start()])]
        end = ends[0] if ends else next(closes.finditer(text, begin), None)
        code = text[begin : end.start()] if end else text[begin:]
        found.append((opens["language"], re.sub(rf"^{indent}", "", code, flags=re.MULTILINE) if indent else code))
        if not end:
            break
        place = end.end()
    return found


def _in_docstring(before: str) -> bool:
    return len(_QUOTES.findall(before)) % 2 == 1
