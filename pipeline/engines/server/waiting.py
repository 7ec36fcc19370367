"""How long a server asks to wait: in a header, or only in the body of its answer."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
NUMBER = r"\d{1,9}(?:\.\d{1,12})?"
UNIT = (
    r"(?:ms\b|milliseconds?\b|s(?:ec(?:ond)?s?)?(?![a-z])|m(?:in(?:ute)?s?)?(?![a-z])|h(?:ours?|rs?)?(?![a-z])"
    r"|d(?:ays?)?(?![a-z]))"
)
SAID = re.compile(
    r"(?:try again|retry(?!_)|retrying|wait|resets?)(?:\s+(?:again|after|in|for|at least|about|(?:the|your) request))*"
    rf"\s*:?\s*((?:{NUMBER}\s*{UNIT}[\s,]*(?:and\s+)?){{1,4}})",
    re.IGNORECASE,
)
FIELD = re.compile(
    r"(?:retry[-_ ]?(?:after|delay|in)|estimated_time)[-_ ]?(ms|milliseconds|seconds|secs?|s)?[\\\"']*\s*[:=]"
    rf"\s*[\\\"']*({NUMBER})\s*(ms|s|m|h)?\b",
    re.IGNORECASE,
)
# x-ratelimit-reset-requests of OpenAI and Groq, anthropic-ratelimit-tokens-reset, ratelimitbysize-reset of Mistral,
# x-tokenlimit-reset of Together, x-ratelimit-reset-tokens-minute of Cerebras, ratelimit-reset of the IETF's draft.
RESET = re.compile(r"[\w-]*(?:rate|token)[-_]?limit[\w-]*")
IN_BODY = re.compile(r"\"([\w-]*(?:rate|token)[-_]?limit[\w-]*)\\?\"\s*:\s*\\?\"?([^\"\\,}]{1,60})", re.IGNORECASE)
FIELDS = re.compile(r"\b(r|t|remaining|reset)=(\d+)")  # of one header for all: limit=10, remaining=0, reset=30
EPOCH = 1e9  # a larger number of seconds is a time since 1970, and one of milliseconds from 1e12 on
LONGEST = 86_400.0  # seconds; what is longer is more likely misread than meant


def retry_after(headers: Mapping[str, str]) -> float:
    """The seconds a server asks to wait, given as such or as a date; 0 if it does not."""
    if re.fullmatch(NUMBER, in_ms := headers.get("retry-after-ms", "").strip()):
        return float(in_ms) / 1000
    return max(0.0, _seconds(headers.get("retry-after", ""), _now(headers)) or 0.0)


def until_reset(headers: Mapping[str, str]) -> float:
    """The seconds until a limit of requests or tokens is lifted; 0 if no header tells.

    Of several limits, those count of which nothing remains, and the last of them; where the headers name none of these,
    the one that is lifted first.
    """
    now, known = _now(headers), {name.lower(): value for name, value in headers.items()}
    spent: list[float] = []
    others: list[float] = []
    for name, value in known.items():
        if not RESET.fullmatch(name):
            continue
        fields = dict(FIELDS.findall(value)) if "reset" not in name else {}
        reset = fields.get("t") or fields.get("reset") or (value if "reset" in name else "")
        left = fields.get("r") or fields.get("remaining") or known.get(name.replace("reset", "remaining"), "")
        seconds = _seconds(reset, now)
        if seconds is not None and 0 < seconds <= LONGEST:
            (spent if re.fullmatch(r"\s*-?0(?:\.0*)?\s*|\s*-\d.*", left) else others).append(seconds)
    return max(spent, default=min(others, default=0.0))


def wait_said(body: str) -> float:
    """The seconds to wait that the text of an error names: "retryDelay": "44s", "try again in 6m0s"; 0 for none."""
    body = body[:20_000]
    if found := FIELD.search(body):
        return float(found[2]) * UNITS[_unit(found[3] or found[1] or "s")]
    if found := SAID.search(body):
        return _sum(found[1])
    return until_reset(dict(IN_BODY.findall(body)))  # OpenRouter has the headers of a provider in there


def _now(headers: Mapping[str, str]) -> float:
    """The time by the clock of the server, which may not be ours."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return time.time()


def _seconds(value: str, now: float) -> float | None:
    """The seconds from now that a header means: 30, 30 sec, 6m0s, 1741305600000, a date of HTTP or ISO 8601."""
    value = value.strip()
    if re.fullmatch(r"\d{1,15}(?:\.\d{1,12})?", value):
        number = float(value)
        if number >= EPOCH:
            return (number / 1000 if number >= 1000 * EPOCH else number) - now
        return number
    if re.fullmatch(rf"(?:{NUMBER}\s*{UNIT}\s*)+", value, re.IGNORECASE):
        return _sum(value)
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = read(value)
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
        except (ValueError, OverflowError):
            continue
    return None


def _sum(text: str) -> float:
    steps = re.findall(rf"({NUMBER})\s*({UNIT})", text, re.IGNORECASE)
    return sum(float(number) * UNITS[_unit(unit)] for number, unit in steps)


def _unit(word: str) -> str:
    word = word.lower()
    return "ms" if word == "ms" or word.startswith("milli") else word[0]
