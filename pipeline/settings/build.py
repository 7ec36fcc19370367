"""Stages and engines from the settings of a run."""

import difflib
import logging
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pipeline import recipes
from pipeline.engines.base import Engine
from pipeline.engines.find import engine_class
from pipeline.errors import SproutError, explain, unknown
from pipeline.resources import located
from pipeline.runs.shards import Shard, in_shard, stages_of
from pipeline.settings.entries import StageEntry, parse_entries, parse_entry
from pipeline.settings.places import hint
from pipeline.settings.read import RunSettings
from pipeline.stage import Product, Stage

logger = logging.getLogger(__name__)

LOADERS = ("vllm", "transformers")  # engines that load a folder, by the package each needs; without a GPU the last
GPU = (Path("/dev/nvidiactl"), Path("/dev/kfd"))  # one of these is there where a GPU is


def build_stages(settings: RunSettings, alone: str = "") -> list[Stage | Product]:
    """All stages of the run: those in its list or, without a list, those of Self-Instruct that its tables ask for.

    Args:
        alone: A stage that need not be among them, and may have a table all the same.

    Raises:
        SproutError: for an unknown stage, for settings it does not have, and for a table whose stage is not in the
            list; for a shard that holds no part of the tasks.
    """
    stages = _all(settings, alone)
    return stages_of(Shard.parse(settings.shard), stages) if settings.shard else stages


def build_stage(name: str, settings: RunSettings) -> Stage | Product:
    """One stage of the run by its name; one outside the list is resolved against the stages in it."""
    stages = _all(settings, name)
    found = next((stage for stage in stages if stage.name == name), None)
    found = found or resolved([*stages, _build(parse_entry(name), settings)])[-1]
    return in_shard(Shard.parse(settings.shard), found) if settings.shard else found


def _all(settings: RunSettings, alone: str) -> list[Stage | Product]:
    there = listed(settings)
    ignored = settings.tables.keys() - {one.name for one in there} - {alone}
    if ignored:
        name = min(ignored)
        raise SproutError(f"[{name}]: this run has no stage {name}; add it to stages = […], or delete the table")
    return resolved([_build(one, settings) for one in there])


def listed(settings: RunSettings) -> list[StageEntry]:
    """The entries of the run's list of stages."""
    if settings.stages is not None:
        return parse_entries(settings.stages)
    return [one for one in parse_entries(recipes.SELF_INSTRUCT) if one.kind.takes_part(settings.tables)]


def resolved(stages: list[Stage | Product]) -> list[Stage | Product]:
    """The stages, each resolved against the others."""
    return [stage.resolve(stages) for stage in stages]


def _build(entry: StageEntry, settings: RunSettings) -> Stage | Product:
    fields = dict(settings.tables.get(entry.name, {}))
    if "label" in fields:
        raise SproutError(f"[{entry.name}] label: write it in the list of stages, as in {entry.kind.kind}-again")
    if "engine" in fields and not entry.kind.asks:
        raise SproutError(f"[{entry.name}] engine: this stage asks no model; delete the line")
    for key, field in entry.kind.model_fields.items():
        if isinstance(field.default, BaseModel) and isinstance(fields.get(key), dict):
            fields[key] = field.default.model_dump() | fields[key]  # of sampling: left-out keys keep their defaults
    templates = {name: Path(file) for name, file in settings.prompts.items() if name in entry.kind.templates}
    shared = {"domain": settings.domain, "template_files": templates}
    for key, place in {"domain": "above all tables", "template_files": "into [prompts]"}.items():
        if not entry.kind.model_fields[key].exclude:
            del shared[key]  # a stage of the user's own has a field of that name
        elif key in fields:
            raise SproutError(f"[{entry.name}] {key}: it goes {place}, for all stages")
    try:
        return entry.kind(**fields | shared | {"label": entry.label})
    except ValidationError as error:
        raise SproutError(f"[{entry.name}] {_explained(error, entry, settings)}") from None


def _explained(error: ValidationError, entry: StageEntry, settings: RunSettings) -> str:
    """What is wrong with the table of a stage; of a key that is somewhere else, where that is."""
    strange = next((problem["loc"] for problem in error.errors() if problem["type"] == "extra_forbidden"), ())
    if len(strange) == 1:
        key = str(strange[0])
        inside = [f"{entry.name}.{place}" for place in entry.kind.deeper(key, settings.tables.get(entry.name, {}))]
        meant = f"did you mean {' or '.join(inside)}?" if inside else hint(key, entry.kind, listed(settings))
        if meant:
            return f"there is no setting {key!r}; {meant}"
    return explain(error, entry.kind, "setting")


def open_engines(settings: RunSettings) -> dict[str, Engine]:
    """The further engines of the run, by name."""
    return {name: _open(table, f"[engines.{name}]") for name, table in settings.engines.items()}


def open_engine(settings: RunSettings, model: str | None = None) -> Engine:
    """The engine in the settings, with its model or another one, which is loaded at the first request.

    Another model that is a folder here is loaded in this process, by vLLM or transformers, if the engine is a server.

    Raises:
        SproutError: for such a folder where neither is installed.
    """
    if model is None:
        return _open(settings.engine, "[engine]")
    kind, options = engine_options(settings.engine)
    if kind.loads_folders or not Path(located(model)).is_dir():
        return _open(settings.engine | {"model": model}, "[engine]")
    loaders = LOADERS if any(map(Path.exists, GPU)) else LOADERS[::-1]
    if not (here := next((name for name in loaders if find_spec(name)), None)):
        raise SproutError(
            f"{model}: is a folder here, which a server does not load, and neither "
            f"{' nor '.join(LOADERS)} is installed; install one, or serve the folder and name it NAME@URL"
        )
    logger.info("%s: is a folder here, so %s loads it in this process; the server is not asked", model, here)
    shared = {key: options[key] for key in ("chat_template_kwargs",) if options.get(key)}
    return _open({"name": here, "model": model} | shared, "[engine]")


def _open(table: dict[str, Any], where: str) -> Engine:
    kind, options = engine_options(table, where)
    if options.get("model") == "":
        raise SproutError(
            f"{where} model: no model is named; give settings that name one, or --model with a folder, a name on "
            "the hub, or nano"
        )
    if "model" in options:
        options["model"] = located(options["model"])
    build: Callable[..., Engine] = kind
    return build(**options)


def engine_options(table: dict[str, Any], where: str = "[engine]") -> tuple[type[Engine], dict[str, Any]]:
    """The class of the engine that a table names, and all its options, validated.

    Raises:
        SproutError: for an unknown engine or setting, a value that does not fit, and a URL in place of a model.
    """
    given = {"name": "vllm"} | table
    try:
        kind = engine_class(str(given.pop("name")))
    except SproutError as error:
        raise SproutError(f"{where} name: {error}") from None
    fields, lax = kind.options.model_fields, kind.options.model_config.get("extra") == "allow"
    if "url" in given and "url" not in fields:
        raise SproutError(
            f"{where} url: the engine {table.get('name', 'vllm')} asks no server; add --engine server, which is "
            f'{where} name = "server" in a file'
        )
    if strange := [key for key in given if key not in fields and not (lax and not hint(key))]:
        meant = hint(strange[0]) if not difflib.get_close_matches(strange[0], fields, 1, cutoff=0.75) else ""
        problem = f"there is no setting {strange[0]!r}; {meant}" if meant else unknown("setting", strange[0], fields)
        raise SproutError(f"{where} {problem}")
    if re.match(r"https?://", str(given.get("model", ""))):
        raise SproutError(
            f"{where} model: {given['model']} is the url of a server; add --engine server --set "
            f"{where.strip('[]')}.url={given['model']}, and give the name that the server has for its model"
        )
    model = fields.get("model")
    unnamed = {"model": ""} if model and model.is_required() else {}
    try:
        return kind, dict(kind.options(**unnamed | given))
    except ValidationError as error:
        raise SproutError(f"{where} {explain(error, kind.options, 'setting')}") from None
