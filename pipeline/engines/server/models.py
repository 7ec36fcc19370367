"""The models that a server lists, and what it tells of each."""

import asyncio
from collections.abc import Mapping
from typing import Any

from pipeline.engines.server.sender import MAX_CONNECT
from pipeline.engines.server.trouble import Trouble
from pipeline.engines.server.wire import Wire

CONTEXT = ("max_model_len", "context_length", "context_window", "max_context_length")  # vLLM; OpenRouter; Groq; Mistral


def models_of(url: str) -> dict[str, int | None]:
    """The models of a server by name, with the tokens in the context of each if it tells; empty if it lists none."""

    async def ask() -> list[dict[str, Any]]:
        wire = Wire("", url, MAX_CONNECT)
        try:
            return await wire.entries()
        finally:
            await wire.close()

    try:
        return {model["id"]: context_of(model) for model in asyncio.run(ask())}
    except Trouble:
        return {}


def context_of(model: Mapping[str, Any]) -> int | None:
    """The tokens in the context of a model that a server lists, if it tells."""
    meta = model.get("meta")
    found = [*(model.get(key) for key in CONTEXT), meta.get("n_ctx_train") if isinstance(meta, dict) else None]
    return next((value for value in found if isinstance(value, int) and value > 0), None)
