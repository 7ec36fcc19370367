"""Small operations on text that many modules share."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any


def folded(text: str) -> str:
    """For comparing: case and white space aside."""
    return " ".join(text.casefold().split())


def one_line(text: str) -> str:
    """The text with each run of white space as one blank, and none at its ends."""
    return " ".join(text.split())


def words(text: str) -> list[str]:
    """For comparing: the words of a text, case and punctuation aside."""
    return re.findall(r"\w+", folded(text))


def counted(number: int, noun: str) -> str:
    """A number of things: 1 task, 2,000 tasks."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def are(number: int) -> str:
    """For the end of "there …": is 1, are 2."""
    return f"{'is' if number == 1 else 'are'} {number:,}"


def trimmed(text: str) -> str:
    """Without white space around it, but with the indentation of the first line, where it is that of a block of code.

    It is, if the next line is indented as much, or if the line returns something. One more blank is no part of it.
    """
    text = _BLANK_LINES.sub("", text.rstrip())
    indented = (one for one in (text, text.removeprefix(" ")) if _INDENTED.match(one))
    return next(indented, text.lstrip())


def first_few(names: Sequence[str]) -> str:
    """The first five names of a list, and how many more there are."""
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def mended(value: Any) -> Any:
    """The same with every text in it mended."""
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, dict):
        return {mend(key): mended(item) for key, item in value.items()}
    return [mended(item) for item in value] if isinstance(value, (list, tuple)) else value


def mend(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, which no file can hold; two halves are put together."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def alike(one: str, other: str) -> int:
    """The length of the common prefix, in characters."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def short(text: str, most: int = 300) -> str:
    """The beginning of a text on one line, up to a whole word, for messages; "…" says that there is more."""
    line = " ".join(text[: 4 * most].split())
    if len(line) <= most and len(text) <= 4 * most:
        return line
    kept, space, _ = line[:most].rpartition(" ")
    return f"{kept if space and len(kept) > most // 2 else line[:most]} …"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; a cell must hold no line break and no "|"."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows))


def some_of(names: Sequence[str]) -> str:
    """As many of the names as fit into 200 characters, and how many more there are."""
    shown = list(accumulate(names, lambda line, name: f"{line}, {name}"))
    fitting = [line for line in shown if len(line) <= 200] or [short(names[0], 200)] if names else ["nothing"]
    more = len(names) - len(fitting)
    return f"{fitting[-1]} and {more:,} more" if names and more else fitting[-1]


def hash_of(*texts: str) -> int:
    """A number for the texts, the same on every machine; two of a hundred million share one in 0.03 % of cases."""
    hashed = hashlib.blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(hashed.digest())


_BLANK_LINES = re.compile(r"\A(?:[^\S\n]*\n)+")
_INDENTED = re.compile(r"(?P<indent>\t+|(?: {2})+)(?:(?:return|yield|raise)\b|\S.*\n\s*?(?<=\n)(?P=indent))")
