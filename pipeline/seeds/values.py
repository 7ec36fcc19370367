"""Values of files as people store them: numbers where text is wanted, halves of surrogate pairs, nulls and NaN."""

import json
import math
import reprlib
from collections import Counter
from datetime import date, datetime, time
from typing import Annotated, Any

from pydantic import BeforeValidator

from pipeline.text import mend

_MAX_DEPTH = 100
_MAX_DIGITS = 300  # of an integer that is read as one; Python refuses those of more than 4,300
_LONG = 60  # characters of a name
HALVES = "halves of surrogate pairs that are replaced by U+FFFD"


class Literal(float):
    """A number with a point or an exponent, and how the file writes it: 2.50, 1e3."""

    def __new__(cls, written: str) -> "Literal":
        number = super().__new__(cls, written)
        number.written = written
        return number

    written: str


class Twice(ValueError):
    """A field that an object has twice, so that one of the values would be lost."""


def decoder() -> json.JSONDecoder:
    """Reads JSON so that numbers keep their spelling, NaN is null, and an infinity is a text.

    It raises `Twice` for an object that has a field twice, with different values.
    """
    return json.JSONDecoder(
        object_pairs_hook=once,
        parse_float=Literal,
        parse_int=lambda digits: int(digits) if len(digits) <= _MAX_DIGITS else digits,
        parse_constant=lambda name: None if name == "NaN" else name,
    )


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these fields.

    Raises:
        Twice: for a field that is there twice, with different values.
    """
    found = dict(pairs)
    if len(found) < len(pairs) and (name := next((name for name, value in pairs if value != found[name]), None)):
        raise Twice(f"the field {reprlib.repr(name)} is there twice, with different values; delete one of them")
    return found


def tidied(value: Any, notes: Counter[str], depth: int = 0) -> Any:
    """The value with its texts mended, and with nothing in it that JSON does not have; `notes` gets what was replaced.

    Bytes that are no text, such as those of a picture, stay as they are.

    Raises:
        ValueError: for a value that is nested too deeply.
    """
    if isinstance(value, str):
        return _mended(value, notes)
    if value is None or isinstance(value, bool | int | Literal):
        return value
    if isinstance(value, float):
        return (value if math.isfinite(value) else str(value)) if value == value else None
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {_mended(str(key), notes): tidied(item, notes, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [tidied(item, notes, depth + 1) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return _decoded(value, notes)
    return str(value)


def text_of(value: Any) -> Any:
    """A number, true or false as its text: 7, 2.50, true; anything else as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Literal):
        return value.written
    return str(value) if isinstance(value, int | float) else value


def id_of(value: Any) -> Any:
    """An id as its text. A whole number is the same with and without a point, since tables add one."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else text_of(value)


def printable(name: object) -> str:
    """A name from a file as a message may show it: on one line, and not for long."""
    text = str(name)
    return text if text.isprintable() and len(text) <= _LONG else reprlib.repr(text)


Text = Annotated[str, BeforeValidator(text_of)]
Id = Annotated[str, BeforeValidator(id_of)]


def _decoded(value: bytes, notes: Counter[str]) -> str | bytes:
    try:
        return _mended(value.decode("utf-8", "surrogatepass"), notes)
    except UnicodeDecodeError:
        return value


def _mended(text: str, notes: Counter[str]) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        whole = mend(text)
        if halves := whole.count("\ufffd") - text.count("\ufffd"):
            notes[HALVES] += halves
        return whole
    return text
