"""The options of the commands by which people judge, drop and change tasks."""

import argparse
from pathlib import Path

from pipeline.cli.numbers import positive


def add_marks(command: argparse.ArgumentParser) -> None:
    command.add_argument("--tag", default="", help="only tasks to which a reviewer has given this tag")
    command.add_argument("--note", default="", metavar="TEXT", help="only tasks with a note in which this occurs")
    judged = ("good", "bad", "unjudged")
    command.add_argument("--judged", default="", choices=judged, help="only tasks with this verdict of reviewers")


def add_choice(command: argparse.ArgumentParser, which: str = "kept") -> None:
    command.add_argument("folder", metavar="RUN", help="folder of the run")
    command.add_argument("ids", nargs="*", metavar="ID", help="ids of tasks, or their beginnings")
    command.add_argument("--search", default="", metavar="TEXT", help=f"all {which} tasks in which this occurs")
    add_marks(command)
    command.add_argument("--reviewer", help="your name (default: that of the user)")


def add_drop(command: argparse.ArgumentParser) -> None:
    add_choice(command)
    command.add_argument("--reason", help="why, in a word, for figures and `show` (default: dropped_by_review)")


def add_keep(command: argparse.ArgumentParser) -> None:
    add_choice(command, "dropped")
    command.add_argument("--reason", help="all that were dropped for this reason")
    command.add_argument("--all", action="store_true", help="all that were dropped")


def add_edit(command: argparse.ArgumentParser) -> None:
    add_choice(command)
    for name in ("instruction", "input", "output"):
        command.add_argument(f"--{name}", metavar="TEXT", help=f"the new {name} of the task")
    command.add_argument("--instance", type=positive(int), default=1, help="whose input and output (default: 1)")
    command.add_argument("--add-tag", metavar="TAGS", help="tags to add, with commas between them")
    command.add_argument("--add-note", metavar="TEXT", help="a note to add")
    command.add_argument("--undo", action="store_true", help="take back the last change or repair; with ids, theirs")


def add_review(command: argparse.ArgumentParser) -> None:
    command.add_argument("folder", type=Path, help="folder of the run")
    command.add_argument("--reviewer", help="your name (default: the page asks)")
    command.add_argument("--sample", type=positive(int), default=100, help="how many, drawn at random (default: 100)")
    command.add_argument("--margin", type=positive(float), help="as many tasks as give ± this many points, such as 5")
    command.add_argument("--all", action="store_true", help="all tasks, in their order, in place of a sample")
    command.add_argument("--stage", help="look for tasks as `show` does, in place of a sample")
    command.add_argument("--reason", help="likewise: a reason to reject, or: rejected, all")
    command.add_argument("--search", default="", metavar="TEXT", help="likewise: only tasks in which this occurs")
    add_marks(command)
    command.add_argument(
        "--answers", metavar="MODELS", help="rate answers blind, such as base,tuned or mine=FILE,tuned"
    )
    command.add_argument(
        "--heldout", metavar="SET", nargs="+", action="extend", help="what they answer to (default: as evaluated)"
    )
    command.add_argument("--figures", action="store_true", help="print what was found so far, and open nothing")
    command.add_argument("--argilla", type=Path, metavar="FILE", help="write the tasks as records for Argilla instead")
    command.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine alone)")
    command.add_argument("--port", type=int, default=0, help="port to listen at (default: a free one)")
    command.add_argument("--open", action="store_true", help="open the page in your browser")
    command.add_argument("--settings", metavar="FILE", help="settings file of the run, whose model repairs outputs")
    command.add_argument("--engine", help="of the model that repairs, as for `run`")
    command.add_argument("--model", help="likewise")
    command.add_argument("--set", metavar="STAGE.KEY=VALUE", action="append", default=[], help="change one setting")
