"""Settings of a run: a TOML file with a table for the engine and for each stage, and changes from the command line."""

import codecs
import importlib
import inspect
import reprlib
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from pipeline.engines.base import Engine
from pipeline.errors import SproutError, explain, not_utf8, unknown
from pipeline.resources import NANO, PACKAGE
from pipeline.runs.budget import Prices
from pipeline.stage import Product, Stage
from pipeline.stages import STAGES
from pipeline.stages.decontaminate import implied

ENGINES = {"vllm": "VLLM", "server": "Server", "transformers": "Transformers"}  # module: class
OPTIONS: dict[str, dict[str, Any]] = {  # of the engines: what they mean, and their limits
    "model": {"description": "a folder, a name on the hub, a name on the server, or nano"},
    "chat": {"description": "prompts are messages (true) or plain text (false); unset: as the chat template says"},
    "chat_template_kwargs": {"description": "for the chat template, such as { enable_thinking = false }"},
    "url": {"description": "of the server's OpenAI API; ends in /v1 with most servers"},
    "window": {"ge": 1, "description": "the most requests in flight"},
    "timeout": {"gt": 0, "description": "seconds for one completion"},
    "patience": {"ge": 0, "description": "seconds to wait for a server that is gone"},
    "pause": {"gt": 0, "description": "seconds before the second try; longer before each further one"},
    "omit": {"description": "parameters that are never sent, of temperature, top_p, presence_penalty, stop and seed"},
    "max_thought_tokens": {
        "ge": 0,
        "description": "tokens that a model which thinks first may use for that, besides max_tokens",
    },
    "dtype": {"description": "float64, float32, bfloat16 or float16; unset: that of the file, no half ones on a CPU"},
    "device": {"description": "such as cuda:1; unset: the first GPU, or the CPU"},
    "trust_remote_code": {"description": "run the code that a model brings with it"},
}
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
    if not options["model"]:
        raise SproutError("[engine] model: no model is named; give a folder, a name on the hub, or nano, with --model")
    if options["model"] == "nano":
        options["model"] = str(NANO)
    engine: Engine = kind(**options)
    return engine


def engine_options(settings: RunSettings) -> tuple[Callable[..., Engine], dict[str, Any]]:
    """The class of the engine the settings name, and all its options, in the types its constructor declares."""
    given = {"name": "vllm", "model": ""} | settings.engine
    if (name := given.pop("name")) not in [*ENGINES]:
        raise SproutError(f"[engine] name: {unknown('engine', name, ENGINES)}")
    kind = engine_class(name)
    model = options_of(kind)
    try:
        return kind, dict(model(**given))
    except ValidationError as error:
        raise SproutError(f"[engine] {explain(error, model, 'setting')}") from None


def engine_class(name: str) -> Callable[..., Engine]:
    kind: Callable[..., Engine] = getattr(importlib.import_module(f"pipeline.engines.{name}"), ENGINES[name])
    return kind


def options_of(kind: Callable[..., Engine], **more: Any) -> type[BaseModel]:
    """The options of an engine as a model, and `more` fields; one that hands options on takes any."""
    known = inspect.signature(kind, eval_str=True).parameters.values()
    fields: dict[str, Any] = {
        one.name: (one.annotation, Field(... if one.default is one.empty else one.default, **OPTIONS.get(one.name, {})))
        for one in known if one.kind is not one.VAR_KEYWORD
    }  # fmt: skip
    config = ConfigDict(extra="allow" if len(fields) < len(known) else "forbid")
    return create_model("Options", __config__=config, **more, **fields)
