"""Options of `sprout evaluate` and `sprout judge`, so that neither needs a settings file."""

import argparse
import json
from collections.abc import Iterator, Mapping

from pipeline.errors import SproutError


def add_options(command: argparse.ArgumentParser, name: str) -> None:
    """The options of the command `name`; those of other commands are none."""
    if name not in ("evaluate", "judge"):
        return
    command.add_argument(
        "--heldout", nargs="+", metavar="SET", help="folder of Super-NaturalInstructions, file of rows, or nano"
    )
    if name == "judge":
        command.add_argument("--ours", help="a name in predictions/, or a file of answers (default: dataset)")
        command.add_argument("--theirs", nargs="+", help="what it is compared with, likewise (default: base)")
        return
    command.add_argument(
        "--models", nargs="+", type=named, metavar="NAME=MODEL", help="a folder, hub name, or my-model@http://host/v1"
    )
    command.add_argument(
        "--predictions", nargs="+", type=named, metavar="NAME=FILE", help="files of `id` and `prediction`"
    )
    command.add_argument("--lm-eval", metavar="TASKS", help="tasks of lm-eval, if it is installed, such as mmlu,gsm8k")


def changes(args: argparse.Namespace) -> Iterator[str]:
    """What the options change in the settings, as `--set` has it. Predictions alone need no model."""
    given = vars(args)
    for key in ("heldout", "models", "predictions", "lm_eval", "ours", "theirs"):
        if (value := given.get(key)) is not None:
            if key in ("models", "predictions"):
                names = [name for name, _ in value]
                if twice := next((name for name in names if names.count(name) > 1), None):
                    raise SproutError(f"--{key}: {twice} is named twice; give each a name of its own")
                value = dict(value)
            elif isinstance(value, list) and len(value) == 1:
                (value,) = value
            yield f"{args.command}.{key}={toml(value)}"
    if given.get("predictions") and not (given.get("models") or given.get("model") or args.settings):
        yield "evaluate.models={}"


def named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} has no name; give it one, such as base={value or text}")
    return name, value


def toml(value: str | list[str] | Mapping[str, str]) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{json.dumps(key)} = {json.dumps(one)}' for key, one in value.items())}}}"
    return json.dumps(value, ensure_ascii=False)
