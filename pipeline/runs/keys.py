"""What tells requests apart: all that bears on their answer, as a hash."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pipeline.engines.base import Prompt, Request, ScoreRequest
from pipeline.engines.model_folder import content


def key(model: str, request: Request) -> str:
    """The same key, the same completion: model, prompt, and what of the sampling bears on the text."""
    extras = {"chat_template_kwargs": request.chat_template_kwargs, "prefill": request.prefill}
    return _hash(model, request.prompt, request.sampling.bearing(), extras)


def score_key(model: str, request: ScoreRequest) -> str:
    """The same key, the same likelihood."""
    extras = {"chat_template_kwargs": request.chat_template_kwargs, "count_end": request.count_end}
    return _hash(model, request.prompt, request.continuation, extras)


@cache
def identity(model: str) -> str:
    """What a model is known by: a folder by what is in it, wherever it lies, any other by its name."""
    folder = Path(model)
    return content(folder) if folder.is_dir() else model


def _hash(model: str, prompt: Prompt, rest: object, extras: Mapping[str, object]) -> str:
    given = {name: value for name, value in extras.items() if value}  # what is empty tells nothing apart
    return hashlib.sha256(json.dumps([identity(model), prompt, rest, given]).encode()).hexdigest()[:32]
