"""From what is typed to the settings of a run."""

import argparse
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.settings.read import RunSettings


def settings_of(args: argparse.Namespace) -> "RunSettings":
    """The settings file with what the options change."""
    from pipeline.settings.read import read

    options = {"seeds": args.seeds, "out": args.out, "engine.name": args.engine, "engine.model": args.model}
    options["domain"] = vars(args).get("domain")
    given = [f"{key}={value_as_toml(value)}" for key, value in options.items() if value is not None]
    name = args.settings[0] if isinstance(args.settings, list) and args.settings else args.settings or None
    settings = read(name, [*given, *changes(args), *args.set])
    return of_shard(settings, shard) if (shard := vars(args).get("shard")) else settings


def of_shard(settings: "RunSettings", text: str) -> "RunSettings":
    """The settings of one shard of the run, which has a folder of its own."""
    from pipeline.errors import SproutError
    from pipeline.runs.shards import Shard

    shard = Shard.parse(text)
    if settings.shard and Shard.parse(settings.shard) != shard:
        raise SproutError(f"--shard {shard}: these are the settings of shard {settings.shard}; give those of the run")
    out = settings.out if settings.shard else shard.folder(settings.out)
    return settings.model_copy(update={"shard": str(shard), "out": out})


def changes(args: argparse.Namespace) -> Iterator[str]:
    """What the options of a stage change in its settings, as `--set` has it."""
    from pipeline.stages import find, names

    if args.command in names():
        given = yield from changes_of(args, args.command)
        yield from find(args.command).implied(given, bool(args.model or args.settings))
    else:
        for name in names():
            if any(option.startswith(f"set_{name}_") for option in vars(args)):
                yield from changes_of(args, name)


def changes_of(args: argparse.Namespace, stage: str) -> Generator[str, None, dict[str, Any]]:
    """The options that are given for one stage, as changes; and, as its result, by name."""
    from pipeline.errors import SproutError
    from pipeline.stages import find

    given: dict[str, Any] = {}
    for flag in find(stage).flags:
        value = vars(args).get(f"set_{stage}_{flag.field}")
        if value is None:
            continue
        if flag.named:
            keys = [name for name, _ in value]
            if twice := next((name for name in keys if keys.count(name) > 1), None):
                raise SproutError(f"{flag.flag}: {twice} is named twice; give each a name of its own")
            value = dict(value)
        elif flag.commas:
            value = [name.strip() for given in value for name in given.split(",")]
        elif flag.many and len(value) == 1:
            (value,) = value
        given[flag.field] = value
        yield f"{stage}.{flag.field}={value_as_toml(value)}"
    return given


def value_as_toml(value: Any) -> str:
    from pipeline.toml import value as as_toml

    return as_toml(value)
