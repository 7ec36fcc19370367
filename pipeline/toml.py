"""Values as TOML writes them."""

import json
from typing import Any

from pydantic import BaseModel


def value(item: Any) -> str:
    if isinstance(item, BaseModel):
        item = {key: one for key, one in item.model_dump().items() if one is not None}
    if isinstance(item, dict):
        return (
            "{ "
            + ", ".join(f"{key if key.isidentifier() else json.dumps(key)} = {value(one)}" for key, one in item.items())
            + " }"
            if item
            else "{}"
        )
    if isinstance(item, (list, tuple)):
        return f"[{', '.join(map(value, item))}]"
    return json.dumps(item, ensure_ascii=False)
