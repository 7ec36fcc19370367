"""What an error says, whatever its shape: an object, a list of details, JSON within a string, HTML or plain text."""

import html
import json
import re
from typing import Any, NamedTuple

MAX_DEPTH = 8
MAX_DETAILS = 5
MAX_WORDS = 4000  # characters of an error that are looked at
WORDS = (
    "message", "detail", "msg", "error", "errors", "error_description", "error_msg", "errmsg", "error_message",
    "base_resp", "status_msg", "text", "title", "reason", "description",
)  # fmt: skip
NUMBERS = ("n_prompt_tokens", "n_ctx")  # llama.cpp has them beside its message
TAGS = re.compile(r"(?is)<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^<>]*>")
PAGE = re.compile(r"(?i)<\s*(?:!doctype|html|head|body|title|h1|p|div)\b")


class Said(NamedTuple):
    """The words of an error, the parameters that a field of it names, and its code or type, where it has one."""

    words: str
    params: tuple[str, ...] = ()
    code: str = ""


def said(content: bytes, status: int = 0) -> Said:
    """Read the body of an error. Without any words they are "status 500"."""
    nothing = f"status {status}" if status else "an error without words"
    text = content.decode(errors="replace").strip()
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        start = text[: 5 * MAX_WORDS]
        return Said((_page(start) if PAGE.search(start) else start)[:MAX_WORDS] or nothing)
    return read_error(body) if body not in (None, "", {}, []) else Said(nothing)


def read_error(body: Any) -> Said:
    """As `said`, of a body that is read already."""
    words = (
        "; ".join(dict.fromkeys(_words(body, MAX_DEPTH))) or json.dumps(body, ensure_ascii=False, default=str)[:1000]
    )
    fields = list(_fields(body, MAX_DEPTH))
    numbers = [f"{key} = {value}" for key, value in fields if key in NUMBERS and isinstance(value, int)]
    params = dict.fromkeys(
        value for key, value in fields if key == "param" and isinstance(value, str) and 0 < len(value) < 200
    )
    codes = [str(value) for key, value in fields if key in ("code", "type", "status") and isinstance(value, str | int)]
    return Said(", ".join([words[:MAX_WORDS], *numbers]), tuple(params), " ".join(codes))


def says(*values: Any) -> bool:
    """Whether any of the values holds a sentence."""
    return any(_words(value, MAX_DEPTH) for value in values)


def _words(value: Any, depth: int) -> list[str]:
    """The sentences of an error, the outermost first."""
    if depth == 0 or value is None or isinstance(value, bool):
        return []
    if isinstance(value, str):
        return (
            _words(inner, depth - 1)
            if (inner := _json(value)) is not None
            else [value.strip()]
            if value.strip()
            else []
        )
    if isinstance(value, list):
        return [word for one in value[:MAX_DETAILS] for word in _words(one, depth - 1)]
    if not isinstance(value, dict):
        return [str(value)]
    if place := _place(value):
        return [f"{place}: {word}" for word in _words(value.get("msg") or value.get("message"), depth - 1)]
    found: list[str] = next((words for key in WORDS if (words := _words(value.get(key), depth - 1))), [])
    metadata = value.get("metadata")  # OpenRouter has what the provider said in there
    return found + (_words(metadata.get("raw"), depth - 1) if isinstance(metadata, dict) else [])


def _place(value: dict[str, Any]) -> str:
    """Where a detail of pydantic lies: ["body", "seed"] is "body.seed"."""
    loc = value.get("loc")
    return ".".join(map(str, loc)) if isinstance(loc, list) and ("msg" in value or "message" in value) else ""


def _fields(value: Any, depth: int) -> list[tuple[str, Any]]:
    """All fields with a plain value, whichever object they are in; of a detail's place, its last step as "param"."""
    if depth == 0:
        return []
    if isinstance(value, str):
        return _fields(inner, depth - 1) if (inner := _json(value)) is not None else []
    if isinstance(value, list):
        return [pair for one in value[:MAX_DETAILS] for pair in _fields(one, depth - 1)]
    if not isinstance(value, dict):
        return []
    pairs = [("param", str(value["loc"][-1]))] if _place(value) and value["loc"] else []
    for key, one in value.items():
        if isinstance(one, dict | list) or (isinstance(one, str) and _json(one) is not None):
            pairs += _fields(one, depth - 1) if key != "input" else []  # of a detail: what was sent
        else:
            pairs.append((key, one))
    return pairs


def _json(text: str) -> Any:
    """The object or list in a string; None if there is none."""
    start = text.lstrip()
    if not start.startswith(("{", "[")) or len(start) > 1 << 16:
        return None
    try:
        found = json.loads(start)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict | list) else None


def _page(text: str) -> str:
    """What a page says: its text without tags."""
    return " ".join(html.unescape(TAGS.sub(" ", text)).split())
