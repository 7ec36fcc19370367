"""Settings of a run: a TOML file with a table for the engine and for each stage, and changes from the command line."""

import importlib
import inspect
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.budget import Prices
from pipeline.engines import Engine
from pipeline.errors import SproutError
from pipeline.resources import HELDOUT, NANO, PACKAGE
from pipeline.stage import Product, Stage
from pipeline.stages import STAGES

ENGINES = {"vllm": "VLLM", "server": "Server", "transformers": "Transformers"}  # module: class
NAMES = [stage.name for stage in STAGES]
OPTIONAL = ("dedup", "train", "evaluate")  # part of a run only if the settings have a table for them


class RunSettings(BaseModel):
    """What a settings file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: str = "general"
    out: str = "outputs/default"
    engine: dict[str, Any] = {"name": "vllm"}
    prices: Prices = Prices()
    stages: dict[str, dict[str, Any]] = {}


def read(name: str | None, changes: Sequence[str] = ()) -> RunSettings:
    """Read a TOML file, or the one that ships under a name such as `quickstart`, and apply `table.key=value` changes.

    Raises:
        SproutError: for a file that is missing or no TOML, and for a table or key that does not exist.
    """
    tables = _read_toml(name) if name else {}
    for change in changes:
        key, equals, value = change.partition("=")
        *table, field = key.split(".")
        if not equals or len(table) > 2:
            raise SproutError(f"--set {change}: not of the form stage.key=value, such as instructions.num_tasks=500")
        place = tables
        for step in table:
            place = place.setdefault(step, {})
        place[field] = _value(value)
    stages = {key: tables.pop(key) for key in NAMES if key in tables}
    if unknown := sorted(tables.keys() - {"seeds", "out", "engine", "prices"}):
        raise SproutError(
            f"{name or '--set'}: unknown {', '.join(unknown)}; there are seeds, out, engine, prices, {', '.join(NAMES)}"
        )
    try:
        return RunSettings(**tables, stages=stages)
    except ValidationError as error:
        raise SproutError(f"{name or '--set'}: {explain(error)}") from None


def _read_toml(name: str) -> dict[str, Any]:
    shipped = PACKAGE / "presets" / f"{name}.toml"
    path = shipped if shipped.is_file() else Path(name)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        names = ", ".join(sorted(file.stem for file in shipped.parent.glob("*.toml")))
        raise SproutError(f"{path}: cannot be read ({error.strerror}); give a TOML file or one of: {names}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SproutError(f"{path}: not TOML: {error}") from None


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def build_stages(settings: RunSettings) -> list[Stage | Product]:
    """All stages of the run; `dedup`, `train` and `evaluate` only if the settings name them."""
    return [build_stage(s.name, settings) for s in STAGES if s.name not in OPTIONAL or s.name in settings.stages]


def build_stage(name: str, settings: RunSettings) -> Stage | Product:
    fields = dict(settings.stages.get(name, {}))
    if fields.get("heldout") == "nano":
        fields["heldout"] = str(HELDOUT)
    stage = STAGES[NAMES.index(name)]
    try:
        return stage(**fields)
    except ValidationError as error:
        raise SproutError(f"[{name}] {explain(error)}; it may have {', '.join(stage.model_fields)}") from None


def explain(error: ValidationError) -> str:
    """The first problem of several, in one clause."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    return f"{field + ': ' if field else ''}{first['msg'][0].lower()}{first['msg'][1:]}"


def open_engine(settings: RunSettings, model: str | None = None) -> Engine:
    """The engine the settings name, on its model or on another; it loads the model at its first request."""
    options = dict(settings.engine)
    name = options.pop("name", "vllm")
    model = model or options.get("model")
    options.pop("model", None)
    if name not in ENGINES:
        raise SproutError(f"[engine] name: there is no engine {name!r}; there are {', '.join(ENGINES)}")
    if not model:
        raise SproutError("[engine] model: no model is named; give a folder, a name on the hub, or nano, with --model")
    kind = getattr(importlib.import_module(f"pipeline.engines.{name}"), ENGINES[name])
    known = inspect.signature(kind).parameters
    free = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
    if not free and (unknown := sorted(options.keys() - known.keys())):
        raise SproutError(f"[engine] {unknown[0]}: not an option of {name}; it has {', '.join(known)}")
    engine: Engine = kind(str(NANO) if model == "nano" else model, **options)
    return engine
