"""Reads the body of an answer as one object, in whichever way it came, and tells errors from answers."""

import json
import re
from typing import Any

from pipeline.engines.server.pieces import joined, one_of
from pipeline.engines.server.said import read_error, says
from pipeline.engines.server.statuses import meant
from pipeline.engines.server.trouble import Trouble
from pipeline.engines.server.waiting import wait_said

TOLD = (  # fields that say what went wrong, where there is no choice
    "message", "detail", "msg", "errors", "error_msg", "errmsg", "error_message", "base_resp", "status_msg", "reason",
)  # fmt: skip
AROUND = ("data", "result", "response")  # what some gateways put around an answer
SENTENCES_OF_REFUSALS = re.compile(r"invalid|context|length|unsupported|not_found|bad.?request", re.IGNORECASE)


class Unreadable(ValueError):
    """What of an answer is not as an OpenAI server has it, and which field."""


def read_body(content: bytes) -> dict[str, Any]:
    """The body of an answer whose status was good.

    Raises:
        Trouble: if it is an error.
        Unreadable: if it is no object.
    """
    body = read_json(content)
    if isinstance(body, list) and len(body) == 1:
        body = body[0]  # as Google puts errors
    if not isinstance(body, dict):
        raise Unreadable("it is JSON, but no object")
    inner = next(
        (body[key] for key in AROUND if isinstance(body.get(key), dict) and body[key].get("choices")), dict[str, Any]()
    )
    body = body if body.get("choices") else {**body, **inner}
    error = body.get("error")
    nothing = isinstance(error, dict) and not any(error.values()) and body.get("choices")
    told = not body.get("choices") and says(*(body.get(key) for key in TOLD))
    if (error and not nothing) or body.get("object") == "error" or told:
        raise _trouble_in(body)
    return body


def read_json(content: bytes) -> Any:
    """What the body of an answer holds, put together if it came in pieces.

    Raises:
        Unreadable: if it is not JSON, or its end is missing.
    """
    try:
        body = json.loads(content, strict=False)  # some leave line breaks in a text as they are
    except (ValueError, RecursionError):
        body = None
    else:
        if not _in_pieces(body):
            return body
    try:
        body = joined(content) if body is None else one_of([body])
    except ValueError:
        raise Unreadable("it came in pieces, and its end is missing") from None
    if body is None:
        raise Unreadable("it is not JSON" if content.strip() else "it is empty")
    return body


def kind_of(value: Any) -> str:
    """What a field holds, in a word."""
    if value is None:
        return "missing"
    if isinstance(value, list | dict | str) and not value:
        return "empty"
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "an object",
    }
    return names[type(value)]


def _trouble_in(body: dict[str, Any]) -> Trouble:
    """The error in an answer whose status was good."""
    said, number = read_error(body), 0
    for one in said.code.split():
        if re.fullmatch(r"[45]\d\d", one):
            number = int(one)
    if re.search(r"unexpected endpoint", said.words, re.IGNORECASE):  # LM Studio, of a path it lacks
        number = 404
    if not number and SENTENCES_OF_REFUSALS.search(said.code):
        number = 400
    number = meant(number, said)
    kind = f"answer {number}" if number else "answer aborted"
    return Trouble(kind, said.words, number, wait_said(json.dumps(body)), params=said.params)


def _in_pieces(body: Any) -> bool:
    choices = body.get("choices") if isinstance(body, dict) else None
    return isinstance(choices, list) and bool(choices) and isinstance(choices[0], dict) and "delta" in choices[0]
