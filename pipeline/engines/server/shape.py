"""How servers are told the shape of a completion, each in its own words; and a choice taken out of JSON again."""

import json
import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from pipeline.engines.base import Request
from pipeline.engines.shape import longest

FORMAT = "response_format"
# What to send, the likeliest to be taken first; the next if a server refuses it, or answers in another shape.
STEPS = (
    ("structured_outputs",),  # vLLM
    (FORMAT,),  # OpenAI, and in chat nearly all others: Ollama, LM Studio, llama.cpp, SGLang, Azure, Mistral …
    ("guided_choice", "guided_json", "regex", "grammar", "json_schema"),  # vLLM to 0.11; SGLang; llama.cpp
)
SHAPES = tuple(name for step in STEPS for name in step)
ANSWER = "answer"  # the field of the object that holds a choice: a schema has an object at its root
ENDS = re.compile(r"(?:\s*<[|｜/]?[\w▁]{1,30}[|｜]?>)+\s*\Z")  # of a turn, which some servers leave in the text
AROUND = 32  # tokens for the rest of that object


def fields(request: Request, omit: frozenset[str]) -> dict[str, Any]:
    """What tells a server the shape of a completion, of the first step that is not left out; nothing if all are."""
    if request.choices:
        return {**_of_choices(request.choices, isinstance(request.prompt, str), omit)}
    return {} if request.json_schema is None else _first_step(_of_schema(request.json_schema), omit)


def room(request: Request, sent: Collection[str]) -> int:
    """The most tokens of a completion: a choice has room, also within an object."""
    most = request.sampling.max_tokens
    if request.choices and {*SHAPES}.intersection(sent):
        most = max(most, longest(request.choices)) + (AROUND if FORMAT in sent else 0)
    return most


def taken_out(text: str, request: Request) -> str:
    """A choice without the object it was asked for in, blanks or tokens around it; any other text as it is."""
    by_text = {choice.strip(): choice for choice in request.choices}
    whole = text if text.strip() in by_text else ENDS.sub("", text)
    try:
        found = json.loads(whole)
    except (ValueError, RecursionError):
        found = whole
    inner = found.get(ANSWER) if isinstance(found, dict) else found
    return by_text.get(str(inner).strip()) or by_text.get(whole.strip()) or text


def in_shape(text: str, request: Request, cut: bool = False) -> bool:
    """Whether a completion is one of its choices, or JSON: of what schema is not looked at.

    Args:
        cut: Whether it was cut off; it then only has to begin as JSON does, which may have been around a choice.
    """
    if cut and text.lstrip().startswith(("{", "[", '"')):
        return True
    if request.choices:
        return text in request.choices
    try:
        json.loads(ENDS.sub("", text))
    except (ValueError, RecursionError):
        return False
    return True


def _first_step(known: dict[str, Any], omit: frozenset[str]) -> dict[str, Any]:
    for step in STEPS:
        if found := {name: known[name] for name in step if name in known and name not in omit}:
            return found
    return {}


@lru_cache(maxsize=64)  # the same for all requests of a stage
def _of_choices(choices: tuple[str, ...], plain: bool, omit: frozenset[str]) -> dict[str, Any]:
    known: dict[str, Any] = {
        "structured_outputs": {"choice": [*choices]},
        "guided_choice": [*choices],
        "regex": "(" + "|".join(re.sub(r"[\\.+*?^$|()\[\]{}]", r"\\\g<0>", choice) for choice in choices) + ")",
        "grammar": f"root ::= {' | '.join(json.dumps(choice, ensure_ascii=False) for choice in choices)}",
    }
    if not plain:  # a plain prompt goes on with words, not with an object
        known[FORMAT] = _format({
            "type": "object", "properties": {ANSWER: {"type": "string", "enum": [*choices]}}, "required": [ANSWER],
            "additionalProperties": False,
        })  # fmt: skip
    return _first_step(known, omit)


def _of_schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: schema for name in ("guided_json", "json_schema")} | {
        "structured_outputs": {"json": schema},
        FORMAT: _format(schema),
    }


def _format(schema: object) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": ANSWER, "strict": True, "schema": schema}}
