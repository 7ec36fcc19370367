"""The errors a user can do something about; each is one sentence."""

import difflib
import logging
import re
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


NUM_NEAREST = 5  # names in a message


class SproutError(Exception):
    """What was found, where, and what to do about it. The command line prints it and exits with `exit_code`."""

    exit_code = 1


class EngineUnreachable(SproutError):
    """The engine cannot be reached any more. What was decided is kept; the same command continues."""

    exit_code = 4


class BudgetReached(SproutError):
    """A limit of the user's own is reached; the same command continues when it is raised."""

    exit_code = 3


def explain(error: "ValidationError", kind: "type[BaseModel]", noun: str = "field") -> str:
    """The first problem of several, in one clause; a field there is none of comes first, it may be a misspelt one.

    Of what is wrong with each of several types that a field may have, that counts which lies deepest.
    """
    found = error.errors(include_url=False)
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    if first["type"] != "extra_forbidden":
        start, _ = _walk(kind, first["loc"])
        walked = [(_walk(kind, one["loc"])[0], one) for one in found]
        first = max((one for one in walked if one[0][: len(start)] == start), key=lambda one: len(one[0]))[1]
    loc, text = _walk(kind, first["loc"])[0], first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return f"{_place(loc)} is missing"
    if first["type"] == "extra_forbidden":
        text = unknown(noun, loc[-1], _fields(_walk(kind, first["loc"][:-1])[1]))
        loc = loc[:-1]
    elif first["type"] == "json_invalid":
        text = re.sub(r" at line \d+ column \d+$", "", text)  # counted in what was read, which is one line of the file
    elif first["type"] != "value_error":
        text = re.sub(r"a valid dictionary.*", "a table", text)
        text = re.sub(r"a valid tuple", 'a list, such as ["…"]', text)
        text = re.sub(r"^Tuple", "List", text)
        text = f"{text} (found {reprlib.repr(first['input'])})"
    return f"{_place(loc)}{': ' if loc else ''}{text[0].lower()}{text[1:]}"


def unknown(noun: str, name: object, known: Iterable[str], own: str = "", listed: str = "") -> str:
    """What to say of a name that does not exist: the one that is surely meant, or all there are.

    Args:
        own: How to name one of the user's own, where there may be some.
        listed: The command that lists all of them, where they are too many for a message; it names the nearest.
    """
    names = list(known)
    close = difflib.get_close_matches(str(name), names, 1, cutoff=0.75)
    others = f", or {own} for one of your own" if own else ""
    if close:
        hint = f"did you mean {close[0]}?"
    elif listed:
        near = ", ".join(difflib.get_close_matches(str(name), names, NUM_NEAREST, cutoff=0))
        hint = f"the nearest are {near}{others}; `{listed}` shows all {len(names)}"
    else:
        hint = f"there are {', '.join(names) or 'none'}{others}"
    return f"there is no {noun} {reprlib.repr(name)}; {hint}"


def not_utf8(error: UnicodeDecodeError) -> tuple[int, str]:
    """The number of the line that is not UTF-8, and what to say of it."""
    data, start = error.object, error.start
    number, column = data.count(b"\n", 0, start) + 1, start - data.rfind(b"\n", 0, start)
    return number, f"byte 0x{data[start]:02x} at column {column} is not UTF-8; save the file as UTF-8"


def _place(loc: Sequence[int | str]) -> str:
    # A key that a file brings may hold anything, line breaks too.
    return ".".join(str(step) if str(step).isidentifier() else reprlib.repr(step) for step in loc)


def _fields(kind: Any) -> list[str]:
    return [name for name, field in getattr(kind, "model_fields", {}).items() if not field.exclude]


def _walk(kind: Any, loc: Sequence[int | str]) -> tuple[list[int | str], Any]:
    """The steps to a place, without the names of types that pydantic has among them; and the type that is there."""
    steps: list[int | str] = []
    for step in loc:
        kind = _bare(kind)
        if isinstance(kind, UnionType) or get_origin(kind) is Union:
            kind = next((one for one in get_args(kind) if re.match(rf"(\S*?[-\[])?{_name(one)}\b", str(step))), Any)
            continue
        steps.append(step)
        if fields := getattr(kind, "model_fields", None):
            kind = fields[step].annotation if step in fields else Any
        else:  # a table or a list
            kind = (get_args(kind) or (Any,))[-1 if isinstance(step, str) else 0]
    return steps, _bare(kind)


def _bare(kind: Any) -> Any:
    """Without what is only said about a type, and without None where there is one other type."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if isinstance(kind, UnionType) or get_origin(kind) is Union:
        others = [one for one in get_args(kind) if one is not type(None)]
        return _bare(others[0]) if len(others) == 1 else kind
    return kind


def _name(kind: Any) -> str:
    """What pydantic calls a type that is one of several."""
    kind = _bare(kind)
    return "literal" if get_origin(kind) is Literal else getattr(get_origin(kind) or kind, "__name__", "Any")


@contextmanager
def silenced(*libraries: str) -> Iterator[None]:
    """What the loggers of these libraries say of an error is left to our own message."""
    loggers = [logging.getLogger(name) for name in libraries]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
