"""The models that a server lists, and what it tells of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.engines.server.trouble import Trouble

if TYPE_CHECKING:
    from pipeline.engines.server.connection import Connection

CONTEXT = ("max_model_len", "context_length", "context_window", "max_context_length")  # vLLM; OpenRouter; Groq; Mistral


def context_in(model: Mapping[str, Any]) -> int | None:
    """The tokens in the context of a model, as its entry in the list tells; None if it does not."""
    meta = model.get("meta")
    found = [*(model.get(key) for key in CONTEXT), meta.get("n_ctx_train") if isinstance(meta, dict) else None]
    return next((value for value in found if isinstance(value, int) and value > 0), None)


async def listed(connection: Connection) -> dict[str, int | None]:
    """The models by name, with the tokens in the context of each; empty if the server lists none."""
    try:
        return await connection.wire.served()
    except Trouble:
        return {}
