"""The whole history of one candidate: where it came from, what each stage made of it, and what dropped it."""

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline.errors import SproutError
from pipeline.runs.context import Context
from pipeline.runs.files import stage_files
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.reviews import STAGE, Reviewed, Reviews, touched
from pipeline.runs.said import Said
from pipeline.runs.settings import FILE as SETTINGS
from pipeline.runs.settings import read_settings
from pipeline.runs.shards import shard_folders
from pipeline.runs.store import ID, whole_lines
from pipeline.settings.read import look_as
from pipeline.stage import Stage
from pipeline.stages import find as find_kind
from pipeline.task import Task, read_task
from pipeline.text import first_few

T = TypeVar("T")
Requests = Mapping[str, Sequence[str]]  # their ids, by stage

MOST = 1600  # characters of a prompt or a completion that are shown unless all are asked for
WIDTH = 100


def why(task_id: str, folders: list[Path], full: bool = False) -> str:
    """The life of a task as text.

    Args:
        task_id: The id, or as much of its beginning as tells it apart.
        folders: The runs to look in.
        full: Show long prompts and completions whole.

    Raises:
        SproutError: if no run has the task, or if several tasks begin so.
    """
    for folder in folders:
        if lives := find(task_id, folder):
            if len(lives) > 1:
                raise SproutError(f"{task_id}: begins the ids of {', '.join(sorted(lives)[:5])}; give more of it")
            (life,) = lives.values()
            return "\n".join(tell(life, folder, full))
    raise SproutError(
        f"{task_id}: no such task in {first_few([*map(str, folders)]) or 'outputs/'}; `sprout show RUN` prints ids"
    )


def find(task_id: str, folder: Path) -> dict[str, dict[str, Task]]:
    """What each stage has written about the tasks whose id begins so: by id, then by stage."""
    found: dict[str, dict[str, Task]] = {}
    for stage, path in stage_files(folder).items():
        for number, _, line in whole_lines(path):
            match = ID.match(line)
            if not match or match[1].decode().startswith(task_id):
                task = read_task(line, f"{path}:{number}")
                if task.id.startswith(task_id):
                    found.setdefault(task.id, {})[stage] = task
    return found


def tell(life: dict[str, Task], folder: Path, full: bool) -> Iterator[str]:
    last_stage, last = list(life.items())[-1]
    reviews = Reviews(folder)
    state = reviews.of(last)
    if state.dropped:
        last_stage, last = STAGE, last.reject(state.dropped)
    end = f"rejected by {last_stage}: {last.rejected}" if last.rejected else f"kept by {last_stage}"
    yield f"{last.id}  {end}"
    yield quoted(last.instruction)
    if last.scores:
        yield f"  scores: {', '.join(f'{name} {score:g}' for name, score in last.scores.items())}"
    settings = read_settings(folder / SETTINGS)
    look_as(folder)
    shard = shard_of(last, folder)
    if shard:
        yield f"  from {shard}"
    with journal_of(folder) as own, journal_of(shard) as older:
        before: Task | None = None
        stages = {name: stage_of(name, settings.get(name, {})) for name in life}
        asked = {name: stage.requests(life[name]) for name, stage in stages.items()}
        completions = recalled(asked, [journal.entries for journal in (own, older) if journal])
        likelihoods = recalled(asked, [journal.scored for journal in (own, older) if journal])
        for name, task in life.items():
            yield f"\n{name}: {'kept' if task.kept else f'rejected, {task.rejected}'}"
            entries = completions.get(name, [])
            for line in stages[name].explain(task, before, [entry.completion for entry in entries]):
                yield quoted(line, "    " if line.startswith("{") else "  ")
            for entry in entries:
                completion = entry.completion
                yield f"  prompt, to {entry.model} ({completion.prompt_tokens} tokens)"
                yield quoted(entry.prompt if full else shortened(entry.prompt), "  │ ")
                yield f"  completion ({completion.completion_tokens} tokens, finish reason {completion.finish_reason})"
                yield quoted(completion.text if full else shortened(completion.text), "  │ ")
            for scored in likelihoods.get(name, []):
                yield f"  scored, by {scored.model}: {scored.num_tokens} tokens, {scored.mean:.4f} each on average"
                yield quoted(scored.prompt if full else shortened(scored.prompt), "  │ ")
                yield quoted(scored.continuation if full else shortened(scored.continuation), "  → ")
            before = task
        yield from told(state, [one for one in reviews.current() if one.task == last.id])
        if not own and not older:
            yield f"\nThere is no {folder / FILE}, so prompts and completions can't be shown."


def told(state: Reviewed, lines: Sequence[Said]) -> Iterator[str]:
    """What people have said of a task."""
    if not lines:
        return
    yield f"\n{STAGE}: {f'dropped, {state.dropped}' if state.dropped else 'kept'}"
    for one in lines:
        answers = {True: "yes", False: "no", None: "not answered"}
        verdict = ", ".join(f"{name} {answers[yes]}" for name, yes in one.verdict or ())
        said = {"judge": verdict, "drop": one.reason, "tag": ", ".join(one.tags), "note": one.note, "edit": one.note}
        about = said.get(one.did, "")
        yield f"  {one.time}  {one.reviewer}: {one.did}{f' ({about})' if about else ''}"
        if one.before and one.after:
            yield quoted(one.before.text, "  - ")
            yield quoted(one.after.text, "  + ")


def shard_of(task: Task, folder: Path) -> Path | None:
    """The shard that a task of a merged run is from, if its folder is still there."""
    for shard in shard_folders(folder):
        if any(any(touched(path, [task.id])) for path in stage_files(shard).values()):
            return shard
    return None


def recalled(asked: Requests, places: Sequence[Callable[[Requests], Mapping[str, list[T]]]]) -> dict[str, list[T]]:
    """What the first of several journals to hold anything about the requests of a stage holds, by stage."""
    found: dict[str, list[T]] = {}
    for look in places:
        found |= {stage: rows for stage, rows in look(asked).items() if rows and stage not in found}
    return found


def journal_of(folder: Path | None) -> AbstractContextManager[Journal | None]:
    return Journal(folder / FILE) if folder and (folder / FILE).is_file() else nullcontext()


class Unknown(Stage):
    """Stands for a stage whose code is not to be found here; it explains what every stage can."""

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        yield from todo


def stage_of(name: str, settings: Mapping[str, Any]) -> Stage:
    """The stage of a run, with the settings that its folder says it had."""
    try:
        kind = find_kind(str(settings.get("class") or settings.get("stage")))
        fields = {key: settings[key] for key in kind.model_fields if key in settings}
        stage = kind.model_validate(fields | {"label": name.partition("-")[2]})
    except (SproutError, ValidationError):
        return Unknown()
    return stage if isinstance(stage, Stage) else Unknown()


def shortened(text: str) -> str:
    if len(text) <= MOST:
        return text
    return f"{text[: MOST // 2]}\n[… {len(text) - MOST:,} characters, --full shows them …]\n{text[-MOST // 2 :]}"


def quoted(text: str, margin: str = "  ") -> str:
    lines = [wrapped for line in text.split("\n") for wrapped in textwrap.wrap(line, WIDTH) or [""]]
    return "\n".join(margin + line for line in lines)
