"""A first settings file: small, commented, and to be changed by hand."""

import tomllib
from dataclasses import dataclass
from typing import Any

from pipeline import recipes
from pipeline.settings.build import build_stages
from pipeline.settings.read import RunSettings
from pipeline.stage import Stage

RECIPE = "default"  # whose sampling suits the models of today


@dataclass(frozen=True)
class Start:
    """What a first settings file says."""

    seeds: str
    out: str
    engine: dict[str, Any]  # its table
    domain: str = ""
    num_tasks: int = 200
    about: str = ""  # what is known of the model, for a comment


def settings_of(start: Start) -> RunSettings:
    """The settings that the file holds."""
    writer, tables = _tables()
    tables = tables | {writer: {"num_tasks": start.num_tasks} | tables.get(writer, {})}
    return RunSettings(seeds=start.seeds, domain=start.domain, out=start.out, engine=start.engine, tables=tables)


def as_file(start: Start, name: str) -> str:
    """The text of the file, which has that name."""
    import tomlkit

    document = tomlkit.document()
    for line in (
        f"Made by `sprout init`. `sprout settings {name}` shows every other setting and what it means.",
        "The same command again goes on where a run stopped.",
    ):
        document.add(tomlkit.comment(line))
    document.add(tomlkit.nl())
    document.add("seeds", _commented(start.seeds, "the examples that all tasks grow from"))
    if start.domain:
        document.add("domain", _commented(start.domain, "what all tasks are about; the prompts say it"))
    else:
        document.add(tomlkit.comment('domain = ""  # what all tasks are about, such as "support for a bicycle shop"'))
    document.add("out", _commented(start.out, "the folder of the run"))
    settings = settings_of(start)
    document.add("engine", _table(settings.engine, {"model": start.about}))
    notes = {"num_tasks": "a larger number later adds to them", "sampling": f"as in the recipe {RECIPE}"}
    for stage, fields in settings.tables.items():
        document.add(stage, _table(fields, notes))
    return tomlkit.dumps(document)


def _tables() -> tuple[str, dict[str, dict[str, Any]]]:
    """The stage that writes until it has enough tasks, and the sampling of each stage in the recipe."""
    recipe = tomllib.loads((recipes.FOLDER / f"{RECIPE}.toml").read_text("utf-8"))
    stages = [stage for stage in build_stages(RunSettings()) if isinstance(stage, Stage)]
    writer = next(stage.name for stage in stages if stage.open_ended)
    sampling = {
        stage.name: {"sampling": recipe[stage.name]["sampling"]}
        for stage in stages
        if "sampling" in recipe.get(stage.name, {})
    }
    return writer, sampling


def _table(fields: dict[str, Any], notes: dict[str, str]) -> Any:
    import tomlkit

    table = tomlkit.table()
    for key, value in fields.items():
        inner = _table(value, {}).comment(notes.get(key, "")) if isinstance(value, dict) else None
        table.add(key, inner or _commented(value, notes.get(key, "")))
    return table


def _commented(value: Any, note: str) -> Any:
    import tomlkit

    item = tomlkit.item(value)
    return item.comment(note) if note else item
