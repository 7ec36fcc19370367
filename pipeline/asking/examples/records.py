"""Reads worked examples out of JSON and tables."""

import re

from pydantic import JsonValue

from pipeline.asking.examples.fields import ASKED_NAMES, INPUT_NAMES, LABEL_NAMES, OUTPUT_NAMES
from pipeline.asking.markup import read_table
from pipeline.asking.values import Cut, as_text, read_values
from pipeline.task import Instance


def from_records(text: str, cut: bool) -> list[Instance]:
    """The examples of a text that is JSON or a table with fields that are named; none of another.

    The last is left out where the text is cut off in it.
    """
    if found := read_values(text):
        return [instance for value in found[0] for instance in _instances(value)]
    if found_table := read_table(text):
        header, rows = found_table
        instances = [instance for row in rows if (instance := _instance(dict(zip(header, row, strict=False))))]
        return instances[:-1] if cut else instances
    return []


def _instances(value: JsonValue, depth: int = 0) -> list[Instance]:
    if depth >= MAX_DEPTH:
        return []
    if isinstance(value, list):
        return [instance for one in value for instance in _instances(one, depth + 1)]
    if not isinstance(value, dict):
        return []
    if instance := _instance(value):
        return [instance]
    return [instance for one in value.values() for instance in _instances(one, depth + 1)]


def _instance(record: dict[str, JsonValue]) -> Instance | None:
    """The fields that are named as an input and an output; one of them may be an object of its own."""
    output = _first(record, OUTPUT, LABEL)
    if output is None or any(isinstance(value, Cut) for value in record.values()):
        return None
    given = _first(record, INPUT, ASKED, TEXT)
    if given is None and len(record) == 2:  # the other one of two is the input, unless it is about the example
        given = next((value for name, value in record.items() if not ABOUT.fullmatch(name.strip(" *_`"))), None)
    return Instance(input=as_text(given), output=as_text(output))


def _first(record: dict[str, JsonValue], *names: re.Pattern[str]) -> JsonValue:
    return next((value for name in names for key, value in record.items() if name.fullmatch(key.strip(" *_`"))), None)


def _name(names: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{names})[ _-]?\d{{0,3}}", re.IGNORECASE)


MAX_DEPTH = 4
OUTPUT, LABEL, INPUT, ASKED = map(_name, (OUTPUT_NAMES, LABEL_NAMES, INPUT_NAMES, ASKED_NAMES))
ABOUT = re.compile(
    rf"(?:{OUTPUT_NAMES}|{LABEL_NAMES}|{INPUT_NAMES}|{ASKED_NAMES}|explanations?|reason(?:ing)?|rationale|notes?|id|index|no\.?|number"
    r"|#|example|instructions?|task|confidence|score|difficulty)[ _-]?\d{0,3}",
    re.IGNORECASE,
)
TEXT = _name(r"texts?|sentences?|content|passage|example|review")
