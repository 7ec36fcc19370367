"""Stages and engines from the settings of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline import recipes
from pipeline.engines.base import Engine
from pipeline.engines.find import engine_class
from pipeline.errors import SproutError, explain, unknown
from pipeline.resources import NANO
from pipeline.settings.read import RunSettings
from pipeline.settings.words import Word, word, words
from pipeline.stage import Product, Stage


def build_stages(settings: RunSettings, alone: str = "") -> list[Stage | Product]:
    """All stages of the run: those in its list or, without a list, those of Self-Instruct that its tables ask for.

    Args:
        alone: A stage that need not be among them, and may have a table all the same.

    Raises:
        SproutError: for an unknown stage, for settings it does not have, and for a table whose stage is not in the
            list.
    """
    return _all(settings, alone)


def build_stage(name: str, settings: RunSettings) -> Stage | Product:
    """One stage of the run by its name; one outside the list is resolved against the stages in it."""
    stages = _all(settings, name)
    if found := next((stage for stage in stages if stage.name == name), None):
        return found
    return resolved([*stages, _build(word(name), settings)])[-1]


def _all(settings: RunSettings, alone: str) -> list[Stage | Product]:
    there = listed(settings)
    ignored = settings.tables.keys() - {one.name for one in there} - {alone}
    if ignored:
        name = min(ignored)
        raise SproutError(f"[{name}]: this run has no stage {name}; add it to stages = […], or delete the table")
    return resolved([_build(one, settings) for one in there])


def listed(settings: RunSettings) -> list[Word]:
    """The entries of the run's list of stages."""
    if settings.stages is not None:
        return words(settings.stages)
    return [one for one in words(recipes.SELF_INSTRUCT) if one.kind.takes_part(settings.tables)]


def resolved(stages: list[Stage | Product]) -> list[Stage | Product]:
    """The stages, each resolved against the others."""
    return [stage.resolve(stages) for stage in stages]


def _build(one: Word, settings: RunSettings) -> Stage | Product:
    fields = dict(settings.tables.get(one.name, {}))
    if "label" in fields:
        raise SproutError(f"[{one.name}] label: it stands in the list of stages, such as {one.kind.kind}-again")
    if "engine" in fields and not one.kind.asks:
        raise SproutError(f"[{one.name}] engine: this stage asks no model; delete the line")
    for key, field in one.kind.model_fields.items():
        if isinstance(field.default, BaseModel) and isinstance(fields.get(key), dict):
            fields[key] = field.default.model_dump() | fields[key]  # of sampling: left-out keys keep their defaults
    templates = {name: Path(file) for name, file in settings.prompts.items() if name in one.kind.templates}
    shared = {"domain": settings.domain, "template_files": templates}
    for key, place in {"domain": "above all tables", "template_files": "in [prompts]"}.items():
        if not one.kind.model_fields[key].exclude:
            del shared[key]  # a stage of the user's own has a field of that name
        elif key in fields:
            raise SproutError(f"[{one.name}] {key}: it stands {place}, for all stages")
    try:
        return one.kind(**fields | shared | {"label": one.label})
    except ValidationError as error:
        raise SproutError(f"[{one.name}] {explain(error, one.kind, 'setting')}") from None


def open_engines(settings: RunSettings) -> dict[str, Engine]:
    """The further engines of the run, by name."""
    return {name: _open(table, f"[engines.{name}]") for name, table in settings.engines.items()}


def open_engine(settings: RunSettings, model: str | None = None) -> Engine:
    """The engine in the settings, with its model or another one, which is loaded at the first request."""
    return _open(settings.engine | ({"model": model} if model else {}), "[engine]")


def _open(table: dict[str, Any], where: str) -> Engine:
    kind, options = engine_options(table, where)
    if options.get("model") == "":
        raise SproutError(f"{where} model: no model is named; give a folder, a name on the hub, or nano, with --model")
    if options.get("model") == "nano":
        options["model"] = str(NANO)
    build: Callable[..., Engine] = kind
    return build(**options)


def engine_options(table: dict[str, Any], where: str = "[engine]") -> tuple[type[Engine], dict[str, Any]]:
    """The class of the engine that a table names, and all its options, validated."""
    given = {"name": "vllm"} | table
    try:
        kind = engine_class(str(given.pop("name")))
    except SproutError as error:
        raise SproutError(f"{where} name: {error}") from None
    fields, lax = kind.options.model_fields, kind.options.model_config.get("extra") == "allow"
    if strange := [key for key in given if key not in fields and not lax]:
        raise SproutError(f"{where} {unknown('setting', strange[0], fields)}")
    model = fields.get("model")
    unnamed = {"model": ""} if model and model.is_required() else {}
    try:
        return kind, dict(kind.options(**unnamed | given))
    except ValidationError as error:
        raise SproutError(f"{where} {explain(error, kind.options, 'setting')}") from None
