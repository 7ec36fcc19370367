"""Reads the ratings that a judge gives several answers at once."""

import re
from collections.abc import Sequence

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
    if found is None:
        named = [(int(one["name"]), float(one["rating"])) for one in _NAMED.finditer(text)]
        if [name for name, _ in named] == list(range(1, count + 1)):
            found = [rating for _, rating in named]
        else:
            lines = (_NUMBER.findall(line) for line in text.splitlines())
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
            each = lists[0] if lists else [*value.values()]
        elif isinstance(value, list):
            each = value
        numbers = [float(one) for one in each if isinstance(one, (int, float)) and not isinstance(one, bool)]
        if numbers and len(numbers) == len(each) and isinstance(value, (dict, list)):
            return numbers
    return None


_OUT_OF = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/|out of)\s*10\b")
_NAMED = re.compile(
    r"^\W*(?:answer|response|rating(?: of answer)?|assistant)\W*(?P<name>\d+)\W*[:=–-]\W*(?:rating\W+)?"
    r"(?P<rating>\d+(?:\.\d+)?)\b",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w%]|\.\d)")
