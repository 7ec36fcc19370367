"""Puts together an answer that came in pieces, as events or a line each, though it was asked for in one."""

import json
import re
from typing import Any


def joined(content: bytes) -> Any:
    """The body of the answer as it would be in one piece; None for what is no answer in pieces.

    Raises:
        ValueError: if its end is missing.
    """
    try:
        lines = content.decode().replace("\r", "\n").split("\n")
    except UnicodeDecodeError:
        return None
    pieces: list[dict[str, Any]] = []
    ended = broken = False
    for line in filter(str.strip, lines):
        if not pieces and not BEGINS.match(line):
            return None
        data = EVENT.sub("", line.strip())
        ended = ended or data == DONE
        if COMMENT.match(line) or data in ("", DONE):
            continue
        try:
            piece = json.loads(data, strict=False)
        except (ValueError, RecursionError):
            broken = True
            continue
        if isinstance(piece, dict):
            pieces.append(piece)
    return one_of(pieces, ended and not broken) if pieces else None


def one_of(pieces: list[dict[str, Any]], ended: bool = False) -> dict[str, Any]:
    """The pieces as one body: texts and thoughts in a row, and the last of all else.

    Args:
        ended: Whether the end is told by something else than a reason to finish.

    Raises:
        ValueError: if its end is missing.
    """
    body: dict[str, Any] = {}
    for piece in pieces:
        body |= {key: value for key, value in piece.items() if value is not None}
    choices = [choice for piece in pieces if (choice := _first(piece))]
    if any(piece.get("error") for piece in pieces) or not choices:
        return body
    message: dict[str, Any] = {"role": "assistant"}
    whole: dict[str, Any] = {"index": 0}
    for choice in choices:
        whole |= {key: value for key, value in choice.items() if value is not None and key not in PARTS}
        _add(whole, "text", choice.get("text"))
        for key, value in (choice.get("delta") or choice.get("message") or {}).items():
            _add(message, key, value)
    if not (ended or whole.get("finish_reason")):
        raise ValueError
    return body | {"choices": [whole | {"message": message}]}


def _first(piece: dict[str, Any]) -> dict[str, Any] | None:
    choices = piece.get("choices")
    found = [one for one in choices if isinstance(one, dict)] if isinstance(choices, list) else []
    good = [one for one in found if isinstance(one.get("delta") or one.get("message") or {}, dict)]
    return next((one for one in good if one.get("index") in (0, None)), None)


def _add(to: dict[str, Any], key: str, value: Any) -> None:
    """Add a part to those that came before: texts make one text, parts of a content a list."""
    if value is None or key == "role":
        return
    before = to.get(key)
    if isinstance(before, list) or (before is not None and isinstance(value, list)):
        to[key] = [*_listed(before), *_listed(value)]
    else:
        to[key] = before + value if isinstance(before, str) and isinstance(value, str) else value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


PARTS = ("text", "delta", "message")
DONE = "[DONE]"
BEGINS = re.compile(r"\s*(?:data:|event:|id:|retry:|:|\{)")
EVENT = re.compile(r"^data:\s*")
COMMENT = re.compile(r"\s*(?:event|id|retry)?:")
