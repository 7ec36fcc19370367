"""How to put a request in another way after the server refused it, or gave an answer that ended in thoughts."""

import re
from collections.abc import Iterator
from dataclasses import replace

from pipeline.engines.base import Request
from pipeline.engines.server.answer import Reply, visible
from pipeline.engines.server.dialect import LIMITS, OMITTABLE, Attempt
from pipeline.engines.server.room import fewer_tokens
from pipeline.engines.server.shape import FORMAT, SHAPES, in_shape
from pipeline.engines.server.trouble import Trouble
from pipeline.engines.shape import has_shape

UNKNOWN = re.compile(
    r"(?:not|n't) (?:be )?(?:support|permit|allow|recogni|accept|a valid|known|available|enabled)|unsupported|unknown"
    r"|unrecogni|extra|unexpected|forbidden|cannot find|no longer|deprecated|instead|invalid (?:param|arg|field|key)"
    r"|no such|disallowed|remove|required|missing",
    re.IGNORECASE,
)
MORE = re.compile(
    r"(?:higher|larger|greater|bigger|increas\w+|rais\w+|more)\s+(?:the\s+|your\s+)?\W?max\w*?_?\w*tokens"
    r"|max\w*tokens\W+(?:is |was |limit )*(?:too (?:low|small)|insufficient)",
    re.IGNORECASE,
)
NUMBER = r"(-?\d+(?:\.\d+)?)"
AT_LEAST = re.compile(
    r"(?:>=|at least|greater than or equal to|no less than|min(?:imum)?\b(?: value)?(?: is| of)?)"
    rf"[^\d-]{{0,20}}{NUMBER}",
    re.I,
)
ABOVE = re.compile(
    rf"(?:(?<![\d.] )>(?!=)|greater than(?! or)|above|more than|larger than)[^\d-]{{0,20}}{NUMBER}", re.I
)
POSITIVE = re.compile(r"strictly positive|be positive|positive (?:number|float|value)|non-?zero", re.I)
AT_MOST = re.compile(
    rf"(?:<=|at most|less than or equal to|up to|no more than|maximum(?: value)?(?: is| of)?)[^\d-]{{0,20}}{NUMBER}",
    re.I,
)
BELOW = re.compile(rf"(?:<(?!=)|less than(?! or)|below|lower than|smaller than)[^\d-]{{0,20}}{NUMBER}", re.I)
RANGE = re.compile(
    rf"(?:between|from) {NUMBER}(?: \(inclusive\))? (?:and|to) {NUMBER}|[\[(]\s*{NUMBER}\s*,\s*{NUMBER}\s*[\])]"
    rf"|range\D{{0,20}}{NUMBER}\s*(?:-|–|to|,|\.\.)\s*{NUMBER}",
    re.I,
)
OF_INPUT = re.compile(r"\s*(?:tokens? (?:of|in|from) (?:the |your )?)?(?:input|prompt|messages?)\b", re.IGNORECASE)
STREAMS = re.compile(  # Alibaba: only support stream mode; must be set to false for non-streaming calls
    r"\b(?:only|must|requires?|please)\b[^.]{0,60}\bstream(?:ing|s|ed)?\b|\bnon[- ]?stream"
    r"|\bstream(?:ing)?\b[^.]{0,40}\b(?:only|required|must be true)\b",
    re.IGNORECASE,
)
NUDGE = 0.01  # beyond a bound that is not taken itself
MAX_FLOOR = 1024  # tokens; a server that wants more of them than this means something else
GOOD_ONES = re.compile(
    r"(?<!un|in)(?:supported|allowed|accepted|valid|known|available|permitted)\s+(?:param\w*|arg\w*|fields|keys|options)\b"
    r"|expected one of|must be one of",
    re.I,
)
SENT = re.compile(r"[\"']input[\"']: [{\[].*", re.DOTALL)  # what was sent, in the words of pydantic
OF_ALL = re.compile(r"context|input|prompt|message|total|reduce the length", re.IGNORECASE)
ONE_OF = re.compile(
    r"\bboth\b|only one|either|at the same time|simultaneous|mutually exclusive|together", re.IGNORECASE
)
BAD_SCHEMA = re.compile(r"invalid (?:json[-_ ]?)?schema|schema\b.{0,40}\b(?:invalid|not valid)", re.IGNORECASE)
WORDS = {  # further names of a parameter
    "presence_penalty": r"presence[-_ ]?penalty|penalt(?:y|ies)",
    "top_p": r"top[-_ ]?p|nucleus",
    "stop": r"stop[-_ ]?(?:sequences?|strings?|words?|tokens?)?",
    "seed": r"(?:random[-_ ]?)?seed",
    "stream_options": r"stream[-_ ]?options|include[-_ ]?usage",
    "structured_outputs": r"structured[-_ ]?outputs?",
    FORMAT: r"response[-_ ]?(?:format|schema)|json[-_ ]?schema|structured[-_ ]?outputs?",
    "regex": r"regex|regular expressions?",
    "grammar": r"grammars?",
}
COMMON = ("stop", "seed")  # which are words of English too


def after_refusal(attempt: Attempt, request: Request, trouble: Trouble, thoughts: int = 0) -> Iterator[Attempt]:
    """Other ways to put a request that was refused, the likeliest first; none where the refusal names no cause.

    Args:
        thoughts: Tokens that a model that thinks first may have for that.
    """
    words = trouble.message
    asked = attempt.limit_of(request)
    if not attempt.dialect.streams and STREAMS.search(words):
        yield attempt.changed(words, streams=True)
    names_limit = _names_limit(trouble)
    if (names_limit or "token" in words.lower()) and (floor := _floor(words, asked)):
        yield attempt.changed(words, low={**attempt.dialect.low, "max_tokens": floor})
    if MORE.search(words):
        if thoughts > attempt.dialect.thoughts:
            yield attempt.changed(words, thoughts=thoughts)
        return
    if names_limit and UNKNOWN.search(words):
        for name in _other_limits(attempt.dialect.limit, words):
            yield attempt.changed(words, limit=name)
    if room := fewer_tokens(words, asked):
        if OF_ALL.search(words):
            yield replace(attempt, most=room, words=words)
        else:  # there is a limit on the output, whatever the prompt
            yield attempt.changed(words, high={**attempt.dialect.high, "max_tokens": room})
    names = [] if BAD_SCHEMA.search(words) else _named(attempt, request, trouble)
    if len(names) > 1 and ONE_OF.search(words):
        names = ["top_p" if "top_p" in names else names[-1]]
    if len(names) == 1 and (bounded := _bounded(attempt, request, names[0], words)):
        yield bounded
    if names:
        yield attempt.changed(words, omit=attempt.dialect.omit | set(names))
    elif attempt.shape(request):  # which servers refuse in words of their own
        yield replace(attempt, words=words, shapeless=True)


def after_reply(
    attempt: Attempt, request: Request, reply: Reply, thoughts: int, without_stop: bool = True
) -> Attempt | None:
    """Another way to put a request whose answer lacks its shape, or ended in thoughts, or at a stop string too soon.

    Args:
        without_stop: Whether to try without stop strings.
    """
    if ignored := shape_ignored(attempt, request, reply):
        other = attempt.changed("", omit=attempt.dialect.omit | ignored)
        if other.shape(request):
            return other
    if isinstance(request.prompt, str) or reply.completion.finish_reason == "error":
        return None
    if reply.completion.finish_reason == "length":
        wanted = thoughts > attempt.dialect.thoughts and attempt.most is None and (reply.empty or reply.thought)
        return attempt.changed("", thoughts=thoughts, thinks=True) if wanted else None
    if (
        without_stop and reply.empty and "stop" in attempt.body(request)
    ):  # it was met in the thoughts, or in the blank lines after them
        return attempt.changed(
            "its answers end at a stop string before they begin", omit=attempt.dialect.omit | {"stop"}
        )
    return None


def shape_ignored(attempt: Attempt, request: Request, reply: Reply) -> set[str]:
    """The parameters that told the shape of a completion, if what came shows that the server does not know them.

    A schema may be at fault itself, so its refusal says nothing about another one.
    """
    if not has_shape(request):
        return set()
    if attempt.shapeless and request.choices:
        return {*SHAPES}
    if reply.thought or reply.empty or reply.completion.finish_reason == "error":
        return set()
    cut = reply.completion.finish_reason == "length"
    return set() if in_shape(reply.completion.text, request, cut) else {*attempt.shape(request)}


def cut_at_stop(text: str, request: Request) -> str:
    """A text up to the first stop string, where a server does not keep to them; thoughts do not count."""
    start = 0
    if not isinstance(request.prompt, str):
        start = len(text) - len(visible(text))
    places = [place for stop in request.sampling.stop if stop and (place := text.find(stop, start)) >= 0]
    return text[: min(places)] if places else text


def _names_limit(trouble: Trouble) -> bool:
    wanted = re.compile(r"max\w*?[-_ ]?(?:\w+[-_ ])?tokens|maxOutputTokens|max[-_ ]?length", re.IGNORECASE)
    return any(map(wanted.search, trouble.params)) or bool(wanted.search(trouble.message))


def _floor(words: str, asked: int) -> int:
    """The least number of tokens that may be asked for, if that is more than was; else 0."""
    found = AT_LEAST.search(words) or ABOVE.search(words)
    if not found or OF_INPUT.match(words, found.end()):
        return 0
    floor = int(float(found[1])) + (not AT_LEAST.search(words))
    return floor if asked < floor <= MAX_FLOOR else 0


def _other_limits(limit: str, words: str) -> list[str]:
    """The names to try, those that the server says first."""
    said = [name for name in LIMITS if name != limit and re.search(rf"\b{name}\b", words)]
    usual = LIMITS[1] if limit == LIMITS[0] else LIMITS[0]
    return list(dict.fromkeys([*said, usual]))


def _named(attempt: Attempt, request: Request, trouble: Trouble) -> list[str]:
    """The parameters of the request that a refusal names, by a field of its own or in its words."""
    sent = [key for key in attempt.body(request) if key in OMITTABLE]
    told = [key for key in sent if any(_is(key, param) for param in trouble.params)]
    words = GOOD_ONES.split(SENT.sub("", trouble.message), maxsplit=1)[0]
    return told or [key for key in sent if _mentions(words, key)]


def _pattern(key: str) -> str:
    return WORDS.get(key, key.replace("_", "[-_ ]?"))


def _is(key: str, param: str) -> bool:
    return bool(re.fullmatch(rf"(?:.*\W)?(?:{_pattern(key)})(?:\W.*)?", param, re.IGNORECASE))


def _mentions(words: str, key: str) -> bool:
    name = rf"(?<![A-Za-z0-9_])(?:{_pattern(key)})(?![A-Za-z0-9_])"
    if key not in COMMON:
        return bool(re.search(name, words, re.IGNORECASE))
    marked = (
        rf"[`'\"\[(.]\s*{name}|(?:param\w*|arg\w*|field|key|option|input|name|body)\W{{0,4}}{name}|[:>]\s+{name}|^{name}"
        rf"|\b(?:range|values?) (?:of|for) {name}|{name}\s*(?:param\w*|is\b|are\b|was\b|not\b|:|sequences?|strings?)"
        r"|(?<![A-Za-z0-9])(?:stop[-_ ]?(?:sequences?|strings?|words?)|random[-_ ]seed)"
    )
    return bool(re.search(marked, words, re.IGNORECASE)) and bool(re.search(name, words, re.IGNORECASE))


def _bounded(attempt: Attempt, request: Request, key: str, words: str) -> Attempt | None:
    """With the nearest value that the refusal allows, if it names bounds that the value is beyond."""
    value = attempt.body(request)[key]
    if not isinstance(value, int | float):
        return None
    low, high = _bounds(words)
    if low is not None and value < low:
        return attempt.changed(words, low={**attempt.dialect.low, key: low})
    if high is not None and value > high:
        return attempt.changed(words, high={**attempt.dialect.high, key: high})
    return None


def _bounds(words: str) -> tuple[float | None, float | None]:
    """The least and the greatest value that a refusal allows."""
    if found := RANGE.search(words):
        least, most = (float(one) for one in found.groups() if one is not None)
        below = words[found.end() :].startswith(" (exclusive)")
        return least + NUDGE * (least == 0), most - NUDGE * below
    low: float | None = None
    high: float | None = None
    if found := AT_LEAST.search(words):
        low = float(found[1])
    elif found := ABOVE.search(words):
        low = float(found[1]) + NUDGE
    elif POSITIVE.search(words):
        low = NUDGE
    if found := AT_MOST.search(words):
        high = float(found[1])
    elif found := BELOW.search(words):
        high = float(found[1]) - NUDGE
    return low, high
