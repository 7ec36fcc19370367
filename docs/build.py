"""Writes the pages that say what the code says: `python docs/build.py` makes commands.md, settings.md, reasons.md."""

import argparse
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

from pydantic.fields import FieldInfo

from pipeline.cli.main import commands as known_commands
from pipeline.cli.main import parser as command_line
from pipeline.engines.find import engine_class, engine_names
from pipeline.filters.find import INSTRUCTION, reasons_of
from pipeline.recipes import SELF_INSTRUCT
from pipeline.scorers.find import scorer_names
from pipeline.settings.schema import schema
from pipeline.stage import Product, Reason, Stage
from pipeline.stages import find, names
from pipeline.text import short

FOLDER = Path(__file__).parent
MADE = "<!-- made by docs/build.py from the code; change that -->"
OWN_TEMPLATES = (
    'Templates of your own, by the name of the one that each replaces, such as `instructions = "mine.jinja"`; a path',
    "counts from the folder of the settings file. See [templates](run.md#templates-and-the-domain).",
)
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def pages() -> dict[str, str]:
    """The text of each page, by the name of its file."""
    made = {"commands.md": commands(), "settings.md": settings(), "reasons.md": reasons()}
    return {name: "\n".join(lines) + "\n" for name, lines in made.items()}


def commands() -> Iterator[str]:
    """A section for each command; the options that all commands running stages share come first."""
    parsers = subparsers(command_line([*known_commands(), *(f"--{name}" for name in names())]))
    shared = {one.dest: one for one in arguments(parsers["classify"])}
    yield from ("# Commands", "", MADE, "")
    yield "`sprout COMMAND --help` prints the same. Commands that run stages share these options:"
    yield from ("", *option_table(shared.values()))
    for name, help in known_commands().items():
        for title, parser in (subparsers(parsers[name]) or {"": parsers[name]}).items():
            yield from ("", f"## sprout {name} {title}".rstrip(), "", sentence(help.rpartition("FILE: ")[2]))
            given = list(arguments(parser))
            of_run = any(one.dest == "out" for one in given)
            if of_run:
                there = {one.dest for one in given}
                taken = [f"`{name_of(one)}`" for one in shared.values() if one.dest in there]
                left = [f"`{name_of(one)}`" for one in shared.values() if one.dest not in there]
                if len(taken) < len(left):
                    yield f"Of the shared options, it takes {', '.join(taken)}."
                else:
                    yield "Takes the shared options" + (f" except {', '.join(left)}." if left else ".")
            if own := [one for one in given if not (of_run and one.dest in shared)]:
                yield from ("", *option_table(own))


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    actions: list[Any] = [one for one in parser._actions if isinstance(one.choices, dict)]
    return actions[0].choices if actions else {}


def arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    return (one for one in parser._actions if one.dest != "help")


def name_of(action: argparse.Action) -> str:
    value = action.metavar or action.dest.upper()
    if not action.option_strings:
        return str(action.metavar or action.dest)
    if action.nargs == 0:
        return action.option_strings[-1]
    return f"{action.option_strings[-1]} {value}{' …' if action.nargs == '+' else ''}"


def option_table(actions: Iterable[argparse.Action]) -> Iterator[str]:
    yield from ("| option | |", "|---|---|")
    for one in actions:
        yield f"| `{name_of(one)}` | {cell(one.help or '')} |"


def settings() -> Iterator[str]:
    """A section for each table of a settings file."""
    found = schema()
    definitions = found["$defs"]
    yield from ("# Settings", "", MADE, "")
    yield "A settings file is TOML: `seeds`, `domain`, `out`, `stages`, `modules`, tables `[engine]`, `[prompts]` and"
    yield "`[prices]`, and one for each stage."
    yield "What it does not set has its default; `--set stage.key=value` changes a setting for a single command."
    yield "Paths count from the folder in which `sprout` is called, but `modules` and those in `[prompts]` count from"
    yield "the folder of the file; `~/` is your home. `sprout settings` prints all settings as such a file, and"
    yield "`sprout settings --schema` prints a JSON Schema for an editor."
    top = {key: found["properties"][key] for key in ("seeds", "domain", "out", "stages", "modules")}
    yield from ("", *setting_table(top, definitions))
    for name in engine_names():
        kind = engine_class(name)
        own = definitions[kind.__name__]
        properties = {key: one for key, one in own["properties"].items() if key != "name"}
        yield from ("", f'## [engine] name = "{name}"', "", *text_of(kind))
        if own.get("additionalProperties", True):
            yield from ("", "Any other key is handed on to vLLM's engine as it is, such as `max_model_len = 8192`.")
        yield from ("", *setting_table(properties, definitions))
    yield from ("", "## [prompts]", "", *OWN_TEMPLATES)
    yield from ("", "## [prices]", "", sentence(definitions["Prices"]["description"]))
    yield from ("", *setting_table(definitions["Prices"]["properties"], definitions))
    for stage in map(find, names()):
        yield from ("", f"## [{stage.kind}]", "", *text_of(stage))
        yield from taking_part(stage)
        if properties := definitions[stage.__name__].get("properties"):
            yield from ("", *setting_table(properties, definitions))
        if stage.kind == "score":
            yield from ("", *scorers())
    yield from (
        "",
        "## sampling",
        "",
        sentence(definitions["Sampling"]["description"]),
        "The defaults differ by stage, as above; a key that a table leaves out has the default of its stage.",
    )
    yield from ("", *setting_table(definitions["Sampling"]["properties"], definitions))


def taking_part(stage: type[Stage | Product]) -> Iterator[str]:
    """When a run has a stage that is not part of every run, and how to run it alone."""
    if stage.kind not in SELF_INSTRUCT:
        yield from ("", f"A run has this stage if its list of stages names it. Alone: `sprout {stage.kind}`.")
    elif stage.optional:
        with_heldout = stage.kind != "evaluate" and stage.takes_part({"evaluate": {"heldout": "nano"}})
        where = "this table or `evaluate.heldout`" if with_heldout else "this table"
        yield ""
        yield f"Without a list of stages, a run has this stage if its settings have {where}."
        yield f"Alone: `sprout {stage.kind}`."


def scorers() -> Iterator[str]:
    """The scorers that ship: what each measures, and its settings."""
    yield from ("| scorer | the number | its settings in `options` |", "|---|---|---|")
    for name in scorer_names():
        function = getattr(import_module(f"pipeline.scorers.{name}"), name)
        types = get_type_hints(function, include_extras=True)
        settings = []
        for one in inspect.signature(function).parameters.values():
            if one.kind is one.KEYWORD_ONLY:
                meaning = next(
                    mark.description
                    for mark in types[one.name].__metadata__
                    if isinstance(mark, FieldInfo) and mark.description
                )
                default = "" if one.default is one.empty else f" = `{json.dumps(one.default)}`"
                settings.append(f"`{one.name}`{default}: {meaning}")
        text = inspect.cleandoc(function.__doc__).partition("\n\n")[0]
        yield f"| `{name}` | {cell(text)} | {cell('; '.join(settings))} |"


def reasons() -> Iterator[str]:
    """A table of the filters that several stages apply, and one of the other reasons of each stage that rejects."""
    stages = [stage for stage in map(find, names()) if issubclass(stage, Stage) and stage.reasons]
    common = reasons_of(INSTRUCTION)
    filtering = [stage for stage in stages if common.keys() <= stage.reasons.keys()]
    yield from ("# Reasons to reject", "", MADE, "")
    yield "`sprout stats` counts tasks by reason, `sprout show RUN --reason REASON` shows them, and `sprout why ID`"
    yield "says what a filter objected to. A stage with filters turns each on or off by its reason:"
    yield from ("", "```toml", "[instructions]", "filters = { unsuitable_word = true, too_long = false }")
    yield from ("", "[filter]", "filters = { not_a_label = false }", "```", "")
    yield "In an example, → comes between input and output. Reasons marked * are given only if the settings turn their"
    yield "filter on, as the recipe `paper` does."
    yield from ("", "## Filters of instructions", "")
    yield f"The stages that write instructions apply them: {', '.join(f'`{stage.kind}`' for stage in filtering)}."
    yield from ("", *reason_table(common))
    for stage in stages:
        yield from ("", f"## {stage.kind}", "")
        if stage in filtering:
            yield from ("The [filters of instructions](#filters-of-instructions), and:", "")
        yield from reason_table({name: one for name, one in stage.reasons.items() if common.get(name) != one})


def reason_table(found: Mapping[str, Reason]) -> Iterator[str]:
    """What each reason means, and an example."""
    yield from ("| reason | | such as |", "|---|---|---|")
    for name, reason in found.items():
        star = "" if reason.by_default else " *"
        example = f"`` {short(reason.example.replace('`', chr(39)), 120)} ``" if reason.example else ""
        yield f"| `{name}`{star} | {cell(reason.meaning)} | {cell(example)} |"


def text_of(kind: Any) -> Iterator[str]:
    """Its docstring, without what is for those who call it from Python."""
    yield re.split(r"\n\n(?:Args|Example):", inspect.cleandoc(kind.__doc__))[0]


def setting_table(properties: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    yield from ("| setting | default | |", "|---|---|---|")
    for key, one in properties.items():
        default = f"`{json.dumps(one['default'], ensure_ascii=False)}`" if one.get("default") is not None else ""
        meaning = "; ".join(filter(None, (one.get("description", ""), "; ".join(allowed(one, definitions)))))
        yield f"| `{key}` | {cell(default)} | {cell(meaning)} |"


def allowed(of: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    """The choices and limits of a setting."""
    if "$ref" in of:
        name = of["$ref"].rpartition("/")[2]
        yield "see [sampling](#sampling)" if name == "Sampling" else ""
    if choices := of.get("enum") or of.get("items", {}).get("enum"):
        yield f"of {', '.join(map(str, choices))}"
    yield from (f"{sign} {of[key]}" for key, sign in LIMITS.items() if key in of)


def sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}".rstrip(".") + "."


def cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
