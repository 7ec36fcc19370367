"""Settings of a run: a TOML file with a table for each engine and each stage, and changes from the command line."""

import codecs
import reprlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline import recipes
from pipeline.errors import SproutError, explain, not_utf8, unknown
from pipeline.runs.budget import Prices
from pipeline.settings.words import Word, words
from pipeline.stages import names

Table = dict[str, Any]


class RunSettings(BaseModel):
    """What a settings file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: str = Field(
        default="general",
        min_length=1,
        description="a file or data set of seed tasks, or one that ships: general, nano; none: no seeds",
    )
    out: str = Field(default="outputs/default", min_length=1, description="the folder of the run")
    stages: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="the pipeline, in order: kind, kind-label, or module:Class of your own; unset: Self-Instruct",
    )
    engine: Table = Field(default={"name": "vllm"}, description="where completions come from")
    engines: dict[str, Table] = Field(default={}, description="further engines, for stages that name one")
    prices: Prices = Field(default=Prices(), description="what tokens cost")
    tables: dict[str, Table] = Field(default={}, description="the settings of each stage, by its name")


SINGLE = ("seeds", "out", "stages")  # keys above all tables
SHARED = ("engine", "engines", "prices")  # tables that belong to no stage


def read(name: str | None, changes: Sequence[str] = ()) -> RunSettings:
    """Read a TOML file, or the recipe of that name, and apply `table.key=value` changes.

    Raises:
        SproutError: for a missing file, for one that is not TOML, and for an unknown table or key.
    """
    tables = _at_home(_read_toml(name) if name else {})
    settings = _settings(tables, str(name))
    for change in changes:
        _apply(tables, change)
        settings = _settings(tables, "--set")
    return settings


def _read_toml(name: str) -> Table:
    shipped = recipes.FOLDER / f"{name}.toml"
    path = shipped if shipped.is_file() else Path(name)
    try:
        return tomllib.loads(path.read_bytes().removeprefix(codecs.BOM_UTF8).decode())
    except OSError as error:
        known = ", ".join(recipes.names())
        raise SproutError(f"{path}: cannot be read ({error.strerror}); give a TOML file or a recipe: {known}") from None
    except UnicodeDecodeError as error:
        number, problem = not_utf8(error)
        raise SproutError(f"{path}:{number}: {problem}") from None
    except tomllib.TOMLDecodeError as error:
        problem, _, place = str(error).partition(" (at line ")
        line = f":{place.partition(',')[0]}" if place else ""
        raise SproutError(f"{path}{line}: not TOML: {problem[0].lower()}{problem[1:]}") from None


def _at_home(value: Any) -> Any:
    """Replace a ~ at the beginning of paths by the home folder, as shells do."""
    if isinstance(value, dict):
        return {key: _at_home(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_at_home(one) for one in value]
    return str(Path(value).expanduser()) if isinstance(value, str) and value.startswith("~/") else value


def _settings(tables: Table, where: str) -> RunSettings:
    if isinstance(tables.get("stages"), dict):
        raise SproutError(f"{where}: stages is a list of names; give the settings of a stage below [its name]")
    for key, value in tables.items():
        if key not in SINGLE and not isinstance(value, dict):
            _check_known(tables, key, where)
            raise SproutError(f"{where}: {key} is a table, not {reprlib.repr(value)}; give its keys below [{key}]")
    top = {key: value for key, value in tables.items() if key in (*SINGLE, *SHARED)}
    try:
        settings = RunSettings(**top, tables={key: tables[key] for key in tables if key not in top})
    except ValidationError as error:
        raise SproutError(f"{where}: {explain(error, RunSettings, 'setting')}") from None
    for name, table in settings.engines.items():
        if not isinstance(table, dict):
            raise SproutError(f"{where}: [engines.{name}] is a table, not {reprlib.repr(table)}")
    for key in settings.tables:
        _check_known(tables, key, where)
    return settings


def _check_known(tables: Table, key: str, where: str) -> None:
    """Refuse a table of no stage; one of a kind that is not in the list may be for the command of that stage."""
    listed: list[Word] = words(tables["stages"]) if isinstance(tables.get("stages"), list) else []
    known = [*SINGLE, *SHARED, *dict.fromkeys([*(word.name for word in listed), *names()])]
    if key not in known:
        problem = unknown("table or key", key, known)
        if "-" in key and key.partition("-")[0] in (*names(), *(word.kind.kind for word in listed)):
            problem = f"[{key}] belongs to no stage; list it in stages = […], or delete the table"
        raise SproutError(f"{where}: {problem}")


def _apply(tables: Table, change: str) -> None:
    key, equals, value = change.partition("=")
    *parents, field = key.split(".")
    if not equals or not all([*parents, field]) or len(parents) > 3:
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
