"""The values of a JSON text, each with its place: of an array, of lines, of objects that span lines."""

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import SproutError
from pipeline.seeds.shapes import Record
from pipeline.seeds.values import Twice, decoder

_BETWEEN = re.compile(r"[\s,\x1e\ufeff]*")  # \x1e begins a record of RFC 7464; \ufeff, a file joined to another
_SPACE = re.compile(r"\s*")


class Values(NamedTuple):
    kind: str  # JSON or JSONL
    values: list[Record]


def json_values(text: str, path: Path | str) -> Values:
    """The items of the array that the text is, or else its values one after another.

    Raises:
        SproutError: with `path:line` for what is not JSON.
    """
    reader = _Reader(text, path)
    if text[reader.position :].startswith("["):
        items = [*reader.items()]
        if reader.at_end():
            return Values("JSON", items)
        first = [Record(f"{path}:1", 1, [item.value for item in items])]
        return Values("JSONL", [*first, *reader.values()])
    values = [*reader.values()]
    return Values("JSON" if reader.spanned else "JSONL", values)


def not_json(error: ValueError | RecursionError, hint: str, line: int = 1) -> str:
    """What is wrong with a text that is no JSON, and what to do.

    Args:
        hint: What to do, unless the character that is wrong shows it.
        line: Where the value begins; an error in a later line is named with its own.
    """
    if isinstance(error, Twice):
        return str(error)
    if not isinstance(error, json.JSONDecodeError):
        return f"not JSON (nested too deeply); {hint}"
    problem, later = error.msg.lower(), error.lineno > line
    if later:
        problem, hint = f"{problem.removesuffix(' at')} at line {error.lineno}", "is the file complete?"
    elif problem.endswith(" at"):
        problem = f"{problem} column {error.colno}"
    if "control character" in problem:
        cut = "close the quote of the text, or " if error.doc[error.pos] == "\n" else ""
        return f"not JSON ({problem}); {cut}write a line break in a text as \\n, and a tab as \\t"
    before = error.doc[max(0, error.pos - 99) : error.pos].rstrip()[-1:]
    found = f"{before or ' '}{error.doc[error.pos : error.pos + 9]}"
    return f"not JSON ({problem}); {next((advice for sign, advice in _SIGNS.items() if re.match(sign, found)), hint)}"


_SIGNS = {  # the character before, and what stands where JSON has something else
    r".['‘’“”`]": 'put texts in double quotes, "…"',
    r"(?:,|.,\s*)[}\]]": "delete the comma before it",  # from Python 3.13 on, what stands there is the comma
    r".\0": "it holds NUL bytes, so it is damaged; save the file as UTF-8",
    r".(?:/[/*]|#)": "JSON has no comments; delete them",
    r".(?:None|True|False|undefined|nan|inf)\b": "write null, true or false, or put it in double quotes",
}


class _Reader:
    def __init__(self, text: str, path: Path | str) -> None:
        self.text, self.path = text, path
        self.decoder = decoder()
        self.line, self.seen = 1, 0
        self.spanned = False  # a value over several lines
        self.position = self._after(_SPACE, 0)

    def values(self) -> Iterator[Record]:
        """The values from here on."""
        while not self.at_end():
            line = self._line()
            value = self._value(f"{self.path}:{line}", "each line is one JSON object")
            self.spanned |= self._line() > line
            self.position = self._after(_BETWEEN, self.position)
            yield Record(f"{self.path}:{line}", line, value)

    def items(self) -> Iterator[Record]:
        """The items of the array that begins here."""
        self.position = self._after(_SPACE, self.position + 1)
        if self.text[self.position : self.position + 1] == "]":
            self.position = self._after(_SPACE, self.position + 1)
            return
        for number in count(1):
            where = f"{self.path}:{self._line()}: item {number}"
            value = self._value(where, "is the file complete?")
            yield Record(where, number, value)
            self.position = self._after(_SPACE, self.position)
            mark = self.text[self.position : self.position + 1]
            if mark not in (",", "]"):
                raise SproutError(f"{where}: no comma and no single ] follows it; is the file complete?")
            self.position = self._after(_SPACE, self.position + 1)
            if mark == "," and self.text[self.position : self.position + 1] == "]":  # a comma behind the last item
                mark, self.position = "]", self._after(_SPACE, self.position + 1)
            if mark == "]":
                return

    def at_end(self) -> bool:
        return self.position >= len(self.text)

    def _value(self, where: str, hint: str) -> Any:
        try:
            value, self.position = self.decoder.raw_decode(self.text, self.position)
        except (ValueError, RecursionError) as error:
            raise SproutError(f"{where}: {not_json(error, hint, self.line)}") from None
        return value

    def _line(self) -> int:
        self.line += self.text.count("\n", self.seen, self.position)
        self.seen = self.position
        return self.line

    def _after(self, pattern: re.Pattern[str], position: int) -> int:
        return match.end() if (match := pattern.match(self.text, position)) else position
