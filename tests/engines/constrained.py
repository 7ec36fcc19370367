"""What a model writes on a server that can be told, by parameters of its own, to hold it to a few words."""

import hashlib
import json
from collections.abc import Collection
from typing import Any

from pipeline.engines.server.shape import SHAPES
from tests.engines.stand_in import prompt_of


def answered(body: dict[str, Any], text: str, knows: Collection[str], rambles: bool) -> str:
    """The text, held to the choices that the body tells in words this server knows.

    Args:
        rambles: Whether the model, unless it is held, says neither yes nor no to every other task.
    """
    for name in SHAPES:
        if name in body and name in knows:
            choice = next(one for one in choices_in(name, body[name]) if text.lstrip().startswith(one.strip()))
            return json.dumps({"answer": choice}, indent=1) if name == "response_format" else choice
    asked = rambles and prompt_of(body).endswith("Classification:")
    if asked and hashlib.sha256(prompt_of(body).encode()).digest()[1] % 2:
        return " That is hard to say, it depends.\nTask: never write this"
    return text


def choices_in(name: str, value: Any) -> list[str]:
    """The choices that a parameter tells, each in its own way."""
    if name == "structured_outputs":
        return list(value["choice"])
    if name == "response_format":
        return list(value["json_schema"]["schema"]["properties"]["answer"]["enum"])
    if name == "regex":
        return str(value).strip("()").split("|")
    return list(value) if name == "guided_choice" else json.loads(f"[{value.partition('::=')[2].replace('|', ',')}]")
