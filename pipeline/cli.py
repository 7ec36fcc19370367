"""Grow a handful of seed tasks into an instruction-tuning dataset, tune a model on it, and measure the gain."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.engines import Engine
    from pipeline.task import Task

COMMANDS = {
    "run": "all stages, in order; the same command again goes on where it stopped",
    "instructions": "write new instructions from the seeds and what was kept so far",
    "classify": "say which tasks are classification",
    "instances": "write inputs and outputs",
    "filter": "reject instances that are unfit to train on",
    "dedup": "reject tasks that mean nearly the same, and choose the most diverse",
    "decontaminate": "reject tasks that overlap with held-out ones",
    "export": "write the dataset",
    "train": "tune the model on the dataset",
    "evaluate": "score models on held-out tasks",
    "gain": "what the dataset is worth, against the seeds, unfiltered tasks and parts of it",
    "plan": "probe the model with 20 requests and say what the run will take",
    "stats": "how many tasks each stage kept, and why it rejected the rest",
    "settings": "all settings of a run with what they mean, as a file to change and run",
    "report": "one page with all figures and all tasks of a run: report.html",
    "show": "tasks, kept or rejected, by stage, reason and text",
    "compare": "two runs side by side",
    "why": "the whole life of one task: its prompts, the completions, what each filter and stage said",
}
REDECIDE = "decide all stages anew from the completions already paid for, without asking the model"
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def main(argv: Sequence[str] | None = None) -> None:
    """Exit codes: 0 done, 1 error, 2 usage, 3 budget reached, 4 engine unreachable. After 3 and 4 it can go on."""
    args = parse(argv)
    from pipeline.errors import SproutError

    try:
        if args.command == "stats":
            from pipeline import stats

            if args.json:
                print(json.dumps(stats.figures(args.folder), indent=1))
            else:
                print("\n\n".join(filter(None, (stats.show(args.folder), stats.show_usage(args.folder)))))
        elif args.command == "why":
            from pipeline.why import why

            print(why(args.task, [args.folder] if args.folder else sorted(Path("outputs").glob("*/")), args.full))
        elif args.command == "report":
            from pipeline.report import write_report
            from pipeline.seeds import read_seeds

            print(write_report(args.folder, read_seeds(args.seeds) if args.seeds else ()))
        elif args.command == "show":
            from pipeline import show

            print(show.show(show.find(args.folder, args.stage, args.reason, args.search), args.num, args.json))
        elif args.command == "compare":
            from pipeline import show

            found = show.comparison(args.one, args.other) if args.json else show.compare(args.one, args.other)
            print(json.dumps(found, indent=1) if args.json else found)
        else:
            run(args)
    except SproutError as error:
        sys.exit(fail(error, error.exit_code))
    except KeyboardInterrupt:
        sys.exit(fail("stopped; the same command goes on from here", 130))
    except BrokenPipeError:  # whoever reads the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: object, code: int) -> int:
    print(f"sprout: {message}", file=sys.stderr)
    return code


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sprout", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help in COMMANDS.items():
        command = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        if name == "stats":
            command.add_argument("folder", type=Path, help="folder of the run")
            command.add_argument("--json", action="store_true", help="all figures, as in stats.json")
        elif name == "report":
            command.add_argument("folder", type=Path, help="folder of the run")
            command.add_argument("--seeds", help="the seeds of the run, for family trees and distances to them")
        elif name == "show":
            command.add_argument("folder", type=Path, help="folder of the run")
            command.add_argument("--stage", help="default: the last one that has a file")
            command.add_argument("--reason", help="a reason to reject, or: rejected, all (default: what is kept)")
            command.add_argument("--search", default="", metavar="TEXT", help="only tasks in which this occurs")
            command.add_argument("--num", type=int, default=10, help="how many (default: 10)")
            command.add_argument("--json", action="store_true", help="a line of JSON for each, to read on")
        elif name == "compare":
            command.add_argument("one", type=Path, help="folder of a run")
            command.add_argument("other", type=Path, help="folder of another")
            command.add_argument("--json", action="store_true", help="all figures")
        elif name == "why":
            command.add_argument("task", help="id of the task, or enough of its beginning")
            command.add_argument("folder", type=Path, nargs="?", help="folder of the run (default: all in outputs/)")
            command.add_argument("--full", action="store_true", help="long prompts and completions whole")
        else:
            add_run_options(command, alone=name not in ("run", "plan", "gain", "settings"))
            if name not in ("plan", "settings"):
                add_budget(command)
        if name == "gain":
            command.add_argument("--random-seeds", type=positive(int), default=1, help="tune each model so many times")
        if name == "run":
            command.add_argument("--redecide", action="store_true", help=REDECIDE)
    return parser.parse_args(argv)


def add_run_options(command: argparse.ArgumentParser, alone: bool) -> None:
    command.add_argument("settings", nargs="?", help="TOML file, or the name of one that ships: quickstart")
    command.add_argument("--seeds", help="JSONL file of seed tasks, or one that ships: general (default), nano")
    command.add_argument("--out", help="folder of the run (default: outputs/default)")
    command.add_argument("--engine", help="vllm (default), server, transformers")
    command.add_argument("--model", help="model folder, name on the hub, name on the server, or nano")
    command.add_argument("--set", metavar="STAGE.KEY=VALUE", action="append", default=[], help="change one setting")
    command.add_argument("--quiet", action="store_true", help="only warnings and the result")
    if alone:
        command.add_argument("--tasks", type=Path, help="JSONL file of tasks (default: what the stage before has kept)")


def add_budget(command: argparse.ArgumentParser) -> None:
    command.add_argument("--max-tokens", type=positive(int), help="stop after this many tokens of the whole run")
    command.add_argument("--max-cost", type=positive(float), help="stop after this cost of the whole run, see [prices]")
    command.add_argument("--max-time", type=seconds, help="stop after this time, such as 90m or 8h")


def positive(kind: Callable[[str], float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text.replace("_", "").replace(",", ""))
        except ValueError:
            value = 0
        if value <= 0:
            raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
        return value

    return read


def seconds(text: str) -> float:
    unit = UNITS.get(text[-1:])
    return positive(float)(text[:-1] if unit else text) * (unit or 1)


def run(args: argparse.Namespace) -> None:
    from pipeline import settings as toml
    from pipeline import stats
    from pipeline.budget import Budget
    from pipeline.gain import PAGE, gain
    from pipeline.plan import plan
    from pipeline.progress import shown_progress
    from pipeline.redecide import redecide
    from pipeline.runs import file_names, run, run_alone
    from pipeline.seeds import read_seeds
    from pipeline.stage import Run

    options = {"seeds": args.seeds, "out": args.out, "engine.name": args.engine, "engine.model": args.model}
    given = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in options.items() if value is not None]
    settings = toml.read(args.settings, [*given, *args.set])
    if args.command == "settings":
        from pipeline.resolved import as_toml

        print(as_toml(settings), end="")
        return
    seeds = read_seeds(settings.seeds)
    folder = Path(settings.out)

    def open_engine(model: str | None = None) -> "Engine":
        return toml.open_engine(settings, model)

    if args.command == "plan":
        print(plan(toml.build_stages(settings), seeds, open_engine(), folder, settings.prices))
        return
    budget = Budget(args.max_tokens, args.max_cost, args.max_time, settings.prices)
    with shown_progress(args.quiet) as progress:
        if args.command == "run" and args.redecide:
            redecide(toml.build_stages(settings), seeds, open_engine(), folder, progress)
        elif args.command in ("run", "gain"):
            stages, engine = toml.build_stages(settings), open_engine()
            tasks = run(stages, seeds, engine, folder, open_engine, progress, budget)
            if args.command == "gain":
                gain(stages, tasks, Run(seeds, engine, folder, open_engine, budget), args.random_seeds)
        else:
            stage = toml.build_stage(args.command, settings)
            context = Run(seeds, open_engine(), folder, open_engine, budget)
            files = file_names(stages_of(folder, args.command))
            tasks = tasks_for(args, files, folder) or seeds
            run_alone(stage, files[stage.name], tasks, context, progress)
    if stats.find_stage_files(folder):
        stats.write(folder)
    if args.command == "run":
        report(folder, seeds)
    print((folder / PAGE).read_text("utf-8") if args.command == "gain" else stats.summary(folder))


def stages_of(folder: Path, command: str) -> list[Any]:
    """The stages of a run, for the numbers of its files: an optional one counts if it is there, or asked for."""
    from pipeline.settings import OPTIONAL
    from pipeline.stages import STAGES
    from pipeline.stats import find_stage_files

    there = {command, *find_stage_files(folder)}
    return [stage for stage in STAGES if stage.name not in OPTIONAL or stage.name in there]


def report(folder: Path, seeds: Sequence["Task"]) -> None:
    """Write the page of a finished run, which needs an extra that may not be there."""
    from pipeline.errors import SproutError
    from pipeline.report import write_report

    try:
        write_report(folder, seeds)
    except SproutError as error:
        print(f"no report: {error}", file=sys.stderr)


def tasks_for(args: argparse.Namespace, files: dict[str, str], folder: Path) -> Sequence["Task"]:
    """What a stage that runs alone decides: the tasks of a file, or what the stage before has kept."""
    from pipeline.errors import SproutError
    from pipeline.store import read_kept

    earlier = [file for file in list(files.values())[: list(files).index(args.command)] if file.endswith(".jsonl")]
    if not earlier and not args.tasks:
        return []
    path = args.tasks or folder / earlier[-1]
    if not args.tasks and not path.exists():
        name = path.stem.split("_")[1]
        raise SproutError(f"{path} is not there; run `sprout {name}` first, or give tasks with --tasks FILE")
    tasks = read_kept(path)
    if not tasks:
        raise SproutError(f"{path}: holds no task that is kept, so there is nothing to do for {args.command}")
    return tasks
