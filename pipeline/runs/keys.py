"""Keys of requests: hashes of everything that affects the answer; and how a request is written down."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from pipeline.engines.base import Request, Sampling, ScoreRequest
from pipeline.engines.model_folder import content
from pipeline.resources import shown

as_json = json.JSONEncoder().encode
as_readable_json = json.JSONEncoder(ensure_ascii=False).encode


def key(model: str, request: Request | ScoreRequest, prefix: str = "") -> str:
    """The key of a completion or a likelihood: a hash of the model, the prompt, and all else that bears on the answer.

    Args:
        prefix: What the prompt begins with; it is hashed once for all requests that share it.
    """
    if isinstance(request, ScoreRequest):
        extras: dict[str, object] = {
            "chat_template_kwargs": request.chat_template_kwargs,
            "count_end": request.count_end,
        }
        return _key(model, request, as_json(request.continuation), extras, prefix)
    extras = {
        "chat_template_kwargs": request.chat_template_kwargs,
        "prefill": request.prefill,
        "choices": request.choices,
        "json_schema": "" if request.json_schema is None else json.dumps(request.json_schema),
    }
    return _key(model, request, _sampled(request.sampling)[0], extras, prefix)


@cache
def identity(model: str) -> str:
    """What identifies a model: the contents of a folder, wherever it is; otherwise the name."""
    folder = Path(model)
    return content(folder) if folder.is_dir() else model


@cache
def name_of(model: str) -> str:
    """The name of a model as the journal has it."""
    return shown(model)


def as_text(request: Request | ScoreRequest) -> str:
    """The prompt as text, including a prefill; messages as JSON."""
    begun = request.prefill if isinstance(request, Request) else ""
    if isinstance(request.prompt, str):
        return request.prompt + begun
    answer = [{"role": "assistant", "content": begun}] if begun else []
    return as_readable_json([*request.prompt, *answer])


def sampling_of(request: Request) -> str:
    """How the completion was sampled, apart from `max_tokens`, and the shape it was held to; as JSON."""
    _, written = _sampled(request.sampling)
    if request.choices:
        return f"{written[:-1]}, {_choices(request.choices)[1][1:]}"
    if request.json_schema is None:
        return written
    shape = request.model_dump(mode="json", include={"json_schema"})
    return f"{written[:-1]}, {as_readable_json(shape)[1:]}"


def _key(model: str, request: Request | ScoreRequest, rest: str, extras: Mapping[str, object], prefix: str) -> str:
    """The hash of a JSON array: model, prompt, the rest, and those of the extras that are not empty."""
    given = {name: value for name, value in extras.items() if value}
    choices = given.get("choices")
    if isinstance(choices, tuple) and len(given) == 1:
        end = f"{rest}, {_choices(choices)[0]}]"
    else:
        end = f"{rest}, {as_json(given) if given else '{}'}]"
    if isinstance(request.prompt, str):
        hashed = _begun(identity(model), prefix).copy()
        hashed.update(f"{as_json(request.prompt[len(prefix) :])[1:]}, {end}".encode())
    else:
        hashed = hashlib.sha256(f"[{as_json(identity(model))}, {as_json(request.prompt)}, {end}".encode())
    return hashed.hexdigest()[:32]


@lru_cache(maxsize=64)
def _choices(choices: tuple[str, ...]) -> tuple[str, str]:
    """The choices of a request as a JSON object: for its key, and to be read."""
    return as_json({"choices": choices}), as_readable_json({"choices": choices})


@lru_cache(maxsize=64)
def _begun(identity: str, prefix: str) -> "hashlib._Hash":
    """The hash so far, at the end of what prompts begin with."""
    return hashlib.sha256(f"[{as_json(identity)}, {as_json(prefix)[:-1]}".encode())


def _sampled(sampling: Sampling) -> tuple[str, str]:
    """The sampling as JSON: what bears on the text, and all but `max_tokens`. Last is the seed, new each time."""
    one = sampling
    bearing, written = _unseeded(
        one.temperature, one.top_p, one.top_k, one.presence_penalty, one.max_tokens, one.min_tokens, one.stop
    )
    if sampling.seed is None:
        return f"{bearing}}}", f'{written}, "seed": null}}'
    return f'{bearing}, "seed": {sampling.seed}}}', f'{written}, "seed": {sampling.seed}}}'


@lru_cache(maxsize=64, typed=True)  # 0 and 0.0 are written in different ways
def _unseeded(*fields: object) -> tuple[str, str]:
    sampling = Sampling().model_copy(update=dict(zip(Sampling.model_fields, fields, strict=False)))
    written = sampling.model_dump(mode="json", exclude={"max_tokens", "seed"})
    return as_json(sampling.bearing())[:-1], as_readable_json(written)[:-1]
