"""How many tokens to ask for instead, after a refusal for the length of a request."""

import re

NUMBER = r"(\d{1,3}(?:[,_]\d{3})+(?!\d)|\d+)"
BETWEEN = r"[^\d.;]{0,60}?"
LONG = re.compile(
    r"context|too (?:long|large|many|big)|exceed|max_model_len|maximum|allowed\b.{0,30}(?:length|tokens)"
    r"|(?:reduce|shorten)\b.{0,40}\b(?:length|prompt|messages|tokens|input)|must be (?:<|less|lower|at most|smaller)"
    r"|(?:longer|larger|greater|more) than|range|at most|up to|fewer (?:output )?tokens|less than or equal|between"
    r"|limit|capped|lower than|should be in|over the|n_ctx|\d\s*>\s*\d|最大|上限|超过|超過",
    re.IGNORECASE,
)
OF_TOKENS = re.compile(r"token|context|length|n_ctx|max_model_len|prompt|input", re.IGNORECASE)
SUM = re.compile(  # Anthropic: 178959 + 64000 > 200000; TensorRT-LLM: prompt (4000) + max_new_tokens (1000) exceeds …
    rf"{NUMBER}[^\d.;+]{{0,20}}\+[^\d.;+]{{0,30}}{NUMBER}[^\d.;+]{{0,20}}"
    rf"(?:>|exceed|(?:greater|larger|more) than|over)[^\d.;]{{0,30}}{NUMBER}",
    re.IGNORECASE,
)
OVERSHOT = re.compile(  # Cohere: size limit exceeded by 976 tokens
    rf"(?:exceed\w*|over)\b[^.;]{{0,40}}? by (?:about )?{NUMBER}|{NUMBER} tokens? (?:over|too (?:many|long|much))",
    re.IGNORECASE,
)
OVER = re.compile(
    rf"{NUMBER}\s*(?:tokens?\s*)?>\s*{NUMBER}(?!\d|[.,]\d|\s*-)"
)  # Anthropic: 205000 tokens > 200000 maximum
RANGE = re.compile(  # DeepSeek: [1, 8192]; Gemini: from 1 (inclusive) to 8193 (exclusive)
    r"(?:range|between|\bin\b|from)[^\d.;]{0,60}?(?:[\[(]\s*)?\b\d+(?: \(inclusive\))?\s*(?:,|-|–|~|to|and)\s*(\d+)"
    r"(?P<below> \(exclusive\))?",
    re.IGNORECASE,
)
OF_OUTPUT = re.compile(
    r"max\w*?[-_ ]?(?:\w+[-_ ])?tokens|maxOutputTokens|output tokens|completion tokens", re.IGNORECASE
)
LIMITS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:max_model_len|n_ctx|max_total_tokens|max_seq\w*_len\w*|max_num_tokens)\W{{0,6}}{NUMBER}",
        rf"最大上下文\D{{0,8}}{NUMBER}",
        rf"(?:context\b|(?:sequence|prompt) (?:length|window|size|limit)){BETWEEN}{NUMBER}",
        rf"(?:<=|less than or equal to|at most|up to|cannot exceed|not exceed|no more than|not be (?:greater"
        rf"|larger|more) than|limited to|capped at|不能超过|不超过|最大\D{{0,4}}为|上限){BETWEEN}{NUMBER}",
        rf"{NUMBER}[\s-]*(?:tokens?[\s-]*)?(?:maximum|max\b|limit|context|available|allowed)",
        rf"(?:maximum|limit|allowed|max\b){BETWEEN}{NUMBER}",
        rf"exceed\w*{BETWEEN}{NUMBER}",
    )
)
BELOW = re.compile(
    rf"(?:less|lower|smaller|fewer) than(?! or equal){BETWEEN}{NUMBER}|(?<!\d )<\s*{NUMBER}", re.IGNORECASE
)
OF_PROMPT = re.compile(  # a number that is of the prompt alone
    r"(?:prompt|input|messages?)\b[^\d.;]{0,30}\b(?:contains?|has|have|is|was|count|resulted in|length)\b"
    rf"{BETWEEN}{NUMBER}"
    rf"|(?:prompt|input) \({NUMBER}|{NUMBER} (?:input|prompt) tokens|(?:input|prompt) tokens:? {NUMBER}",
    re.IGNORECASE,
)
COUNTED_IN_PART = re.compile(  # vLLM stops to count where the prompt no longer fits
    r"(?:prompt|input|messages?)\b[^\d.;]{0,30}\bat least \d[\d,_]* (?:(?:input|prompt) )?tokens", re.IGNORECASE
)
LEAST = 16  # tokens; a smaller limit is one of something else
UNTOLD = 2  # what is asked for, divided, where the refusal names no numbers


def fewer_tokens(message: str, asked: int) -> int:
    """How many tokens to ask for instead of as many as were `asked` for; 0 if that is not why it was refused.

    Servers tell the context and the tokens of the prompt, of both together, or the most that may be asked for, in many
    wordings and orders: what is left after the prompt is what is asked for. Without numbers, and where the prompt is
    counted in part, it is half.
    """
    if not LONG.search(message) or not OF_TOKENS.search(message):
        return 0
    if found := SUM.search(message):
        return _within(_int(found[3]) - _int(found[1]), asked)
    if OF_OUTPUT.search(message) and (found := RANGE.search(message)) and int(found[1][:12]) >= LEAST:
        return _within(int(found[1][:12]) - bool(found["below"]), asked)
    if found := OVERSHOT.search(message):
        return _within(asked - _int(found[1] or found[2]), asked)
    limit = _limit(message)
    numbers = [_int(number) for number in re.findall(NUMBER, message)]
    if limit is None:
        says_so = re.search(r"max\w*_?tokens|completion|output", message, re.IGNORECASE)
        return asked // UNTOLD if says_so and not any(number >= asked for number in numbers if number != asked) else 0
    if limit < LEAST:
        return 0
    if any(_int(next(filter(None, one.groups()))) > limit for one in OF_PROMPT.finditer(message)):
        return 0  # the prompt alone is too long
    others = [number for number in numbers if number not in (limit, limit + 1, asked)]
    if totals := [number - asked for number in others if number > limit and 0 < number - asked < limit]:
        return _within(limit - max(totals), asked)
    if any(number > limit for number in others):
        return 0
    prompts = [number for number in others if limit - asked < number < limit]
    left = limit - max(prompts, default=0)
    return _within(left // UNTOLD if COUNTED_IN_PART.search(message) else left, asked)


def _limit(message: str) -> int | None:
    """The number that is the most there may be."""
    if found := OVER.search(message):
        return _int(found[2])
    for pattern in LIMITS:
        if found := pattern.search(message):
            return _int(found[1])
    below = BELOW.search(message)
    return _int(below[1] or below[2]) - 1 if below else None


def _within(room: int, asked: int) -> int:
    return room if 0 < room < asked else 0


def _int(number: str) -> int:
    return int(number.replace(",", "").replace("_", "")[:12])
