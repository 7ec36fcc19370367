"""Drop tasks, take that back, and change texts: from the command line, for one task or for all that a search finds."""

import secrets
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import SproutError
from pipeline.report.show import ANY, Marks, find_states
from pipeline.runs.files import stage_files
from pipeline.runs.reviews import DROPPED, FILE, Reviewed, Reviews
from pipeline.runs.said import Deed, Said, Texts, digest
from pipeline.runs.store import ID, whole_lines
from pipeline.task import Instance, read_task
from pipeline.text import counted, short

MOST = 10  # tasks that are named
AT_ONCE = "at-once-"  # how the groups of the command line begin; the page takes back its own alone


@dataclass(frozen=True)
class TaskChoice:
    """Which tasks are meant: by their ids, or the beginnings of these; or all of which all this is true."""

    ids: tuple[str, ...] = ()
    search: str = ""
    reason: str | None = None  # as in `show.find`
    marks: Marks = ANY
    every: bool = False

    @property
    def nothing(self) -> bool:
        return not (self.ids or self.search or self.reason or self.marks != ANY or self.every)


@dataclass(frozen=True)
class Change:
    """What is to be changed in a task; None leaves a text as it is."""

    instruction: str | None = None
    input: str | None = None
    output: str | None = None
    instance: int = 1  # the number of the one whose input and output are meant
    tags: tuple[str, ...] = ()  # to add
    note: str = ""

    @property
    def of_texts(self) -> bool:
        return (self.instruction, self.input, self.output) != (None, None, None)


def drop(folder: Path, wanted: TaskChoice, reviewer: str, reason: str = "") -> str:
    """Drop tasks from whatever is made of a run; say which.

    Raises:
        SproutError: for an id that no task has, or that of a task which a stage has rejected.
    """
    reason = "_".join((reason or DROPPED).split())
    if not reason.isidentifier() or reason in ("kept", "rejected", "all"):
        raise SproutError(f"{reason!r} is not a reason: use letters, digits and _, such as off_topic")
    found = chosen(folder, wanted, "give ids, --search or another of the options that choose tasks")
    new = [state for state in found if not state.dropped]
    _say(folder, [said(state, reviewer, "drop", reason=reason) for state in new])
    kept = f"to undo that: `sprout keep {shlex.quote(str(folder))}` with the same ids or search"
    return _report(folder, new, found, f"dropped, with the reason {reason}", kept)


def keep(folder: Path, wanted: TaskChoice, reviewer: str) -> str:
    """Take back that tasks were dropped; say which."""
    found = chosen(folder, wanted, "give ids, --search, --reason or --all", dropped=True)
    new = [state for state in found if state.dropped]
    _say(folder, [said(state, reviewer, "keep") for state in new])
    return _report(folder, new, found, "kept again", "")


def edit(folder: Path, wanted: TaskChoice, reviewer: str, change: Change) -> str:
    """Change the texts of a task; add tags and a note to all that are meant.

    Returns:
        What was done, to be printed.

    Raises:
        SproutError: if no task is meant, or several are whose texts are to change.
    """
    found = chosen(folder, wanted, "give the id of a task")
    if change.of_texts and len(found) != 1:
        raise SproutError(f"{len(found)} tasks match; change the texts of one task at a time")
    if change.of_texts:
        before = Texts.of(found[0].task)
        new = changed(before, change, found[0].task.id)
        line = Said(reviewer=reviewer, task=found[0].task.id, did="edit", before=before, after=new)
        _say(folder, [line] if new != before else [])
    if change.tags:
        tags = [tuple(dict.fromkeys([*state.tags, *change.tags])) for state in found]
        _say(folder, [said(state, reviewer, "tag", tags=own) for state, own in zip(found, tags, strict=True)])
    if change.note:
        _say(folder, [said(state, reviewer, "note", note=change.note) for state in found])
    back = (
        f"to undo the last change of texts: `sprout edit {shlex.quote(str(folder))} --undo`" if change.of_texts else ""
    )
    return _report(folder, found, found, "changed", back)


def undo_edits(folder: Path, wanted: TaskChoice, reviewer: str) -> str:
    """Take back the last change of the texts of each task that is meant; if none is, the last one of all, or repair."""
    reviews = Reviews(folder)
    if wanted.nothing:
        last = next((one for one in reversed([*reviews.current()]) if one.did == "edit"), None)
        if last is None:
            raise SproutError(f"{folder / FILE}: no text is changed, so there is nothing to undo")
        count = sum(one.id == last.id or one.group == last.group != "" for one in reviews.current())
        reviews.say(Said(reviewer=reviewer, did="undo", task=last.task, undoes=last.group or last.id))
        before = f"the repair “{last.note}”" if last.note else "the change"
        done = f"{folder}: {counted(count, 'task')} restored from before {before}"
        return "\n".join(filter(None, [done, after(folder)]))
    found = chosen(folder, wanted, "")
    edited = [state for state in found if state.edits]
    reviews.say(*(Said(reviewer=reviewer, did="undo", task=one.task.id, undoes=one.edits[-1].id) for one in edited))
    return _report(folder, edited, found, "restored", "")


def chosen(folder: Path, wanted: TaskChoice, advice: str, dropped: bool = False) -> list[Reviewed]:
    """The tasks that are meant.

    Args:
        dropped: Those that people have dropped, where no ids are given, and not those that are kept.

    Raises:
        SproutError: if none is named, or none matches; `advice` ends the first message.
    """
    if wanted.nothing:
        raise SproutError(f"no task is named; {advice}")
    if wanted.ids:
        return by_ids(folder, wanted.ids)
    reason = wanted.reason or ("rejected" if dropped else None)
    states = find_states(folder, None, reason, wanted.search, wanted.marks)
    found = [state for state in states if state.original.kept and bool(state.dropped) >= dropped]
    if not found:
        raise SproutError(f"{folder}: no {'dropped ' if dropped else ''}task matches")
    return found


def by_ids(folder: Path, ids: Sequence[str]) -> list[Reviewed]:
    """The tasks with these ids, or whose ids begin so, as the last stage that decided them has left them."""
    reviews, beginnings = Reviews(folder), tuple(ids)
    found: dict[str, tuple[str, Reviewed]] = {}
    for stage, path in reversed(stage_files(folder).items()):
        for number, _, line in whole_lines(path):
            match = ID.match(line)
            if not match or match[1].decode().startswith(beginnings):
                task = read_task(line, f"{path}:{number}")
                if task.id.startswith(beginnings) and task.id not in found:
                    found[task.id] = stage, reviews.of(task)
    return [_one(folder, id, found) for id in dict.fromkeys(ids)]


def changed(before: Texts, change: Change, task: str) -> Texts:
    """The texts of a task with some replaced."""
    instances = list(before.instances)
    if change.input is not None or change.output is not None:
        if not 1 <= change.instance <= len(instances):
            raise SproutError(
                f"{task} has {counted(len(instances), 'instance')}, so there is no instance {change.instance}"
            )
        old = instances[change.instance - 1]
        output = old.output if change.output is None else change.output
        given = old.input if change.input is None else change.input
        instances[change.instance - 1] = Instance(input=given, output=output)
    instruction = before.instruction if change.instruction is None else change.instruction
    if not instruction.strip():
        raise SproutError(f"{task}: an instruction cannot be empty; drop the task instead")
    return Texts(instruction=instruction, instances=tuple(instances))


def said(state: Reviewed, reviewer: str, did: Deed, **fields: Any) -> Said:
    """A line about a task, which counts as long as the task has its instruction."""
    return Said(reviewer=reviewer, task=state.task.id, did=did, seen=digest(state.original.instruction), **fields)


def after(folder: Path) -> str:
    """What to do so that dataset and model know of it."""
    made = [name for name in ("dataset", "model") if (folder / name).is_dir()]
    return f"next: make {' and '.join(made)} anew, by `sprout run` with the settings of the run" if made else ""


def _one(folder: Path, given: str, found: dict[str, tuple[str, Reviewed]]) -> Reviewed:
    alike = [given] if given in found else [id for id in found if id.startswith(given)]
    if not alike:
        raise SproutError(f"{given}: no such task in {folder}; `sprout show {shlex.quote(str(folder))}` prints ids")
    if len(alike) > 1:
        raise SproutError(f"{given}: begins the ids of {', '.join(sorted(alike)[:5])}; give more of it")
    stage, state = found[alike[0]]
    if state.original.rejected:
        raise SproutError(f"{alike[0]}: was rejected by {stage} ({state.original.rejected}), so it is in no dataset")
    return state


def _say(folder: Path, lines: Sequence[Said]) -> None:
    group = f"{AT_ONCE}{secrets.token_hex(4)}"
    Reviews(folder).say(*(line.model_copy(update={"group": group}) for line in lines))


def _report(folder: Path, new: Sequence[Reviewed], found: Sequence[Reviewed], what: str, back: str) -> str:
    num_same = len(found) - len(new)
    already = f"; {num_same:,} {'was' if num_same == 1 else 'were'} so already" if num_same else ""
    lines = [f"{folder}: {counted(len(new), 'task')} {what}{already}"]
    lines += [f"  {state.task.id}  {short(state.task.instruction, 80)}" for state in new[:MOST]]
    lines += [f"  … and {len(new) - MOST:,} more"] if len(new) > MOST else []
    return "\n".join(filter(None, [*lines, *([back, after(folder)] if new else [])]))
