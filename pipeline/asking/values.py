"""Reads JSON as models write it: cut off, with single quotes, bare names, commas too many, or several values."""

import json
import re
from typing import Any

from pydantic import JsonValue

from pipeline.asking.phrases import is_preamble


def read_values(text: str) -> tuple[list[JsonValue], bool] | None:
    """The values that a text consists of, and whether its last text is whole; None for a text that is none.

    The text may be announced, stand in a fence, and be followed by a remark on a line of its own. Its first value must
    be an array, an object, or a quoted text with a comma after it. Names that are not quoted are text.
    """
    if (start := _begin(text)) is None:
        return None
    values, reader = [], _Reader(text, start)
    while (value := reader.value()) is not _NOTHING:
        values.append(value)
    rest = text[reader.place :]
    remark = rest.strip() and (isinstance(values[0], str) if values else True)
    mixed = len({isinstance(value, str) for value in values}) > 1
    if not values or reader.broken or remark or mixed or not _ENDS.match(rest):
        return None
    return values, reader.whole


def as_text(value: JsonValue) -> str:
    """A value where text is wanted: texts as they are, nothing for null, all else as JSON."""
    if isinstance(value, str):
        return value.strip()
    return "" if value is None else json.dumps(value, ensure_ascii=False)


class Bare(str):
    """A word without quotes, which can only be a name."""


class Cut(str):
    """A text that is cut off."""


class _Reader:
    """Values one after another, read without recursion, so that a thousand brackets are no fault."""

    def __init__(self, text: str, place: int) -> None:
        self.text, self.place = text, place
        self.whole, self.broken = True, False

    def value(self) -> Any:
        """The next value, `_NOTHING` where none is; at the end of a text that is cut off, what is there of it."""
        holders: list[Any] = []  # arrays and objects that are not closed yet
        keys: list[str | None] = []  # for each, the name that waits for its value
        follows = False  # a value, without a comma between
        while not self.broken:
            token = _TOKEN.match(self.text, self.place)
            if token is None:
                return self._cut(holders, keys)
            kind, mark = token.lastgroup, token["mark"]
            if not holders and kind == "word":
                break
            self.place = token.end()
            if kind == "fence" or (mark and mark in ",;:"):
                follows = follows and kind == "fence"
                continue
            if mark and mark in "]}":
                if not holders:
                    self.broken = True
                    break
                value: Any = _closed(holders, keys)
            elif mark:
                holders.append([] if mark == "[" else {})
                keys.append(None)
                self.broken = follows or len(holders) > MAX_DEPTH
                continue
            else:
                value = _scalar(token)
                if holders and kind == "word" and self.place == len(self.text):  # 1 of 12
                    value, self.whole = Cut(token["word"]), False
                names = holders and isinstance(holders[-1], dict) and keys[-1] is None
                self.broken = (follows and kind == "word") or (isinstance(value, Bare) and not names)
            if not holders:
                return value
            _put(holders[-1], keys, value)
            follows = True
        return _NOTHING

    def _cut(self, holders: list[Any], keys: list[str | None]) -> Any:
        rest = self.text[self.place :].strip()
        opened = _OPENS.match(rest)
        if not holders and not opened:
            return _NOTHING
        self.place = len(self.text)
        value: Any = Cut(rest[opened.end() :]) if opened else _NOTHING
        self.whole = not opened
        while holders:
            if value is not _NOTHING:
                _put(holders[-1], keys, value)
            value = _closed(holders, keys)
        return value


def _closed(holders: list[Any], keys: list[str | None]) -> Any:
    holder, key = holders.pop(), keys.pop()
    if isinstance(holder, dict) and key is not None:
        holder.setdefault(key, None)
    return holder


def _scalar(token: re.Match[str]) -> JsonValue:
    if (text := token["string"]) is None:
        word = token["word"]
        try:
            found: JsonValue = json.loads(word)
        except ValueError:
            return _WORDS.get(word, Bare(word))
        return found
    if "\\" not in text:
        return text[1:-1]
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1])


def _put(holder: Any, keys: list[str | None], value: JsonValue) -> None:
    """An array takes the value; an object takes it as a name first, and then as what that names."""
    if isinstance(holder, list):
        holder.append(value)
    elif (key := keys[-1]) is None:
        keys[-1] = value if isinstance(value, str) else json.dumps(value)
    else:
        holder[key], keys[-1] = value, None


def _begin(text: str) -> int | None:
    """Where the first value begins, after fences and an announcement; None where something else does."""
    place = 0
    for _ in range(MAX_LINES):
        while found := _BEFORE.match(text, place):
            place = found.end()
        if _BEGINS.match(text, place):
            return place
        line = (text.find("\n", place) + 1 or len(text)) - place
        announced = text[place : place + line].strip()
        if not announced or not (is_preamble(announced) or _NAMES_IT.fullmatch(announced)):
            return None
        place += line
    return None


MAX_DEPTH, MAX_LINES = 100, 4
_NOTHING = object()
_WORDS: dict[str, JsonValue] = {"True": True, "False": False, "None": None, "undefined": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": ""}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
# A quote ends a text where a comma, a colon, a bracket, another quote or the end follows; others are part of it.
_END = r"\s*+(?:[,\]}:;\"'“]|\Z|```)"
_QUOTED = rf"\"(?:[^\"\\]++|\\.|\"(?!{_END}))*+\"|'(?:[^'\\]++|\\.|'(?!{_END}))*+'|“[^”]*+”"
_TOKEN = re.compile(
    rf"\s*+(?:(?P<string>{_QUOTED})|(?P<mark>[\[\]{{}},:;])|(?P<fence>```[^\n`]*+|//[^\n]*+)"
    r"|(?P<word>[^\s\[\]{},:;\"'“”`]++))",
    re.DOTALL,
)
_OPENS = re.compile(r"[\"'“]")
_BEFORE = re.compile(r"\s++|```[^\n`]*+(?:\n|\Z)|(?:\w{1,30} ?= ?|[\"']?\w{1,30}[\"']? ?: ?)(?=[\[{])")
_BEGINS = re.compile(
    rf"[\[{{](?=\s*+(?://[^\n]*+\s*+)*+(?:[\[{{\"'“\]}}]|-?\d|\w{{1,30}} ?:|\Z))|(?:{_QUOTED})[^\S\n]*+(?:,"
    rf"|\n\s*+[\"'“])",
    re.DOTALL,
)
_NAMES_IT = re.compile(r"(?:json|output|the )?[^.!?\n]{0,60}:|[^.!?:\n]{0,40}\bjson\b[^.!?:\n]{0,40}", re.IGNORECASE)
_ENDS = re.compile(r"[^\S\n]*+(?:```[^\S\n]*+)?(?:\n|\Z)")
