"""Requests whose completion has a shape: how they are sampled, and which models cannot be held to it."""

import json
import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pipeline.engines.base import Request, Sampling
from pipeline.engines.tokens import render
from pipeline.thoughts import CLOSES, OPENS

logger = logging.getLogger(__name__)

OPENED = re.compile(rf"(?:{OPENS})(?!.*(?:{CLOSES}))", re.DOTALL)
CHANNELS = "<|channel|>analysis"  # of gpt-oss, which always thinks


def has_shape(request: Request) -> bool:
    return bool(request.choices) or request.json_schema is not None


def shaped(request: Request) -> Sampling:
    """The sampling of a request that is held to its shape.

    A choice is as long as it is: it is neither cut off nor drawn out.
    """
    if not request.choices:
        return request.sampling
    most = max(request.sampling.max_tokens, longest(request.choices))
    return request.sampling.model_copy(update={"max_tokens": most, "min_tokens": 0, "stop": ()})


def longest(choices: tuple[str, ...]) -> int:
    """Tokens that every choice has room in, and the one that ends it: no token is shorter than a byte."""
    return max(len(choice.encode()) for choice in choices) + 1


def is_held(tokenizer: Any, request: Request) -> bool:
    """Whether the completion is made to have its shape: not where the chat template lets the model think first."""
    if isinstance(request.prompt, str) or not has_shape(request):
        return has_shape(request)
    return not _thinks(tokenizer, json.dumps(request.chat_template_kwargs, sort_keys=True))


@lru_cache(maxsize=16)
def _thinks(tokenizer: Any, kwargs: str) -> bool:
    """As `thinks_first`; the log says so the first time."""
    thinks = thinks_first(tokenizer, json.loads(kwargs))
    if thinks:
        logger.warning(
            "%s: the model thinks first, so its answers are not held to a few words, or to JSON, but read as they "
            "come; to hold them, set "
            "engine.chat_template_kwargs = { enable_thinking = false } or whatever the model calls it",
            tokenizer.name_or_path,
        )
    return thinks


def thinks_first(tokenizer: Any, template_kwargs: Mapping[str, Any]) -> bool:
    """Whether a chat template lets the model think before it answers.

    It does if it opens a thought, if turning thinking off would change what it writes, or if it has channels.
    """
    message = [{"role": "user", "content": "Hello"}]
    off = {**template_kwargs, "enable_thinking": False, "thinking": False}
    try:
        asked, plain = (
            render(tokenizer, message, kwargs, add_generation_prompt=True) for kwargs in (template_kwargs, off)
        )
    except ValueError:
        return False
    return asked != plain or bool(OPENED.search(asked)) or CHANNELS in str(tokenizer.chat_template)
