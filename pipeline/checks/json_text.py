"""Reads JSON that an answer consists of, in fences or not."""

import json

from pydantic import JsonValue

from pipeline.checks.fences import unwrapped


class NotJson(ValueError):
    """What is wrong with it, in a few words."""


def read_json(text: str) -> JsonValue:
    """The value that a text holds.

    Raises:
        NotJson: for a text that is not JSON, NaN and infinite numbers included.
    """
    try:
        value: JsonValue = json.loads(unwrapped(text, ("json",)).strip(), parse_constant=_refuse)
    except RecursionError:
        raise NotJson("it is nested too deep") from None
    except ValueError as error:
        raise NotJson(f"it is not JSON: {error}") from None
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")
