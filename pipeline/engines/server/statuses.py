"""The status that an error means: some servers answer with another one, and only their words say what is wrong."""

import re

from pipeline.engines.server.said import Said
from pipeline.engines.server.trouble import LOADING, MAYBE_LOADING, REFUSALS_OF_500

LARGE = re.compile(r"request (?:is )?too large", re.IGNORECASE)
# OpenAI, DeepSeek, Anthropic, LiteLLM, Moonshot, Alibaba, Volcengine, SiliconFlow, Zhipu. Gemini's "exceeded your
# current quota" is no such case: it passes within a minute, or a day.
NO_MONEY = re.compile(
    r"insufficient[_ ](?:quota|balance|credits?|funds)|balance is (?:too low|insufficient|not enough)"
    r"|budget[_ ](?:has been |is )?exceeded|exceeded_current_quota|out of credits|余额不足|欠费"
    r"|arrearage|account[ _]?overdue|overdue balance",
    re.IGNORECASE,
)
BAD_KEY = re.compile(  # Gemini, xAI
    r"api[ _-]?key(?: provided)?(?: is)?[ _](?:not valid|invalid|incorrect|expired|missing|required|not found)"
    r"|(?:invalid|incorrect|expired|missing|wrong|no)[ _]api[ _-]?key",
    re.IGNORECASE,
)
THROTTLED = re.compile(  # AWS, Google
    r"throttl|rate[ _-]?limit|too many requests|(?:too many|exceeded)[^.]{0,40}please wait", re.IGNORECASE
)
FLAGGED = re.compile(  # OpenRouter
    r"\bflagged\b|requires moderation|moderation (?:failed|blocked|error)|content[ _-]?(?:policy|filter|moderation)"
    r"|guardrail",
    re.IGNORECASE,
)
UPSTREAM = re.compile(r"upstream (?:connect|request|response) |no healthy upstream", re.IGNORECASE)  # Envoy
INVALID = re.compile(r"\bvalidation errors?\b|extra_forbidden|\binput should be\b", re.IGNORECASE)

MEANT = (  # the status, those that stand for it, and the words that say so
    (402, {400, 403, 429}, NO_MONEY),  # no wait brings it back
    (413, {429}, LARGE),
    (401, {400, 422}, BAD_KEY),
    (429, {400, 403, 500, 502}, THROTTLED),
    (503, {403, 404}, UPSTREAM),  # GPUStack
    (400, {403}, FLAGGED),  # it is the request that is wrong, and no other one
    (400, {500, 502}, re.compile(r"\bflagged\b", re.IGNORECASE)),
    (503, MAYBE_LOADING, LOADING),
    (400, {500}, INVALID),
    (400, set[int](), REFUSALS_OF_500),
)


def meant(status: int, found: Said) -> int:
    """The status that the words of an error mean, or else the one it has; 0 if it has none, and may be any.

    Example:
        >>> meant(400, Said("API key not valid. Please pass a valid API key."))
        401
    """
    words = f"{found.words} {found.code}"
    known = (other for other, given, says in MEANT if (not status or status in given) and says.search(words))
    return next(known, status)
