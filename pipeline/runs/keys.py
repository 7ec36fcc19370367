"""Keys of requests: hashes of everything that affects the answer."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pipeline.engines.base import Prompt, Request, ScoreRequest
from pipeline.engines.model_folder import content


def key(model: str, request: Request) -> str:
    """The key of a completion: a hash of the model, the prompt, its shape, and the sampling that affects the text."""
    extras = {
        "chat_template_kwargs": request.chat_template_kwargs,
        "prefill": request.prefill,
        "choices": request.choices,
        "json_schema": "" if request.json_schema is None else json.dumps(request.json_schema),
    }
    return _hash(model, request.prompt, request.sampling.bearing(), extras)


def score_key(model: str, request: ScoreRequest) -> str:
    """The key of a likelihood."""
    extras = {"chat_template_kwargs": request.chat_template_kwargs, "count_end": request.count_end}
    return _hash(model, request.prompt, request.continuation, extras)


@cache
def identity(model: str) -> str:
    """What identifies a model: the contents of a folder, wherever it is; otherwise the name."""
    folder = Path(model)
    return content(folder) if folder.is_dir() else model


def _hash(model: str, prompt: Prompt, rest: object, extras: Mapping[str, object]) -> str:
    given = {name: value for name, value in extras.items() if value}  # empty values make no difference
    return hashlib.sha256(json.dumps([identity(model), prompt, rest, given]).encode()).hexdigest()[:32]
