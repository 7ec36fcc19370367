"""review.jsonl: what people said of a run's tasks, one line each, and the tasks as that leaves them."""

import codecs
import fcntl
import logging
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import SproutError, explain
from pipeline.runs.said import Said, Texts, Verdict, as_line, digest
from pipeline.runs.store import ID, at, ids_of, is_whole, mend_last_line, whole_lines, without
from pipeline.task import Task, read_task

logger = logging.getLogger(__name__)

FILE = "review.jsonl"
STAGE = "review"  # what figures call it, as if it were the last stage of a run
DROPPED = "dropped_by_review"  # the reason, unless a reviewer gives another


class Note(BaseModel):
    model_config = ConfigDict(frozen=True)

    reviewer: str
    text: str


@dataclass
class Reviewed:
    """A task as reviewers have left it."""

    original: Task
    task: Task  # with their changes
    dropped: str = ""  # the reason
    dropped_by: str = ""
    tags: tuple[str, ...] = ()
    notes: list[Note] = field(default_factory=list)
    edits: list[Said] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)  # by whom
    verdicts: dict[tuple[str, str], Verdict] = field(default_factory=dict)  # by reviewer and digest of the texts
    sampled: bool = False
    passed_over: int = 0  # drops and edits of another text under this id

    def verdict(self, reviewer: str) -> Verdict | None:
        """What a reviewer says of the texts as they are now."""
        return self.verdicts.get((reviewer, Texts.of(self.task).digest))

    @property
    def first_verdicts(self) -> dict[str, Verdict]:
        """By reviewer, what was said of the texts as the run has made them."""
        first = Texts.of(self.original).digest
        return {reviewer: verdict for (reviewer, seen), verdict in self.verdicts.items() if seen == first}

    @property
    def marks(self) -> list[str]:
        """What was said of it, a few words each."""
        verdicts = self.verdicts.values()
        wrong = [name for name in Verdict.model_fields if any(getattr(one, name) is False for one in verdicts)]
        good = ["good"] if not wrong and any(one.good for one in verdicts) else []
        found = [*good, *(f"{name} not good" for name in wrong), *(["changed"] if self.edits else []), *self.tags]
        return [*found, *(f"{note.reviewer}: {note.text}" for note in self.notes)]

    @property
    def result(self) -> Task:
        """The task with changes, tags and notes, and rejected if it was dropped."""
        about: dict[str, Any] = {"edited_by": list(dict.fromkeys(one.reviewer for one in self.edits))}
        about |= {"tags": list(self.tags), "notes": [note.model_dump() for note in self.notes]}
        about = {key: value for key, value in about.items() if value}
        task = self.task.update(meta=self.task.meta | {STAGE: about}) if about else self.task
        return task.reject(self.dropped) if self.dropped else task


def tags_of(task: Task) -> list[str]:
    """The tags that reviewers have given to a task of `reviewed`."""
    about = task.meta.get(STAGE)
    tags = about.get("tags") if isinstance(about, dict) else None
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


class Reviews:
    """The lines of a run's review.jsonl by task; `refresh` reads what was added since, by whatever process.

    Raises:
        SproutError: naming `path:line`, for a line that is none of its kind.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._forget()
        self.refresh()

    def refresh(self) -> None:
        """Read on; a last line that is half written is left for later."""
        try:
            size = self.path.stat().st_size
            if size < self._read:
                self._forget()
            if size == self._read:
                return
            with self.path.open("rb") as file:
                file.seek(self._read)
                for line in file:
                    if not line.endswith(b"\n") and not is_whole(line):
                        break
                    self._read += len(line)
                    self._count += 1
                    if not line.isspace():
                        self._take(self._parse(line if self._count > 1 else line.removeprefix(codecs.BOM_UTF8)))
        except FileNotFoundError:
            self._forget()
        except OSError as error:
            raise SproutError(f"{self.path}: cannot be read ({error.strerror}); let this user read it") from None

    def say(self, *lines: Said) -> None:
        """Write lines; they are on disk when this returns, and half a line that a kill has left is gone.

        Raises:
            SproutError: if they cannot be written; what the file held is kept.
        """
        if not lines:
            return
        try:
            with open(self.path, "ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                mend_last_line(file)
                file.write("".join(map(as_line, lines)).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SproutError(f"{self.path}: cannot be written ({error.strerror}); what it holds is kept") from None
        self.refresh()

    def __bool__(self) -> bool:
        return bool(self.by_task)

    def of(self, task: Task) -> Reviewed:
        """A task, as a stage has left it, with all that was said of it."""
        state, instruction = Reviewed(task, task), digest(task.instruction)
        for one in self.by_task.get(task.id, ()):
            if not {one.id, one.group} & self.undone:
                _fold(state, one, instruction)
        return state

    def current(self) -> Iterator[Said]:
        """All lines that are not undone, in their order."""
        return (one for one in self.lines.values() if one.did != "undo" and not {one.id, one.group} & self.undone)

    @property
    def changes(self) -> str:
        """A digest of what was dropped and changed; empty if nothing was, or all of it is undone."""
        last: dict[tuple[str, str], list[str]] = {}
        for one in self.current():
            if one.did in ("drop", "keep"):
                last[one.task, "drop"] = [one.reason] if one.did == "drop" else []
            elif one.did == "edit" and one.after:
                last.setdefault((one.task, "edit"), []).append(one.after.digest)
        found = sorted((task, what, *values) for (task, what), values in last.items() if values)
        return digest(*(part for change in found for part in change)) if found else ""

    def _forget(self) -> None:
        self._read = self._count = 0
        self.lines: dict[str, Said] = {}
        self.by_task: dict[str, list[Said]] = {}
        self.undone: set[str] = set()

    def _parse(self, line: bytes) -> Said:
        try:
            return Said.model_validate_json(line)
        except ValidationError as error:
            problem = explain(error, Said)
            raise SproutError(f"{self.path}:{self._count}: not a line of a review: {problem}; delete it") from None

    def _take(self, one: Said) -> None:
        self.lines[one.id] = one
        if one.did == "undo":
            self.undone.add(one.undoes)
        elif one.did != "rate":
            self.by_task.setdefault(one.task, []).append(one)


class Changed(Sequence[Task]):
    """Tasks of which some few are replaced by what reviewers have made of them."""

    def __init__(self, tasks: Sequence[Task], changed: Mapping[str, Task]) -> None:
        self.tasks, self.changed = tasks, changed

    def __len__(self) -> int:
        return len(self.tasks)

    @overload
    def __getitem__(self, which: int) -> Task: ...
    @overload
    def __getitem__(self, which: slice) -> "Changed": ...
    def __getitem__(self, which: int | slice) -> "Task | Changed":
        if isinstance(which, slice):
            return Changed(self.tasks[which], self.changed)
        return self.changed.get((task := self.tasks[which]).id, task)

    def __iter__(self) -> Iterator[Task]:
        return (self.changed.get(task.id, task) for task in self.tasks)

    def at(self, places: Iterable[int]) -> Iterator[Task]:
        """As `Stored.at`."""
        return (self.changed.get(task.id, task) for task in at(self.tasks, places))


def reviewed(tasks: Sequence[Task], folder: Path) -> Sequence[Task]:
    """The tasks that nobody has dropped, with the changes of reviewers; the same ones if a run has no review.

    Raises:
        SproutError: if all of them are dropped.
    """
    reviews = Reviews(folder)
    if not reviews:
        return tasks
    states = [reviews.of(tasks[place]) for place, id in enumerate(ids_of(tasks)) if id in reviews.by_task]
    dropped = {state.task.id for state in states if state.dropped}
    changed = {state.task.id: state.result for state in states if state.result is not state.original}
    if stale := sum(state.passed_over for state in states):
        logger.warning("%s: drops and edits made for other texts than the run has now are left out: %d",
                       reviews.path, stale)  # fmt: skip
    if dropped and len(dropped) == len(tasks):
        back = f"`sprout keep {shlex.quote(str(folder))} --all` takes that back"
        raise SproutError(f"{reviews.path}: all {len(tasks)} tasks are dropped, so none is left; {back}")
    kept = without(tasks, dropped) if dropped else tasks
    return Changed(kept, changed) if changed.keys() - dropped else kept


def _fold(state: Reviewed, one: Said, instruction: str) -> None:
    """Add a line to what is known of its task."""
    if one.did == "judge":
        if one.verdict:
            state.verdicts[one.reviewer, one.seen] = one.verdict
            state.sampled |= one.sampled
        return
    if one.did == "edit":
        if one.after and one.before == Texts.of(state.task):
            state.task = one.after.put_into(state.task)
            state.edits.append(one)
            state.sampled |= one.sampled
        else:
            state.passed_over += 1
        return
    if one.seen and one.seen != instruction:
        state.passed_over += one.did == "drop"
        return
    if one.did in ("drop", "keep"):
        state.dropped = (one.reason or DROPPED) if one.did == "drop" else ""
        state.dropped_by = one.reviewer if one.did == "drop" else ""
        state.sampled |= one.sampled
    elif one.did == "tag":
        state.tags = one.tags
    elif one.did == "note":
        state.notes.append(Note(reviewer=one.reviewer, text=one.note))
    elif one.did == "skip":
        state.skipped.add(one.reviewer)


def touched(path: Path, ids: Iterable[str]) -> Iterator[Task]:
    """The tasks of a stage's file that have one of these ids."""
    wanted = {*ids}
    for number, _, line in whole_lines(path):
        found = ID.match(line)
        if not found or found[1].decode() in wanted:
            task = read_task(line, f"{path}:{number}")
            if task.id in wanted:
                yield task
