"""Values as TOML writes them."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from pipeline.text import mend


def value(item: Any) -> str:
    """On one line, models and mappings as inline tables without what has no value."""
    text: str = _item(item).as_string()
    return text


def _item(item: Any) -> Any:
    import tomlkit

    if isinstance(item, BaseModel):
        item = item.model_dump()
    if isinstance(item, Mapping):
        table = tomlkit.inline_table()
        for key, inner in item.items():
            if inner is not None:
                table.append(mend(key), _item(inner))
        return table
    if isinstance(item, (list, tuple)):
        array = tomlkit.array()
        for inner in item:
            array.append(_item(inner))
        return array
    return tomlkit.item(mend(item) if isinstance(item, str) else item)
