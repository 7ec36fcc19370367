"""The settings of a run as a file to change and run: every key with its value and its meaning."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.engines.find import engine_names, is_in
from pipeline.settings.build import build_stages, engine_options, listed
from pipeline.settings.read import RunSettings
from pipeline.stage import Configured
from pipeline.stages import Kind, find, names
from pipeline.toml import value

SCHEMA = Path("sprout.schema.json")
HINT = f"""\
# An editor completes and checks this file by its schema: `sprout settings --schema > {SCHEMA}`
# beside it, and `#:schema ./{SCHEMA}` as its first line."""


def as_toml(settings: RunSettings) -> str:
    """TOML that `read` reads back to the same run; unused tables and keys without a value are comments."""
    lines = [f"#:schema ./{SCHEMA}" if SCHEMA.is_file() else HINT, ""]
    single: dict[str, Any] = {"seeds": settings.seeds, "domain": settings.domain, "out": settings.out}
    single |= {"shard": settings.shard} if settings.shard else {}
    single |= {"modules": str(Path(settings.modules).resolve())} if _has_modules(settings) else {}
    single |= {"stages": [entry.written for entry in listed(settings)]}
    for key, item in single.items():
        lines.append(line(key, item, RunSettings.model_fields[key].description))
    lines += ["", *engine_table("engine", settings.engine)]
    for name, given in settings.engines.items():
        lines += ["", *engine_table(f"engines.{name}", given)]
    meaning = RunSettings.model_fields["prompts"].description
    lines += ["", f"[prompts]  # {meaning}"] if settings.prompts else []
    lines += [line(name, str(Path(file).resolve()), None) for name, file in settings.prompts.items()]
    lines += ["", *table("prices", settings.prices)]
    stages = build_stages(settings.model_copy(update={"shard": ""}))  # with the random seeds of all shards
    for stage in stages:
        lines += ["", *table(stage.name, stage)]
    for kind in names():
        if kind not in {stage.kind for stage in stages}:
            lines += ["", *absent(find(kind))]
    return "\n".join(lines) + "\n"


def _has_modules(settings: RunSettings) -> bool:
    """Whether modules of the user's own lie in the folder of the settings, which the file then has to name."""
    given = [settings.stages or (), settings.engine, settings.engines, settings.tables]
    places = (text.rpartition("=")[2] for text in _texts(given))
    return bool(settings.modules) and any(is_in(place, Path(settings.modules)) for place in places)


def _texts(item: Any) -> Iterator[str]:
    if isinstance(item, str):
        yield item
    elif isinstance(item, dict | list | tuple):
        for inner in item.values() if isinstance(item, dict) else item:
            yield from _texts(inner)


def engine_table(name: str, given: dict[str, Any]) -> Iterator[str]:
    """The table of an engine, with unset keys as comments: another engine may not have them."""
    kind, options = engine_options(given, f"[{name}]")
    yield f"[{name}]  # {summary(kind)}"
    yield f"name = {value(given.get('name', 'vllm'))}  # {', '.join(engine_names())}"
    fields = kind.options.model_fields
    for key, item in options.items():
        meaning = fields[key].description if key in fields else "handed on as it is"
        written = line(key, item, meaning)
        yield written if key in given or key == "model" else f"# {written.removeprefix('# ')}"


def table(name: str, of: BaseModel) -> Iterator[str]:
    """The fields of a stage, one per line, then its nested tables."""
    yield f"[{name}]  # {summary(type(of))}"
    fields = shown_fields(type(of))
    inner = {key: item for key in fields if isinstance(item := getattr(of, key), BaseModel)}
    for key, field in fields.items():
        if key not in inner:
            yield line(key, getattr(of, key), field.description)
    for key, item in inner.items():
        yield from table(f"{name}.{key}", item)


def shown_fields(kind: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields that a settings file can set."""
    hidden = {"label", "domain", "template_files"}  # they stand in the list of stages, above all tables, in [prompts]
    if issubclass(kind, Configured) and not kind.asks:
        hidden.add("engine")
    return {key: field for key, field in kind.model_fields.items() if key not in hidden}


def line(key: str, item: Any, meaning: str | None) -> str:
    behind = f"  # {meaning}" if meaning else ""
    return f"# {key} = {behind or '  # unset'}" if item is None else f"{key} = {value(item)}{behind}"


def absent(kind: Kind) -> Iterator[str]:
    """The table of a stage outside the run, as a comment; required keys have no value."""
    needed = {key: None for key, field in kind.model_fields.items() if field.is_required()}
    for one in table(kind.kind, kind.model_construct(**needed)):
        yield one if one.startswith("#") else f"# {one}"


def summary(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0].rstrip(".")
