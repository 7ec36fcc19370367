"""Grow a handful of seed tasks into an instruction-tuning dataset, tune a model on it, and measure the gain."""

import argparse
import errno
import gc
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from pipeline import __version__
from pipeline.cli.numbers import positive, same, seconds
from pipeline.cli.review_options import add_drop, add_edit, add_keep, add_marks, add_review
from pipeline.cli.stop import Stop
from pipeline.cli.usage import Once, Parser
from pipeline.recipes import SELF_INSTRUCT
from pipeline.resources import PACKAGE

ALL_STAGES = "run all stages, in order; the same command again continues where it stopped"
OTHERS = {  # than those of stages, which say themselves what they are for
    "init": "write a first settings file: asks, or takes options, checks the seeds and tries the model",
    "seeds": "seeds check FILE: what a seed file holds, how varied it is, and what it lacks",
    "recipes": "list the settings files that ship",
    "settings": "print all settings of a run with what they mean, as a file to edit and run",
    "preview": "make five tasks from start to finish, within a minute and without writing a folder",
    "plan": "estimate what a run will take, from 20 requests",
    "stats": "how many tasks each stage kept, and why it rejected the rest",
    "show": "print tasks, kept or rejected, by stage, reason and text",
    "why": "the whole history of one task: its prompts, its completions, what each filter and stage said",
    "compare": "show two runs side by side",
    "report": "write report.html: all figures and all tasks of a run on one page",
    "review": "read tasks in a browser, judge, drop, change and repair them; or rate answers of models blind",
    "drop": "drop tasks from the dataset and all that is made from it; the files of the run stay as they are",
    "keep": "take back dropped tasks",
    "edit": "change the texts of a task, add tags and notes, or take changes back",
    "gain": "compare what a dataset is worth with its seeds, unfiltered tasks and parts of itself, or with others",
    "merge": "put the shards of a run, each made with `sprout run --shard 1/16`, into one run without duplicates",
}
SHARD = "one of several shards, such as 3/16, in a folder of its own beside OUT; `sprout merge` puts them together"
REDECIDE = "decide all stages anew from the completions already paid for, without asking the model"
COLLECT = 20_000, 10, 10  # garbage in cycles is rare; looking for it as often as Python does takes 5 % of a run's time
FULL, GONE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG), (errno.EIO, errno.ESTALE, errno.EROFS)  # a disk
SAME = "with several names: draw equal numbers of rows (default) or tokens, N or as many as the smallest has"


def main(argv: Sequence[str] | None = None) -> None:
    """Exit codes: 0 done, 1 error, 2 usage, 3 budget reached, 4 engine unreachable, 128 + N stopped by signal N.

    After 3, 4 and a signal it can go on.
    """
    stop = Stop()
    if argv is None:  # a process of its own
        gc.set_threshold(*COLLECT)
        stop.listen()
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal shows every character
    given = sys.argv[1:] if argv is None else argv
    from pipeline.errors import SproutError

    try:
        args = parser(given).parse(given)
        from pipeline.cli.commands import run_command

        print(run_command(args))
    except SproutError as error:
        sys.exit(fail(error, error.exit_code))
    except KeyboardInterrupt:
        sys.exit(fail(stop, stop.exit_code))
    except BrokenPipeError:  # whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # where no better sentence was found: of a file that changed or may not be read
        if error.filename is None and error.errno not in FULL + GONE:
            raise
        place = error.filename or "the disk"
        advice = "make room" if error.errno in FULL else "let this user read and write it, or move it away"
        advice = "mount it anew, or mend it" if error.errno in GONE else advice
        sys.exit(fail(f"{place}: cannot be read or written ({error.strerror}); {advice}, and run the same command", 1))
    except Exception as error:
        from pipeline.engines.find import place_in_users_code, told

        if not (place := place_in_users_code(error)):
            raise
        sys.exit(fail(f"{place}: this code of yours fails ({told(error)}); correct it", 1))


def fail(message: object, code: int) -> int:
    print(f"sprout: {message}", file=sys.stderr)
    return code


def commands() -> dict[str, str]:
    """All commands with what they are for: that of a stage is the first line of its module, which is not imported."""
    files = {path.stem: path for path in (PACKAGE / "stages").glob("[a-z]*.py")}
    ordered = [*(name for name in SELF_INSTRUCT if name in files), *sorted(files.keys() - {*SELF_INSTRUCT})]
    stages = {}
    for name in ordered:
        with files[name].open(encoding="utf-8") as file:
            text = file.readline().strip().strip('"').partition(". ")[0].rstrip(".")
        stages[name] = text[:1].lower() + text[1:]
    return {"run": ALL_STAGES} | OTHERS | stages


def parser(argv: Sequence[str] = ()) -> Parser:
    """The command line; a stage is imported for its options only if its command is among the arguments."""
    parser = Parser(prog="sprout", description=__doc__)
    parser.add_argument("--version", action="version", version=f"sprout {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    whole = ["run", *OTHERS]
    parser.groups = {"commands": whole, "one stage of a run": [name for name in commands() if name not in whole]}
    for name, help in commands().items():
        command = subparsers.add_parser(name, help=help, description=help[:1].upper() + help[1:] + ".")
        if name in LOOKS:
            LOOKS[name](command)
            continue
        stage = name not in whole
        add_run_options(command, alone=stage, several=name == "gain")
        if name not in ("plan", "preview", "settings"):
            add_budget(command)
        if name == "gain":
            command.add_argument(
                "--random-seeds", type=positive(int), default=1, help="trainings of each model (default: 1)"
            )
            command.add_argument("--same", type=same, metavar="UNIT[=N]", help=SAME)
        if name == "run":
            command.add_argument("--redecide", action="store_true", help=REDECIDE)
            command.add_argument("--shard", metavar="NUMBER/OF", help=SHARD)
        if stage and name in argv:
            add_flags(command, name)
        if not stage and name in argv:
            add_sources(command, argv)
        if name == "settings":
            command.add_argument("--schema", action="store_true", help="a JSON Schema of all settings, for editors")
    return parser


def add_flags(command: argparse.ArgumentParser, name: str, only: str = "") -> None:
    """The options that a stage has of its own, each of which stands for one of its settings."""
    from pipeline.stages import find

    for flag in find(name).flags:
        if only not in ("", flag.flag):
            continue
        command.add_argument(
            flag.flag,
            dest=f"set_{name}_{flag.field}",
            help=flag.help,
            metavar=flag.metavar or flag.field.upper(),
            action="append" if flag.commas else "extend" if flag.many else Once,
            nargs="+" if flag.many else None,
            type=named if flag.named else str,
        )


def add_sources(command: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """The option of each stage that has its name, such as --documents, which says what the stage reads in a run."""
    given = {one.partition("=")[0].removeprefix("--") for one in argv if one.startswith("-")}
    for name in sorted(path.stem for path in (PACKAGE / "stages").glob("[a-z]*.py")):
        if name in given or given & {"help", "-h"}:
            add_flags(command, name, only=f"--{name}")


def named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} has no name; give it one, such as base={value or text}")
    return name, value


def add_stats(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, help="folder of the run")
    command.add_argument("--json", action="store_true", help="all figures, as in stats.json")


def add_report(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, help="folder of the run")
    command.add_argument(
        "--seeds", help="for family trees and distances (default: those of the run, if they are there)"
    )


def add_merge(command: argparse.ArgumentParser) -> None:
    command.add_argument("folders", nargs="+", metavar="FOLDER", help="folders of all shards, in any order")
    command.add_argument("--out", type=Path, required=True, help="folder of the merged run")


def add_show(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, help="folder of the run")
    command.add_argument("--stage", help="default: the last one, or with --reason the last that gave it")
    command.add_argument("--reason", help="a reason to reject, or: rejected, all (default: what is kept)")
    command.add_argument("--search", default="", metavar="TEXT", help="only tasks in which this occurs")
    add_marks(command)
    command.add_argument("--num", type=positive(int), default=10, help="how many (default: 10)")
    command.add_argument("--json", action="store_true", help="a line of JSON for each, for other programs")


def add_compare(command: argparse.ArgumentParser) -> None:
    command.add_argument("one", type=Path, help="folder of a run")
    command.add_argument("other", type=Path, help="folder of another run")
    command.add_argument("--json", action="store_true", help="all figures")


def add_why(command: argparse.ArgumentParser) -> None:
    command.add_argument("task", help="id of the task, or enough of its beginning")
    command.add_argument("folder", type=Path, nargs="?", help="folder of the run (default: all in outputs/)")
    command.add_argument("--full", action="store_true", help="show long prompts and completions whole")


def add_seeds(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="check FILE")
    check = actions.add_parser("check", help=OTHERS["seeds"].partition(": ")[2])
    check.add_argument("file", help="file, folder or data set, or seeds that ship: general, nano, code")
    check.add_argument("--json", action="store_true", help="all figures")


def add_init(command: argparse.ArgumentParser) -> None:
    command.add_argument("place", nargs="?", metavar="FILE", help="a file, or a folder for it (default: my.toml)")
    command.add_argument("--seeds", action=Once, help="file, folder or data set of examples")
    command.add_argument("--url", help="of a server with an OpenAI API, such as http://127.0.0.1:8000/v1")
    command.add_argument("--model", help="a name on that server; without a server a folder, a name on the hub, or nano")
    command.add_argument("--domain", help='what all tasks are about, such as "support for a bicycle shop"')
    command.add_argument("--num-tasks", type=positive(int), help="how many tasks to write (default: 200)")
    command.add_argument("--replace", action="store_true", help="replace an existing settings file")


def add_nothing(command: argparse.ArgumentParser) -> None:
    """This command takes no options."""


LOOKS = {  # commands without the options of a run
    "review": add_review, "drop": add_drop, "keep": add_keep, "edit": add_edit,
    "stats": add_stats, "report": add_report, "show": add_show, "compare": add_compare, "why": add_why,
    "merge": add_merge, "seeds": add_seeds, "recipes": add_nothing, "init": add_init,
}  # fmt: skip


def add_run_options(command: argparse.ArgumentParser, alone: bool, several: bool = False) -> None:
    command.add_argument("settings", nargs="*" if several else "?", help="TOML file, or a recipe, see `sprout recipes`")
    command.add_argument(
        "--seeds", action=Once, help="file or data set of seed tasks, or general (default), nano, none"
    )
    command.add_argument("--domain", help='what all tasks are about, such as "support for a bicycle shop"')
    command.add_argument("--out", help="folder of the run (default: outputs/default)")
    command.add_argument(
        "--engine", help="vllm (default), ray, server, batch, transformers, scripted, or module:Class of yours"
    )
    command.add_argument("--model", help="model folder, name on the hub, name on the server, or nano")
    command.add_argument("--set", metavar="STAGE.KEY=VALUE", action="append", default=[], help="change one setting")
    command.add_argument("--quiet", action="store_true", help="only warnings and the result")
    if alone:
        help = "JSONL file of tasks (default: what the stage before has kept)"
        command.add_argument("--tasks", type=Path, action=Once, help=help)


def add_budget(command: argparse.ArgumentParser) -> None:
    command.add_argument("--max-tokens", type=positive(int), help="stop after this many tokens of the whole run")
    command.add_argument("--max-cost", type=positive(float), help="stop after this cost of the whole run, see [prices]")
    command.add_argument("--max-time", type=seconds, help="stop after this time, such as 90m or 1h30m")
