"""Settings of a run: a TOML file with a table for the engine and for each stage, and changes from the command line."""

import codecs
import reprlib
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.engines.base import Engine
from pipeline.engines.find import engine_class
from pipeline.errors import SproutError, explain, not_utf8, unknown
from pipeline.resources import NANO, PACKAGE
from pipeline.runs.budget import Prices
from pipeline.stage import Product, Stage
from pipeline.stages import STAGES
from pipeline.stages.decontaminate import implied

NAMES = [stage.name for stage in STAGES]
# Part of a run only if the settings have a table for them.
OPTIONAL = ("verify", "dedup", "decontaminate", "train", "evaluate", "judge")


class RunSettings(BaseModel):
    """What a settings file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: str = Field(default="general", min_length=1)  # a JSONL file of seed tasks, or one that ships: general, nano
    out: str = Field(default="outputs/default", min_length=1)  # the folder of the run
    engine: dict[str, Any] = {"name": "vllm"}  # where completions come from
    prices: Prices = Prices()
    stages: dict[str, dict[str, Any]] = {}


def read(name: str | None, changes: Sequence[str] = ()) -> RunSettings:
    """Read a TOML file, or the one that ships under a name such as `quickstart`, and apply `table.key=value` changes.

    Raises:
        SproutError: for a file that is missing or no TOML, and for a table or key that does not exist.
    """
    tables = _at_home(_read_toml(name) if name else {})
    settings = _settings(tables, str(name))
    for change in changes:
        _apply(tables, change)
        settings = _settings(tables, "--set")
    return settings


def _read_toml(name: str) -> dict[str, Any]:
    shipped = PACKAGE / "recipes" / f"{name}.toml"
    path = shipped if shipped.is_file() else Path(name)
    try:
        return tomllib.loads(path.read_bytes().removeprefix(codecs.BOM_UTF8).decode())
    except OSError as error:
        names = ", ".join(sorted(file.stem for file in (PACKAGE / "recipes").glob("*.toml")))
        raise SproutError(f"{path}: cannot be read ({error.strerror}); give a TOML file or one of: {names}") from None
    except UnicodeDecodeError as error:
        number, problem = not_utf8(error)
        raise SproutError(f"{path}:{number}: {problem}") from None
    except tomllib.TOMLDecodeError as error:
        problem, _, place = str(error).partition(" (at line ")
        line = f":{place.partition(',')[0]}" if place else ""
        raise SproutError(f"{path}{line}: not TOML: {problem[0].lower()}{problem[1:]}") from None


def _at_home(value: Any) -> Any:
    """With the home folder in place of a ~ at the beginning of a path, as shells have it."""
    if isinstance(value, dict):
        return {key: _at_home(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_at_home(one) for one in value]
    return str(Path(value).expanduser()) if isinstance(value, str) and value.startswith("~/") else value


def _settings(tables: dict[str, Any], where: str) -> RunSettings:
    texts = [key for key, field in RunSettings.model_fields.items() if field.annotation is str]
    known = [*texts, "engine", "prices", *NAMES]
    for key, value in tables.items():
        if key not in known:
            raise SproutError(f"{where}: {unknown('table or key', key, known)}")
        if key not in texts and not isinstance(value, dict):
            raise SproutError(f"{where}: {key} is a table, not {reprlib.repr(value)}; give its keys below [{key}]")
    stages = {key: tables[key] for key in NAMES if key in tables}
    try:
        return RunSettings(**{key: tables[key] for key in tables if key not in NAMES}, stages=stages)
    except ValidationError as error:
        raise SproutError(f"{where}: {explain(error, RunSettings, 'setting')}") from None


def _apply(tables: dict[str, Any], change: str) -> None:
    key, equals, value = change.partition("=")
    *parents, field = key.split(".")
    if not equals or not all([*parents, field]) or len(parents) > 2:
        raise SproutError(f"--set {change}: not of the form stage.key=value, such as instructions.num_tasks=500")
    table: Any = tables
    for step in parents:
        table = table.setdefault(step, {})
        if not isinstance(table, dict):
            raise SproutError(f"--set {key}: {step} is {reprlib.repr(table)}, so it holds no {field}")
    table[field] = _at_home(_value(value))


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def build_stages(settings: RunSettings) -> list[Stage | Product]:
    """All stages of the run; the optional ones only if the settings name them, `decontaminate` also with `evaluate`."""
    named = {*settings.stages, *(["decontaminate"] if implied(settings.stages) else [])}
    return [build_stage(s.name, settings) for s in STAGES if s.name not in OPTIONAL or s.name in named]


def build_stage(name: str, settings: RunSettings) -> Stage | Product:
    fields = (implied(settings.stages) if name == "decontaminate" else {}) | settings.stages.get(name, {})
    stage = STAGES[NAMES.index(name)]
    for key, field in stage.model_fields.items():
        if isinstance(field.default, BaseModel) and isinstance(fields.get(key), dict):
            fields[key] = field.default.model_dump() | fields[key]  # such as sampling: one key keeps the others
    try:
        return stage(**fields)
    except ValidationError as error:
        raise SproutError(f"[{name}] {explain(error, stage, 'setting')}") from None


def open_engine(settings: RunSettings, model: str | None = None) -> Engine:
    """The engine the settings name, on its model or on another; it loads the model at its first request."""
    kind, options = engine_options(settings)
    if model:
        options["model"] = model
    if options.get("model") == "":
        raise SproutError("[engine] model: no model is named; give a folder, a name on the hub, or nano, with --model")
    if options.get("model") == "nano":
        options["model"] = str(NANO)
    build: Callable[..., Engine] = kind
    return build(**options)


def engine_options(settings: RunSettings) -> tuple[type[Engine], dict[str, Any]]:
    """The class of the engine the settings name, and all its options, in the types it declares."""
    given = {"name": "vllm"} | settings.engine
    try:
        kind = engine_class(str(given.pop("name")))
    except SproutError as error:
        raise SproutError(f"[engine] name: {error}") from None
    fields, lax = kind.options.model_fields, kind.options.model_config.get("extra") == "allow"
    if strange := [key for key in given if key not in fields and not lax]:
        raise SproutError(f"[engine] {unknown('setting', strange[0], fields)}")
    model = fields.get("model")
    unnamed = {"model": ""} if model and model.is_required() else {}
    try:
        return kind, dict(kind.options(**unnamed | given))
    except ValidationError as error:
        raise SproutError(f"[engine] {explain(error, kind.options, 'setting')}") from None
