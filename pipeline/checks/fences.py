"""Takes code out of the text around it."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

_FENCE = re.compile(r"^(?P<indent>[^\S\n]*)(?P<marks>`{3,}|~{3,})[^\S\n]*(?P<language>[\w+#.-]*)[^\n`]*$", re.MULTILINE)
_GLUED = re.compile(r"^(?=[^\S\n]*[^\s`])((?:(?!```)[^\n])++)(?=```[\w+#.-]*[^\S\n]*$)", re.MULTILINE)
_QUOTES = re.compile("\"\"\"|'''")


def unwrapped(text: str, languages: tuple[str, ...], is_code: Callable[[str], bool] = lambda before: False) -> str:
    """The first block in fences that names one of the languages, else the first block; without blocks, the text.

    A fence inside a docstring is part of the code. A block that nothing ends goes to the end of the text. A fence that
    is the end of a line counts as one on a line of its own.

    Args:
        is_code: Whether what stands before the first fence is the code. It is where the prompt has opened a block.
    """
    first: str | None = None
    text = _GLUED.sub(r"\1\n", text) if "```" in text else text
    for before, language, code in _blocks(text):
        if first is None and before.strip() and is_code(before):
            return before
        if language.lower() in languages:
            return code
        first = code if first is None else first
    return text if first is None else first


def _blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """The text before each block, its language and its code."""
    fences = [*_FENCE.finditer(text)]
    quotes = [found.start() for found in _QUOTES.finditer(text)]
    place = number = 0

    def outside(begin: int, numbers: Iterable[int]) -> int | None:
        """The first of these fences that is not between the marks of a docstring."""
        return next((n for n in numbers if not _in_docstring(quotes, begin, fences[n].start())), None)

    while (opens := outside(place, range(number, len(fences)))) is not None:
        fence = fences[opens]
        begin = min(fence.end() + 1, len(text))
        closes = partial(_closing, fences, opens + 1, fence["marks"])
        end = outside(begin, closes())
        end = next(closes(), None) if end is None else end
        code = text[begin : len(text) if end is None else fences[end].start()]
        if indent := fence["indent"]:
            code = re.sub(rf"^{indent}", "", code, flags=re.MULTILINE)
        yield text[place : fence.start()], fence["language"], code
        if end is None:
            return
        place, number = fences[end].end(), end + 1


def _closing(fences: Sequence[re.Match[str]], number: int, marks: str) -> Iterator[int]:
    """The numbers of those fences from one on that may end a block which these marks began."""
    for place in range(number, len(fences)):
        line = fences[place][0].strip()
        if len(line) >= len(marks) and not line.strip(marks[0]):
            yield place


def _in_docstring(quotes: list[int], begin: int, place: int) -> bool:
    """Whether a place lies between two of the marks of docstrings that stand behind a beginning."""
    return (bisect_left(quotes, place) - bisect_left(quotes, begin)) % 2 == 1
