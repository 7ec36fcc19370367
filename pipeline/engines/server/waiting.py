"""How long a server asks to wait: in a header, or only in the body of its answer."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
NUMBER = r"\d{1,9}(?:\.\d{1,12})?"
UNIT = r"(?:ms\b|milliseconds?\b|s(?:ec(?:ond)?s?)?\b|m(?:in(?:ute)?s?)?(?![a-z])|h(?:ours?|rs?)?(?![a-z]))"
SAID = re.compile(
    r"(?:try again|retry(?!_)|retrying|wait|resets?)(?:\s+(?:again|after|in|for|at least|about|(?:the|your) request))*"
    rf"\s*:?\s*((?:{NUMBER}\s*{UNIT}[\s,]*(?:and\s+)?){{1,4}})",
    re.IGNORECASE,
)
FIELD = re.compile(
    r"retry[-_ ]?(?:after|delay|in)[-_ ]?(ms|milliseconds|seconds|secs?|s)?[\\\"']*\s*[:=]\s*[\\\"']*"
    rf"({NUMBER})\s*(ms|s|m|h)?\b",
    re.IGNORECASE,
)


def retry_after(headers: Mapping[str, str]) -> float:
    """The seconds a server asks to wait, given as such or as a date; 0 if it does not."""
    if re.fullmatch(NUMBER, in_ms := headers.get("retry-after-ms", "").strip()):
        return float(in_ms) / 1000
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    try:
        now = parsedate_to_datetime(headers.get("date", "")).timestamp()  # the server's clock may not be ours
    except (ValueError, OverflowError):
        now = time.time()
    return max(0.0, until - now)


def wait_said(body: str) -> float:
    """The seconds to wait that the text of an error names: "retryDelay": "44s", "try again in 6m0s"; 0 for none."""
    body = body[:20_000]
    if found := FIELD.search(body):
        return float(found[2]) * UNITS[_unit(found[3] or found[1] or "s")]
    if not (found := SAID.search(body)):
        return 0.0
    steps = re.findall(rf"({NUMBER})\s*({UNIT})", found[1], re.IGNORECASE)
    return sum(float(number) * UNITS[_unit(unit)] for number, unit in steps)


def _unit(word: str) -> str:
    word = word.lower()
    return "ms" if word == "ms" or word.startswith("milli") else word[0]
