"""Tasks in the order in which they are reviewed: a random sample, or what a search finds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from pipeline.dataset.quality import margin_of, sample_size
from pipeline.errors import SproutError
from pipeline.report.review.changes import AT_ONCE
from pipeline.report.review.desk import Action, Answer, ChangedMeanwhile, Desk, in_random_order
from pipeline.report.review.neighbours import Neighbours
from pipeline.report.show import ANY, Marks, find_states
from pipeline.report.why import find as find_lives
from pipeline.report.why import journal_of, stage_of
from pipeline.runs.files import stage_files
from pipeline.runs.reviews import Reviewed
from pipeline.runs.said import Said, Texts, digest
from pipeline.runs.settings import FILE as SETTINGS
from pipeline.runs.settings import read_settings
from pipeline.runs.store import ID, Stored, whole_lines
from pipeline.task import read_task
from pipeline.text import one_line


@dataclass(frozen=True)
class Choice:
    """Which tasks are reviewed; `sample` and `margin` only where nothing is looked for."""

    stage: str | None = None
    reason: str | None = None
    search: str = ""
    marks: Marks = ANY
    sample: int = 100  # 0: all of them, in their order
    margin: float | None = None  # as many as give an interval of ± so many points

    @property
    def drawn(self) -> bool:
        looked_for = self.stage or self.reason or self.search or self.marks != ANY
        return not looked_for and self.sample > 0

    @property
    def size(self) -> int:
        return sample_size(self.margin) if self.margin else self.sample


class TaskDesk(Desk):
    """Tasks of a run's file. `drawn`: they stand for all."""

    page: ClassVar[str] = "tasks"

    def __init__(self, folder: Path, tasks: Stored, title: str, drawn: bool) -> None:
        super().__init__(folder, [*tasks.ids()], title)
        self.tasks, self.drawn = tasks, drawn
        self.neighbours = Neighbours(folder)
        self.can_repair = False
        self._states: dict[str, tuple[list[str], Reviewed]] = {}
        self._done: dict[str, tuple[int, set[str]]] = {}  # by reviewer, and how many lines there were then

    def about(self) -> Answer:
        return {"drawn": self.drawn, "repairs": self.can_repair}

    def state(self, place: int) -> Reviewed:
        """A task and what was said of it, kept until more is said."""
        id = self.ids[place]
        said = [one.id for one in self.reviews.by_task.get(id, ()) if not {one.id, one.group} & self.reviews.undone]
        known, state = self._states.get(id, (None, None))
        if state is None or known != said:
            task = state.original if state else self.tasks[place]
            state = self.reviews.of(task)
            if said:
                self._states[id] = said, state
        return state

    def item(self, place: int, reviewer: str) -> Answer:
        state = self.state(place)
        texts, verdict = Texts.of(state.task), state.verdict(reviewer)
        return {
            "id": state.task.id,
            **texts.fields,
            "before": Texts.of(state.original).fields if state.edits else None,
            "classification": state.task.is_classification,
            "rejected": state.original.rejected or "",
            "seen": texts.digest,
            "dropped": state.dropped,
            "dropped_by": state.dropped_by,
            "tags": state.tags,
            "notes": [note.model_dump() for note in state.notes],
            "verdict": dict(verdict) if verdict else None,
            "done": self._is_done(state, reviewer),
        }

    def lines(self, place: int, asked: Action) -> Sequence[Said]:
        state = self.state(place)
        texts = Texts.of(state.task)
        known: dict[str, Any] = {"reviewer": asked.reviewer, "task": asked.id, "did": asked.did, "sampled": self.drawn}
        if asked.did in ("judge", "edit") and asked.seen != texts.digest:
            raise ChangedMeanwhile("somebody has changed this task; here it is as it is now")
        if asked.did == "judge":
            return [Said(**known, seen=texts.digest, verdict=asked.verdict)] if asked.verdict else []
        if asked.did == "edit":
            if asked.after is None or asked.after == texts:
                return []
            if not asked.after.instruction.strip() or len(asked.after.instances) != len(texts.instances):
                raise SproutError("an instruction cannot be empty, and no instance can go; drop the task instead")
            return [Said(**known, before=texts, after=asked.after, note=asked.note, model=asked.model)]
        known |= {"seen": digest(state.original.instruction)}
        tags = tuple(dict.fromkeys(filter(None, map(one_line, asked.tags))))
        marks = ("drop", "keep", "tag", "note", "skip")
        return [Said(**known, tags=tags, note=asked.note)] if asked.did in marks else []

    def done(self, reviewer: str) -> set[str]:
        known, done = self._done.get(reviewer, (0, set[str]()))
        new = [*islice(self.reviews.lines.values(), known, None)]
        undone = not known or any(one.did == "undo" for one in new)  # which may be of many tasks
        for id in self.reviews.by_task if undone else {one.task for one in new}:
            if id in self.places:
                (done.add if self._is_done(self.state(self.places[id]), reviewer) else done.discard)(id)
        self._done[reviewer] = len(self.reviews.lines), done
        return done

    def mine(self, one: Said) -> bool:
        return one.did != "rate" and not one.group.startswith(AT_ONCE)

    def detail(self, id: str) -> Answer:
        """The prompts that a task came from, with the completions, and the tasks closest to it."""
        life = find_lives(id, self.folder).get(id, {})
        settings = read_settings(self.folder / SETTINGS)
        requests = {name: stage_of(name, settings.get(name, {})).requests(task) for name, task in life.items()}
        with journal_of(self.folder) as journal:
            entries = journal.entries(requests) if journal else {}
        asked = [{"stage": one.stage, "model": one.model, "prompt": one.prompt, "completion": one.completion.text}
                 for name in entries for one in entries[name]]  # fmt: skip
        near = self.neighbours.of(next(iter(life.values()))) if life else []
        return {"asked": asked, "near": [{"score": score, "text": text} for score, text in near]}

    def found(self, search: str) -> Iterator[Reviewed]:
        """All kept tasks of the run in which a text occurs, as they are now."""
        return find_states(self.folder, None, None, search)

    def _is_done(self, state: Reviewed, reviewer: str) -> bool:
        verdict = state.verdict(reviewer)
        return bool(state.dropped or reviewer in state.skipped or (verdict and verdict.complete))


def tasks_of(folder: Path, choice: Choice) -> TaskDesk:
    """The tasks to review.

    A sample is drawn from what the last stage has kept, whatever people have dropped since; the same one each time.

    Raises:
        SproutError: if there are none.
    """
    files = stage_files(folder)
    path = files.get(choice.stage or "", [*files.values()][-1])
    offsets = offsets_in(path)
    if choice.drawn:
        kept = [state.task.id for state in find_states(folder, None, "all") if state.original.kept]
        chosen = in_random_order(kept)[: choice.size]
        title = f"{len(chosen):,} of {len(kept):,} tasks, drawn at random"
        title = f"all {len(kept):,} tasks, in random order" if len(chosen) == len(kept) else title
    else:
        states = find_states(folder, choice.stage, choice.reason, choice.search, choice.marks)
        chosen = [state.task.id for state in states]
        title = f"{len(chosen):,} tasks"
    if not chosen:
        raise SproutError(f"{folder}: no task matches, so there is nothing to review")
    if choice.drawn:
        title += f" (± {margin_of(len(chosen)):.0f} points at 95 %)"
    return TaskDesk(folder, Stored(path, [offsets[id] for id in chosen]), title, choice.drawn)


def offsets_in(path: Path) -> dict[str, int]:
    """Where each task of a stage's file begins."""
    found = {}
    for number, place, line in whole_lines(path):
        match = ID.match(line)
        found[match[1].decode() if match else read_task(line, f"{path}:{number}").id] = place
    return found
