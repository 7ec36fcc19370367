"""Stages and engines from the settings of a run."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from pipeline import recipes
from pipeline.engines.base import Engine
from pipeline.errors import SproutError, explain, unknown
from pipeline.resources import NANO
from pipeline.settings.read import RunSettings
from pipeline.settings.words import Word, word, words
from pipeline.stage import Product, Stage

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
    "dtype": {"description": "float64, float32, bfloat16 or float16; unset: that of the file, no half ones on a CPU"},
    "device": {"description": "such as cuda:1; unset: the first GPU, or the CPU"},
    "trust_remote_code": {"description": "run the code that a model brings with it"},
}


def build_stages(settings: RunSettings) -> list[Stage | Product]:
    """All stages of the run: those of its list; without one, those of Self-Instruct that its tables ask for.

    Raises:
        SproutError: for a stage that there is none of, for settings it does not take, and for one that stands twice.
    """
    return resolved([_build(one, settings) for one in listed(settings)])


def build_stage(name: str, settings: RunSettings) -> Stage | Product:
    """One stage of the run by its name; one that is not in its list knows of those that are."""
    stages = build_stages(settings)
    if found := next((stage for stage in stages if stage.name == name), None):
        return found
    return resolved([*stages, _build(word(name), settings)])[-1]


def listed(settings: RunSettings) -> list[Word]:
    """The words of the run's list of stages."""
    if settings.stages is not None:
        return words(settings.stages)
    return [one for one in words(recipes.SELF_INSTRUCT) if one.kind.takes_part(settings.tables)]


def resolved(stages: list[Stage | Product]) -> list[Stage | Product]:
    """The stages, each with what it needs to know of the others."""
    return [stage.resolve(stages) for stage in stages]


def _build(one: Word, settings: RunSettings) -> Stage | Product:
    fields = dict(settings.tables.get(one.name, {}))
    if "label" in fields:
        raise SproutError(f"[{one.name}] label: it stands in the list of stages, such as {one.kind.kind}-again")
    if "engine" in fields and not one.kind.asks:
        raise SproutError(f"[{one.name}] engine: this stage asks no model; delete the line")
    for key, field in one.kind.model_fields.items():
        if isinstance(field.default, BaseModel) and isinstance(fields.get(key), dict):
            fields[key] = field.default.model_dump() | fields[key]  # such as sampling: one key keeps the others
    try:
        return one.kind(**fields | {"label": one.label})
    except ValidationError as error:
        raise SproutError(f"[{one.name}] {explain(error, one.kind, 'setting')}") from None


def open_engines(settings: RunSettings) -> dict[str, Engine]:
    """The further engines of the run, by name."""
    return {name: _open(table, f"[engines.{name}]") for name, table in settings.engines.items()}


def open_engine(settings: RunSettings, model: str | None = None) -> Engine:
    """The engine the settings name, on its model or on another; it loads the model at its first request."""
    return _open(settings.engine | ({"model": model} if model else {}), "[engine]")


def _open(table: dict[str, Any], where: str) -> Engine:
    kind, options = engine_options(table, where)
    if not options["model"]:
        raise SproutError(f"{where} model: no model is named; give a folder, a name on the hub, or nano, with --model")
    if options["model"] == "nano":
        options["model"] = str(NANO)
    engine: Engine = kind(**options)
    return engine


def engine_options(table: dict[str, Any], where: str = "[engine]") -> tuple[Callable[..., Engine], dict[str, Any]]:
    """The class of the engine that a table names, and all its options, in the types its constructor declares."""
    given = {"name": "vllm", "model": ""} | table
    if (name := given.pop("name")) not in [*ENGINES]:
        raise SproutError(f"{where} name: {unknown('engine', name, ENGINES)}")
    kind = engine_class(name)
    model = options_of(kind)
    try:
        return kind, dict(model(**given))
    except ValidationError as error:
        raise SproutError(f"{where} {explain(error, model, 'setting')}") from None


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
