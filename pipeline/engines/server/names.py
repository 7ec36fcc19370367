"""The names of models: whether a server answers as another model than it was asked for, and what it calls a folder."""

from __future__ import annotations

import re
from functools import lru_cache

from pipeline.errors import SproutError
from pipeline.resources import shown
from pipeline.text import some_of

# What tells versions and files of a model apart, not models: dates, numbers of builds, formats, quantizations.
_VERSION = re.compile(
    r"(?:19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d|[01]?\d[-_.](?:19|20)\d\d|[-_@.](?:\d{4}|\d{6}|\d{8})(?![\da-z])"
    r"|[-_@.]\d\d[-_.]\d\d(?![\da-z.])|[-_@.]0\d\d(?!\d)|[-_.]i?q\d(?:_[a-z0-9]+)*|[-_.](?:bf16|fp?(?:8|16|32)|int[48]|[48]bit)"
    r"|[-_.](?:gguf|ggml|awq|gptq|mlx|onnx|safetensors)"
)
_STATE = {"latest", "preview", "exp", "experimental", "beta", "stable", "free", "model", "models", "accounts"}


@lru_cache(maxsize=64)  # a server gives the same name with each answer
def is_another(asked: str, said: str) -> bool:
    """Whether the name in an answer stands for another model; a dated version, a path or an alias of it does not."""
    if not _words(said):
        return False
    if "/" in said.strip("/") and _words(asked) <= _words(said.replace("/", " ").replace("--", " "), whole=True):
        return False  # a path in which the name occurs
    return _words(asked) != _words(said)


def note_of(asked: str, said: str, models: str) -> str:
    """What to say of a server that answers as another model; `models` is where it lists those it has."""
    return (
        f'answers as "{said[:80]}" where "{shown(asked)}" is asked for; if that is another model, name one that it '
        f"serves with --model, see {models}"
    )


def check_folder(model: str, served: list[str], url: str) -> str:
    """The name under which a server has the model of a folder here.

    Raises:
        SproutError: if it has none: it would answer with a model of its own.
    """
    for name in dict.fromkeys((model, model.rstrip("/"), shown(model))):
        if name in served:
            return name
    what = "the model that ships with Sprout" if shown(model) == "nano" else "a folder here"
    raise SproutError(
        f"{url}: does not serve {shown(model)}, which is {what}; it serves {some_of(served)}. Load it in this process "
        f"with --engine vllm or --engine transformers, or name a model of the server with --model"
    )


def _words(name: str, whole: bool = False) -> set[str]:
    """The letters and numbers in a name that tell models apart."""
    text = name.casefold().replace("\\", "/")
    text = text if whole else text.rstrip("/").rpartition("/")[2]
    return {*re.findall(r"[a-z]+|\d+", _VERSION.sub("", text))} - _STATE
