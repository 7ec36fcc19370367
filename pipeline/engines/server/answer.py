"""Reads the body of an answer: its text, whether that is whole, what it took, and whether the model thought first."""

import json
import math
import re
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from pipeline.engines.base import Completion, Request
from pipeline.engines.server.body import Unreadable, kind_of, read_body
from pipeline.engines.server.said import read_error, says
from pipeline.engines.server.trouble import Trouble
from pipeline.text import short
from pipeline.thoughts import CLOSES, OPENS, end_of_first, may_think

# Reasons to finish, without case and marks: of OpenAI, Anthropic, Gemini, Cohere, TGI, LM Studio, watsonx and others.
WHOLE = {
    "stop", "stopped", "stopsequence", "stopsequencereached", "stopstring", "stopstringfound", "stopword", "stoptoken",
    "eos", "eostoken", "eosfound", "eot", "endturn", "endofturn", "endoftext", "endofsequence", "end", "complete",
    "completed", "finish", "finished", "done", "eosid", "eotid", "eom", "imend", "endofmessage", "stopstr", "normal",
    "success",
}  # fmt: skip
LIMIT = re.compile(
    r"length|max\w*(?:tokens?|len$)|tokens?limit|limit\w*tokens|context|outputlimit|cutoff|^(?:time)?limit$|truncat|^incomplete$"
)
# What another try would meet again, at least with the same sampling.
BARRED = re.compile(
    r"filter|safety|recitation|block|prohibit|spii|refus|guardrail|moderat|sensitive|toxic|copyright|violation|policy"
    r"|language|toolcall|tooluse|functioncall"
)
THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks", "thoughts")
THOUGHT = re.compile(r"think|reason|thought|analysis", re.IGNORECASE)  # the type of a part
CLOSED = re.compile(rf"^.*(?:{CLOSES})", re.DOTALL)
OPEN = re.compile(rf"\s*(?:{OPENS})")
BYTES_PER_TOKEN = 4  # of English, in the tokenizers of GPT and Llama; the estimate where a server tells no counts
TOOL = "the model calls a tool in place of an answer; serve it without tools"
MIN_REPEATED = 80  # characters of a prompt; what is shorter a model may well say
MAX_COUNT = 10_000_000  # tokens; no request has more


class Reply(NamedTuple):
    """A completion, and what else its answer tells."""

    completion: Completion
    thought: bool = False  # the model thought before it answered
    counted: bool = True  # the server told how many tokens it took
    model: str = ""  # the name of the model that the server says it is from

    @property
    def empty(self) -> bool:
        return not visible(self.completion.text)


def read(content: bytes, request: Request, limit: int) -> Reply:
    """The completion in the body of an answer, which could have up to `limit` tokens.

    Raises:
        Trouble: if there is an error in it, or the server broke it off, or it holds no text.
        Unreadable: if it is not what an OpenAI server answers.
    """
    body = read_body(content)
    choice = _choice(body)
    text, thought = _text(choice, isinstance(request.prompt, str))
    model = body["model"] if isinstance(body.get("model"), str) else ""
    usage = body.get("usage")
    counts, counted = _counts(usage if isinstance(usage, dict) else {}, request, text)
    thought = thought or _thoughts_counted(usage) or thinks(text)
    if barred := _barred(choice):
        return Reply(Completion(id=request.id, text=barred, finish_reason="error"), thought, counted, model)
    finish = _finish(choice, cut=counted and counts["completion_tokens"] >= limit)
    completion = Completion.model_validate({"id": request.id, "text": text, "finish_reason": finish} | counts)
    return Reply(completion, thought, counted, model)


def visible(text: str) -> str:
    """A text without the thoughts and white space before it."""
    if not may_think(text):
        return text.lstrip()
    text = CLOSED.sub("", text[end_of_first(text) :], count=1)
    return "" if OPEN.match(text) else text.lstrip()


def thinks(text: str) -> bool:
    """Whether a text begins with thoughts."""
    return may_think(text) and bool(end_of_first(text) or OPEN.match(text) or CLOSED.match(text))


def repeated(text: str, request: Request) -> str:
    """The plain prompt that a completion begins with, as some servers put it; empty where it does not, or is short."""
    sent = request.prompt + request.prefill if isinstance(request.prompt, str) else ""
    return sent if len(sent) >= MIN_REPEATED and text.startswith(sent) else ""


def _choice(body: dict[str, Any]) -> dict[str, Any]:
    """The choice that is numbered first, wherever it stands."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Unreadable(f"choices is {kind_of(choices)}")
    if not isinstance(choices[0], dict):
        raise Unreadable(f"choices[0] is {kind_of(choices[0])}")
    numbered = [one for one in choices if isinstance(one, dict) and one.get("index") == 0]
    choice: dict[str, Any] = (numbered or choices)[0]
    return choice


def _text(choice: dict[str, Any], plain: bool) -> tuple[str, bool]:
    """The text of a choice without what is told to be thoughts, and whether there are some."""
    if plain:
        if "text" not in choice:
            raise Unreadable("choices[0].text is missing")
        return _content(choice["text"], "choices[0].text"), any(map(choice.get, THOUGHTS))
    message = choice.get("message")
    if not isinstance(message, dict):
        raise Unreadable(f"choices[0].message is {kind_of(message)}")
    parts = message.get("content")
    thought = any(map(message.get, THOUGHTS)) or (isinstance(parts, list) and any(map(_is_thought, parts)))
    return _content(parts, "choices[0].message.content"), thought


def _content(value: Any, place: str) -> str:
    """The text of a content: a string, nothing, or parts of which some may be thoughts."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise Unreadable(f"{place} is {kind_of(value)}")
    texts = [_part(part, f"{place}[{number}]") for number, part in enumerate(value) if not _is_thought(part)]
    return "".join(texts)


def _part(part: Any, place: str) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise Unreadable(f"{place} is {kind_of(part)}")
    for key in ("text", "content", "value"):
        if isinstance(part.get(key), str):
            return str(part[key])
        if isinstance(part.get(key), dict) and isinstance(part[key].get("value"), str):  # as of Assistants
            return str(part[key]["value"])
    if part.get("type") in (None, "text", "output_text"):
        raise Unreadable(f"{place}.text is {kind_of(part.get('text'))}")
    return ""  # a reference, a picture


def _is_thought(part: Any) -> bool:
    return (isinstance(part, dict) and bool(THOUGHT.search(str(part.get("type"))))) or (
        isinstance(part, dict) and part.get("thought") is True
    )


def _barred(choice: dict[str, Any]) -> str:
    """Why there is no answer, and will be none if it is asked again; empty if there may be one."""
    reason, message = _reason(choice), choice.get("message")
    silent = message if isinstance(message, dict) and not message.get("content") else {}
    if silent.get("tool_calls") or silent.get("function_call"):
        return TOOL
    if BARRED.search(_letters(reason)):
        return f"the server ended it early: {short(reason, 80)}"
    refusal = silent.get("refusal")
    return f"the model refuses: {short(refusal, 200)}" if isinstance(refusal, str) and refusal.strip() else ""


def _finish(choice: dict[str, Any], cut: bool) -> Literal["stop", "length"]:
    """How the text ended; where no reason is told, by whether it has as many tokens as it could have.

    Raises:
        Trouble: for a reason that is not known to leave a whole text.
    """
    reason, error = _reason(choice), choice.get("error")
    failed = isinstance(error, dict | str) and says(error)
    if not failed and not reason:
        return "length" if cut else "stop"
    if not failed and LIMIT.search(_letters(reason)):
        return "length"
    if not failed and _letters(reason) in WHOLE:
        return "stop"
    why = read_error(error).words if failed else short(reason, 80)
    raise Trouble("answer aborted", f"the server ended it early: {why}")


def _reason(choice: dict[str, Any]) -> str:
    """Why it ended; empty if that is not told."""
    reason = choice.get("finish_reason")
    if isinstance(reason, dict):  # SGLang's own: {"type": "length", "length": 16}
        reason = reason.get("type") or reason.get("reason") or reason
    if isinstance(reason, str):
        return "" if reason.strip().lower() in ("null", "none") else reason.strip()
    return "" if reason is None else f"unknown: {json.dumps(reason)}"


@lru_cache(maxsize=64)
def _letters(reason: str) -> str:
    letters = re.sub(r"[^a-z]", "", reason.lower())
    return re.sub(r"^(?:finish|stop)?reason(?=.)", "", letters)


def _counts(usage: dict[str, Any], request: Request, text: str) -> tuple[dict[str, int], bool]:
    """Tokens by the fields of a completion, and whether the server told them; what it does not tell is estimated."""
    prompt = _count(usage.get("prompt_tokens")) or _count(usage.get("input_tokens"))
    written = _count(usage.get("completion_tokens")) or _count(usage.get("output_tokens"))
    total = _count(usage.get("total_tokens"))
    if total and prompt and total - prompt > written:  # Gemini does not count thoughts among the tokens it completes
        written = total - prompt
    counted = prompt > 0 and (written > 0 or not text)
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens") if isinstance(details, dict) else None)
    prompt = prompt or _estimate(prompt_text(request))
    counts = {"prompt_tokens": prompt, "cached_tokens": min(cached, prompt)}
    return counts | {"completion_tokens": written or _estimate(text)}, counted


def _count(value: Any) -> int:
    """A number of tokens; 0 for what can be none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < MAX_COUNT:
        return 0
    return int(value) if value == int(value) else 0


def _thoughts_counted(usage: Any) -> bool:
    details = usage.get("completion_tokens_details") if isinstance(usage, dict) else None
    counts = [one.get("reasoning_tokens") for one in (usage, details) if isinstance(one, dict)]
    return any(map(_count, counts))


def _estimate(text: str) -> int:
    return math.ceil(len(text.encode(errors="replace")) / BYTES_PER_TOKEN)


def prompt_text(request: Request) -> str:
    if isinstance(request.prompt, str):
        return request.prompt
    return "\n".join(message["content"] for message in request.prompt)
