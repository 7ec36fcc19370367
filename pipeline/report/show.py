"""Look at tasks, kept or rejected, and at two runs side by side."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.errors import SproutError, unknown
from pipeline.report import stats
from pipeline.runs.files import reasons, stage_files
from pipeline.runs.products import read_record
from pipeline.runs.settings import read_settings
from pipeline.task import Task, read_task


def find(folder: Path, stage: str | None = None, reason: str | None = None, search: str = "") -> Iterator[Task]:
    """Tasks of a stage's file, in its order.

    Args:
        stage: The last one that has a file, unless given.
        reason: None finds the kept ones, "rejected" those that are not, "all" both; or one reason of theirs.
        search: Only tasks in whose instruction, inputs or outputs this occurs, in any case.

    Raises:
        SproutError: if the folder holds no run, or no such stage, and for a reason that no task was rejected for.
    """
    files = stage_files(folder)
    if stage is not None and stage not in files:
        raise SproutError(f"{folder}: {unknown('stage', stage, files)}")
    path = files[stage or list(files)[-1]]
    if reason not in (None, "rejected", "all") and reason not in (there := sorted({*reasons(path)} - {"kept"})):
        raise SproutError(f"{path}: {unknown('reason', reason, [*there, 'rejected', 'all'])}")
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                task = read_task(line, f"{path}:{number}")
                wanted = {None: task.kept, "all": True, "rejected": not task.kept}.get(reason, task.rejected == reason)
                if wanted and search.casefold() in text_of(task).casefold():
                    yield task


def text_of(task: Task) -> str:
    return "\n".join([task.instruction, *(text for i in task.instances for text in (i.input, i.output))])


def show(tasks: Iterator[Task], num: int, as_json: bool) -> str:
    """The first `num` tasks as text, or as lines of JSON."""
    chosen = list(islice(tasks, num))
    if as_json:
        return "\n".join(task.model_dump_json(exclude_defaults=True) for task in chosen)
    return "\n\n".join(map(pretty, chosen)) or "No task is like that."


def pretty(task: Task) -> str:
    kind = {True: "  classification", False: "", None: ""}[task.is_classification]
    lines = [f"{task.id}{kind}{f'  rejected: {task.rejected}' if task.rejected else ''}", task.instruction]
    for instance in task.instances:
        lines += [indented("input ", instance.input)] if instance.input else []
        lines.append(indented("output", instance.output))
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
        for stage in dict.fromkeys(stage for found in settings for stage in found)
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
    lines = [row("", *found["runs"])]
    lines += [row(key, *map(json.dumps, values)) for key, values in found["settings"].items()]
    for stage, sides in found["stages"].items():
        lines.append(row(f"{stage}: kept of decided", *(kept_of(side) for side in sides)))
        reasons = dict.fromkeys(reason for side in sides if side for reason in side["rejected"])
        lines += [
            row(f"  {name}", *(str((side or {}).get("rejected", {}).get(name, 0)) for side in sides))
            for name in reasons
        ]
        if any(side and "engine" in side for side in sides):
            used = [(side or {}).get("engine", {}) for side in sides]
            lines.append(row("  tokens a kept task", *(f"{each.get('tokens_per_kept_task', 0):,.1f}" for each in used)))
    lines += [
        row(f"ROUGE-L of {model}", *("" if score is None else f"{score:.1f}" for score in scores))
        for model, scores in found["evaluation"].items()
    ]
    texts = found["instructions"]
    lines.append(row("instructions at the end", *(f"{count:,}" for count in texts["each"])))
    lines.append(row("  in both", f"{texts['both']:,}"))
    return "\n".join(lines)


def kept_of(side: dict[str, Any] | None) -> str:
    if not side:
        return "not run"
    return f"{side['kept']:,} of {side['decided']:,} ({side['kept'] / max(1, side['decided']):.0%})"


def row(name: str, *cells: str) -> str:
    return f"{name:<38}" + "".join(f"{cell:>30}" for cell in cells)
