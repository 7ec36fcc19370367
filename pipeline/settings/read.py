"""Settings of a run: a TOML file with a table for each engine and each stage, and changes from the command line."""

import codecs
import difflib
import reprlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline import recipes
from pipeline.engines.find import look_in
from pipeline.errors import SproutError, explain, not_utf8, unknown
from pipeline.runs.budget import Prices
from pipeline.settings.entries import StageEntry, parse_entries
from pipeline.settings.places import SINGLE, TEXTS, hint
from pipeline.settings.prompts import beside, line_of, own_templates
from pipeline.stages import names

Table = dict[str, Any]


class RunSettings(BaseModel):
    """What a settings file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: str = Field(
        default="general",
        min_length=1,
        description="a file or data set of seed tasks, or one that ships: general, nano, code; none: no seeds",
    )
    domain: str = Field(
        default="", description='what all tasks are about, such as "support for a bicycle shop"; the prompts say so'
    )
    out: str = Field(default="outputs/default", min_length=1, description="the folder of the run")
    shard: str = Field(
        default="", description="which shard of the run this is, such as 3/16; written by `sprout run … --shard 3/16`"
    )
    stages: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="the pipeline, in order: kind, kind-label, or module:Class of your own; unset: Self-Instruct",
    )
    modules: str = Field(default="", description="the folder of modules of your own; unset: that of this file")
    engine: Table = Field(default={"name": "vllm"}, description="where completions come from")
    engines: dict[str, Table] = Field(default={}, description="further engines, for stages that name one")
    prompts: dict[str, str] = Field(
        default={}, description="templates of your own, by the name of the one they replace"
    )
    prices: Prices = Field(default=Prices(), description="what tokens cost")
    tables: dict[str, Table] = Field(default={}, description="the settings of each stage, by its name")


OF_RUN = "run.toml"  # in the folder of a run: its settings, so that other commands take the folder in their place
ROWS = {".csv", ".tsv", ".json", ".jsonl", ".parquet"}
SHARED = ("engine", "engines", "prompts", "prices")  # tables that belong to no stage


def read(name: str | None, changes: Sequence[str] = ()) -> RunSettings:
    """Read a TOML file, a recipe by its name, or the settings of the run in a folder; apply `table.key=value` changes.

    Raises:
        SproutError: for a missing file, for one that is not TOML, and for an unknown table or key.
    """
    path = _path_of(name) if name else Path()
    text, tables = _read_toml(path) if name else ("", {})
    tables = _at_home(tables) | ({"out": name} if name and path != Path(name) and path.name == OF_RUN else {})
    if name and path.parent != recipes.FOLDER and isinstance(folder := tables.get("modules", ""), str):
        tables["modules"] = str(path.parent / folder)
    settings = _settings(tables, str(name))
    tables |= {"prompts": beside(path, settings.prompts)} if settings.prompts else {}
    places = {template: f"{path}:{line_of(text, template)}" for template in settings.prompts}
    for change in changes:
        _apply(tables, change)
        settings = _settings(tables, "--set")
        places |= {template: "--set" for template in settings.prompts if change.startswith(f"prompts.{template}=")}
    return settings.model_copy(update={"prompts": own_templates(tables.get("prompts", {}), places, settings.stages)})


def look_as(folder: Path) -> None:
    """Look for modules of the user's own where the run in a folder had them."""
    try:
        modules = tomllib.loads((folder / OF_RUN).read_text("utf-8")).get("modules")
    except (OSError, ValueError):
        return
    if isinstance(modules, str):
        look_in(folder / modules)


def _path_of(name: str) -> Path:
    shipped = recipes.FOLDER / f"{name}.toml"
    if shipped.is_file():
        return shipped
    if not Path(name).is_dir():
        return Path(name)
    if not (Path(name) / OF_RUN).is_file():
        raise SproutError(f"{name}: is a folder without {OF_RUN}, which `sprout run` writes; give a settings file")
    return Path(name) / OF_RUN


def _read_toml(path: Path) -> tuple[str, Table]:
    try:
        text = path.read_bytes().removeprefix(codecs.BOM_UTF8).decode()
        return text, tomllib.loads(text)
    except OSError as error:
        raise SproutError(f"{path}: cannot be read ({error.strerror}); {_meant(path)}") from None
    except RecursionError:
        raise SproutError(f"{path}: cannot be read as TOML: it is nested too deeply") from None
    except UnicodeDecodeError as error:
        number, problem = not_utf8(error)
        raise SproutError(f"{path}:{number}: {problem}{_if_seeds(path)}") from None
    except tomllib.TOMLDecodeError as error:
        problem, _, place = str(error).partition(" (at line ")
        line = f":{place.partition(',')[0]}" if place else ""
        raise SproutError(f"{path}{line}: not TOML: {problem[0].lower()}{problem[1:]}{_if_seeds(path)}") from None
    except ValueError as error:  # of Python's own, such as a number of more than 4,300 digits
        raise SproutError(f"{path}: cannot be read as TOML: {error}") from None


def _if_seeds(path: Path) -> str:
    """What to say besides of a file that is no TOML, if by its name it holds rows."""
    return "; if these are your seeds, give the file with --seeds" if ROWS.intersection(path.suffixes) else ""


def _meant(path: Path) -> str:
    """What to say of a settings file that is not there."""
    files = [str(one) for one in path.parent.glob("*.toml")] if path.parent.is_dir() else []
    close = difflib.get_close_matches(str(path), [*recipes.names(), *files], 1, cutoff=0.75)
    return f"did you mean {close[0]}?" if close else "give a TOML file, the folder of a run, or one of `sprout recipes`"


def _at_home(value: Any) -> Any:
    """Replace a ~ at the beginning of paths by the home folder, as shells do."""
    if isinstance(value, dict):
        return {key: _at_home(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_at_home(one) for one in value]
    return str(Path(value).expanduser()) if isinstance(value, str) and value.startswith("~/") else value


def _settings(tables: Table, where: str) -> RunSettings:
    if isinstance(folder := tables.get("modules"), str):
        look_in(Path(folder))
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
    for key in settings.tables:
        _check_known(tables, key, where)
    return settings


def _check_known(tables: Table, key: str, where: str) -> None:
    """Refuse a table of no stage; one of a kind that is not in the list may be for the command of that stage."""
    listed: list[StageEntry] = parse_entries(tables["stages"]) if isinstance(tables.get("stages"), list) else []
    known = [*SINGLE, *SHARED, *dict.fromkeys([*(entry.name for entry in listed), *names()])]
    if key not in known:
        problem = unknown("table or key", key, known, listed="sprout settings")
        if "-" in key and key.partition("-")[0] in (*names(), *(entry.kind.kind for entry in listed)):
            problem = f"[{key}] belongs to no stage; list it in stages = […], or delete the table"
        elif not difflib.get_close_matches(key, known, 1, cutoff=0.75) and (meant := hint(key, listed=listed)):
            problem = f"there is no table or key {reprlib.repr(key)}; {meant}"
        elif isinstance(tables[key], dict) and "did you mean" not in problem:
            problem += ", and a stage of your own has a table once stages = […] lists it"
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
    found = _at_home(_value(value))
    is_text = not parents and field in TEXTS and not isinstance(found, list | dict)
    table[field] = found if isinstance(found, str) or not is_text else value  # a folder may be named 2026-01-31


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
