"""Reads the ratings that a judge gives several answers at once."""

import re
from collections.abc import Sequence
from string import ascii_uppercase

from pydantic import JsonValue

from pipeline.asking.clean import clean_text
from pipeline.asking.values import read_values

LOWEST, HIGHEST = 1, 10


def ratings_schema(count: int) -> dict[str, JsonValue]:
    """The JSON schema of so many ratings, for engines that hold a completion to one."""
    rating: JsonValue = {"type": "integer", "minimum": LOWEST, "maximum": HIGHEST}
    each: JsonValue = {"type": "array", "items": rating, "minItems": count, "maxItems": count}
    return {"type": "object", "properties": {"ratings": each}, "required": ["ratings"], "additionalProperties": False}


def parse_ratings(text: str, count: int) -> tuple[float, ...] | None:
    """So many ratings from 1 to 10, in the order of the answers; None if there are not exactly so many.

    They stand in JSON, each behind the name of its answer ("Answer 2: 7"), or one after another on the first line that
    holds any; "7/10" is 7.
    """
    text = _OUT_OF.sub(r"\1", clean_text(text))
    found = _in_values(text)
    if found is None and (last := [*_JSON.finditer(text)]):
        found = _in_values(last[-1][0])
    if found is None:
        named = [(one["name"].upper(), float(one["rating"])) for one in _NAMED.finditer(text)]
        names = [[str(number) for number in range(1, count + 1)], list(ascii_uppercase[:count])]
        if [name for name, _ in named] in names:
            found = [rating for _, rating in named]
        elif len(named) > 1:
            found = []  # of other answers, or in another order
        else:
            lines = (_NUMBER.findall(line) for line in _NAMES.sub(" ", text).splitlines())
            found = [float(number) for number in next(filter(None, lines), [])]
    right = len(found) == count and all(LOWEST <= rating <= HIGHEST for rating in found)
    return tuple(found) if right else None


def _in_values(text: str) -> list[float] | None:
    """The numbers of the first list in JSON, or of its first object."""
    values = read_values(text)
    for value in values[0] if values else []:
        each: Sequence[JsonValue] = [value]
        if isinstance(value, dict):
            lists = [one for one in value.values() if isinstance(one, list)]
            lists = [
                one for name, one in value.items() if isinstance(one, list) and "rating" in name.casefold()
            ] or lists
            inner = [one for one in value.values() if isinstance(one, dict)]
            each = lists[0] if lists else _in_order(inner[0] if len(value) == len(inner) == 1 else value)
        elif isinstance(value, list):
            each = value
        each = [_rated(one) for one in each]
        numbers = [float(one) for one in each if isinstance(one, (int, float)) and not isinstance(one, bool)]
        if numbers and len(numbers) == len(each) and isinstance(value, (dict, list)):
            return numbers
    return None


def _in_order(named: dict[str, JsonValue]) -> list[JsonValue]:
    """The values in the order of the numbers in their names, if each has one; else as they stand."""
    numbers = [int(found[0]) if (found := _NUMBERED.search(name)) else 0 for name in named]
    if sorted(numbers) != list(range(1, len(named) + 1)):
        return [*named.values()]
    return [value for _, value in sorted(zip(numbers, named.values(), strict=True), key=lambda pair: pair[0])]


def _rated(value: JsonValue) -> JsonValue:
    """The rating of an object that says what it is the rating of."""
    if not isinstance(value, dict):
        return value
    return next((one for name, one in value.items() if name.strip().casefold() in ("rating", "score")), None)


_OUT_OF = re.compile(r"(?<!\d)(\d++(?:\.\d+)?)\s*(?:/|out of)\s*10\b")
_JSON = re.compile(r"\{\s*[\"']?ratings[\"']?\s*:[^{}]*\}", re.IGNORECASE)
_NUMBERED = re.compile(r"\d+\Z")
_NAMES = re.compile(r"\b(?:answers?|responses?|assistant|model)\s*#?\d+(?!\s*(?:/|out of))", re.IGNORECASE)
_NAMED = re.compile(
    r"(?:^|[,;][^\S\n]+)[^\w\n]*(?:[^\W\d_]{2,12}\W*|rating of answer\W*)?(?<![\d.])"
    r"(?P<name>\d+|[A-J])(?:\W*?(?:[:=–|)：-]+|\.(?!\d))[^\w\n]*(?:(?:rating|score)\W+)?|\s*\(|\W*\n\W*(?:rating|score)\W*)"
    r"(?P<rating>\d+(?:\.\d+)?)(?![\w.]*\d|[A-Za-z])",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w%]|\.\d)")
