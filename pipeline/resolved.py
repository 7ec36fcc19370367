"""The settings of a run as a file: every key with its value and what it means, ready to be changed and run."""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from pipeline.resources import HELDOUT
from pipeline.settings import OPTIONAL, RunSettings, build_stage, build_stages
from pipeline.stage import Product, Stage
from pipeline.stages import STAGES

FIELD = re.compile(r"^    (\w+): .*?(?:  # (.*))?$", re.MULTILINE)


def as_toml(settings: RunSettings) -> str:
    """TOML that `read` reads back to the same run; what is not part of it, or has no value, is a comment."""
    lines = [f"seeds = {value(settings.seeds)}", f"out = {value(settings.out)}"]
    for name, table in (("engine", settings.engine), ("prices", settings.prices.model_dump())):
        lines += ["", f"[{name}]", *(f"{key} = {value(item)}" for key, item in table.items())]
    there = {stage.name: stage for stage in build_stages(settings)}
    for kind in STAGES:
        lines += ["", *table_of(there[kind.name])] if kind.name in there else ["", *absent(kind, settings)]
    return "\n".join(lines) + "\n"


def table_of(stage: Stage | Product) -> Iterator[str]:
    meanings = comments(type(stage))
    yield f"[{stage.name}]  # {summary(type(stage))}"
    for key in type(stage).model_fields:
        item, meaning = getattr(stage, key), f"  # {meanings[key]}" if meanings.get(key) else ""
        yield f"# {key} = {meaning or '  # unset'}" if item is None else f"{key} = {value(item)}{meaning}"


def absent(kind: type[Stage] | type[Product], settings: RunSettings) -> Iterator[str]:
    """The table of a stage that is no part of the run, as a comment."""
    assert kind.name in OPTIONAL
    required = [name for name, field in kind.model_fields.items() if field.is_required()]
    if required:
        yield f"# [{kind.name}]  # {summary(kind)}; needs {', '.join(required)}"
        return
    for line in table_of(build_stage(kind.name, settings)):
        yield line if line.startswith("#") else f"# {line}"


def comments(kind: type[BaseModel]) -> dict[str, str]:
    """What the source says of each field, in the comment behind it."""
    return {name: comment for name, comment in FIELD.findall(inspect.getsource(kind)) if comment}


def summary(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0].rstrip(".")


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
    return json.dumps("nano" if item == str(HELDOUT) else item, ensure_ascii=False)
