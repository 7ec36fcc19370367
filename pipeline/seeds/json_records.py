"""The objects of a JSON array or of JSON lines, each with its place."""

import json
import re
import reprlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.errors import SproutError


def is_array(text: str) -> bool:
    """Whether it is a JSON array of objects, and not one object a line."""
    return bool(_ARRAY.match(text))


def json_array(text: str, path: Path | str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The items of a JSON array, each with its line and its number.

    Raises:
        SproutError: with `path:line`, for an item that is no JSON object, and for an array that does not end.
    """
    decoder, line, seen = json.JSONDecoder(), 1, 0
    start = match.end() if (match := _ARRAY.match(text)) else 0
    for number in count(1):
        line, seen = line + text.count("\n", seen, start), start
        where = f"{path}:{line}: item {number}"
        try:
            record, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            raise SproutError(f"{where}: not JSON ({_said(error)}); is the file whole?") from None
        yield where, _object(record, where)
        end = _SPACE.match(text, end).end()  # type: ignore[union-attr]  # it matches nothing too
        if text[end : end + 1] != ",":
            if text[end:].strip() != "]":
                raise SproutError(f"{where}: no comma and no single ] follows it; is the file whole?")
            return
        start = _SPACE.match(text, end + 1).end()  # type: ignore[union-attr]


def json_lines(text: str, path: Path | str) -> Iterator[tuple[str, dict[str, Any]]]:
    """One object a line; blank lines are passed over.

    Raises:
        SproutError: with `path:line`, for a line that is no JSON object.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"{path}:{number}"
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise SproutError(f"{where}: not JSON ({_said(error)}); each line is one JSON object") from None
            yield where, _object(record, where)


_ARRAY = re.compile(r"\s*\[\s*(?=\{)")
_SPACE = re.compile(r"\s*")


def _said(error: Exception) -> str:
    return getattr(error, "msg", "nested too deeply").lower()


def _object(record: object, where: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise SproutError(f"{where}: an object with the fields of a task is wanted (found {reprlib.repr(record)})")
    return record
