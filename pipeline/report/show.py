"""Look at tasks, kept or rejected, and at two runs side by side."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pipeline.errors import SproutError, unknown
from pipeline.evaluation.table import aligned
from pipeline.report import stats
from pipeline.runs.files import dropped_from, reasons, stage_files
from pipeline.runs.products import read_record
from pipeline.runs.reviews import STAGE, Reviewed, Reviews, tags_of
from pipeline.runs.said import Texts
from pipeline.runs.settings import read_settings
from pipeline.runs.store import whole_lines
from pipeline.task import Task, read_task
from pipeline.text import short


@dataclass(frozen=True)
class Marks:
    """What reviewers must have said of a task.

    Attributes:
        tag: One of its tags.
        note: A text that occurs in one of its notes, in any case.
        judged: "good": all that judged it find it good in all respects; "bad": one does not; "unjudged": nobody has.
    """

    tag: str = ""
    note: str = ""
    judged: Literal["", "good", "bad", "unjudged"] = ""

    def fit(self, state: Reviewed) -> bool:
        verdicts = [one for (_, seen), one in state.verdicts.items() if seen == Texts.of(state.task).digest]
        bad = any(False in dict(one).values() for one in verdicts)
        good = not bad and any(one.complete for one in verdicts)
        return (
            (not self.tag or self.tag in state.tags)
            and (not self.note or any(self.note.casefold() in note.text.casefold() for note in state.notes))
            and {"": True, "good": good, "bad": bad, "unjudged": not verdicts}[self.judged]
        )


ANY = Marks()
ANY_REASON = (None, "rejected", "all")


def find(
    folder: Path, stage: str | None = None, reason: str | None = None, search: str = "", marks: Marks = ANY
) -> Iterator[Task]:
    """Tasks of a stage's file, in its order; those of the last one as people have left them.

    Args:
        stage: Unless given, the last one that gave the reason, else the last one that has a file; "review" for what
            people were given and dropped.
        reason: None finds the kept ones, "rejected" those that are not, "all" both; or one reason of theirs.
        search: Only tasks in whose instruction, inputs or outputs this occurs, in any case.

    Raises:
        SproutError: if the folder holds no run, or no such stage, and for a reason that no task was rejected for.
    """
    return (state.result for state in find_states(folder, stage, reason, search, marks))


def find_states(
    folder: Path, stage: str | None = None, reason: str | None = None, search: str = "", marks: Marks = ANY
) -> Iterator[Reviewed]:
    """As `find`, with all that people have said of each task."""
    files = stage_files(folder)
    last = list(files)[-1]
    if stage is None and reason not in ANY_REASON:
        stage = stage_that_gave(str(reason), files, Reviews(folder))
    if stage is not None and stage not in (*files, STAGE):
        raise SproutError(f"{folder}: {unknown('stage', stage, [*files, STAGE])}")
    path = files[last if stage in (None, STAGE) else stage]
    reviews = Reviews(folder) if stage in (None, STAGE, last) else None
    check_reason(path, reason, reviews)
    for number, _, line in whole_lines(path):
        task = read_task(line, f"{path}:{number}")
        if stage == STAGE and not task.kept:
            continue
        state = reviews.of(task) if reviews and task.kept else Reviewed(task, task)
        found = state.result
        wanted = {None: found.kept, "all": True, "rejected": not found.kept}
        if (
            wanted.get(reason, found.rejected == reason)
            and search.casefold() in text_of(found).casefold()
            and marks.fit(state)
        ):
            yield state


def stage_that_gave(reason: str, files: Mapping[str, Path], reviews: Reviews) -> str | None:
    """The last stage, or the review, that has rejected a task for this reason; None is the last stage.

    Raises:
        SproutError: if none has.
    """
    stages = list(files)
    there = {*dropped_from(files[stages[-1]], reviews)}
    if reason in there:
        return None
    for stage in stages[::-1]:
        given = {*reasons(files[stage])} - {"kept"}
        if reason in given:
            return stage
        there |= given
    raise SproutError(
        f"{files[stages[-1]].parent}: {unknown('reason', reason, [*sorted(there), *filter(None, ANY_REASON)])}"
    )


def check_reason(path: Path, reason: str | None, reviews: Reviews | None) -> None:
    if reason not in ANY_REASON:
        there = {*reasons(path)} - {"kept"} | ({*dropped_from(path, reviews)} if reviews else set())
        if reason not in there:
            raise SproutError(f"{path}: {unknown('reason', reason, [*sorted(there), *filter(None, ANY_REASON)])}")


def text_of(task: Task) -> str:
    return "\n".join([task.instruction, *(text for i in task.instances for text in (i.input, i.output))])


def show(tasks: Iterator[Task], num: int, as_json: bool) -> str:
    """The first `num` tasks as text, or as lines of JSON."""
    chosen = list(islice(tasks, num))
    if as_json:
        return "\n".join(task.model_dump_json(exclude_defaults=True) for task in chosen)
    return "\n\n".join(map(pretty, chosen)) or "No task matches."


def pretty(task: Task) -> str:
    kind = {True: "  classification", False: "", None: ""}[task.is_classification]
    lines = [f"{task.id}{kind}{f'  rejected: {task.rejected}' if task.rejected else ''}", task.instruction]
    for instance in task.instances:
        lines += [indented("input ", instance.input)] if instance.input else []
        lines.append(indented("output", instance.output))
    about = task.meta.get(STAGE)
    if isinstance(about, dict):
        lines += [indented("tags  ", ", ".join(tags_of(task)))] if about.get("tags") else []
        notes = about.get("notes")
        for note in notes if isinstance(notes, list) else []:
            lines += [indented("note  ", f"{note['text']} ({note['reviewer']})")] if isinstance(note, dict) else []
    if nearest := task.meta.get("nearest"):
        lines.append(indented("nearest", str(nearest)))
    return "\n".join(lines)


def indented(name: str, text: str) -> str:
    return f"  {name}  " + text.replace("\n", "\n" + " " * (len(name) + 4))


def comparison(one: Path, other: Path) -> dict[str, Any]:
    """Two runs side by side: settings that differ, and the figures of each."""
    runs = [one, other]
    figures = [stats.as_record(stats.figures(folder)) for folder in runs]
    settings = [read_settings(folder / "settings.json") for folder in runs]
    differ = {
        f"{stage}.{key}": [found.get(stage, {}).get(key) for found in settings]
        for stage in dict.fromkeys(
            stage for found in settings for stage in found if all(stage in one for one in settings)
        )
        for key in dict.fromkeys(key for found in settings for key in found.get(stage, {}))
        if len({json.dumps(found.get(stage, {}).get(key)) for found in settings}) > 1
    }
    scores = [read_record(folder / "evaluation.json") for folder in runs]
    instructions = [{task.instruction for task in find(folder)} for folder in runs]
    return {
        "runs": [str(folder) for folder in runs],
        "settings": differ,
        "stages": {
            stage: [found.get(stage) for found in figures]
            for stage in dict.fromkeys(stage for found in figures for stage, one in found.items() if "decided" in one)
        },
        "evaluation": {
            model: [found.get(model, {}).get("rouge_l") for found in scores]
            for model in dict.fromkeys(model for found in scores for model in found)
        },
        "instructions": {"each": [len(texts) for texts in instructions], "both": len(set.intersection(*instructions))},
    }


def compare(one: Path, other: Path) -> str:
    """`comparison` as text."""
    found = comparison(one, other)
    rows = [["", *found["runs"]]]
    rows += [
        [key, *(short(json.dumps(value, ensure_ascii=False), 40) for value in values)]
        for key, values in found["settings"].items()
    ]
    for stage, sides in found["stages"].items():
        rows.append([f"{stage}: kept of decided", *map(kept_of, sides)])
        reasons = dict.fromkeys(reason for side in sides if side for reason in side["rejected"])
        rows += [
            [f"  {name}", *(str((side or {}).get("rejected", {}).get(name, 0)) for side in sides)] for name in reasons
        ]
        if any(side and "engine" in side for side in sides):
            used = [(side or {}).get("engine", {}) for side in sides]
            rows.append(["  tokens per kept task", *(f"{each.get('tokens_per_kept_task', 0):,.1f}" for each in used)])
    rows += [
        [f"ROUGE-L of {model}", *("" if score is None else f"{score:.1f}" for score in scores)]
        for model, scores in found["evaluation"].items()
    ]
    texts = found["instructions"]
    rows.append(["tasks at the end", *(f"{count:,}" for count in texts["each"])])
    rows.append(["  in both", f"{texts['both']:,}", ""])
    return aligned(rows, str.rjust)


def kept_of(side: dict[str, Any] | None) -> str:
    if not side:
        return "not run"
    return f"{side['kept']:,} of {side['decided']:,} ({side['kept'] / max(1, side['decided']):.0%})"
