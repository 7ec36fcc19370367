"""The whole life of one candidate: where it came from, what each stage made of it, and what dropped it."""

import json
import textwrap
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pipeline.asking.lists import parse_list
from pipeline.errors import SproutError
from pipeline.filters.instances import INSTANCE_FILTERS, OUR_FILTERS, contradiction
from pipeline.filters.instructions import INSTRUCTION_FILTERS, starts_non_ascii
from pipeline.runs.files import stage_files
from pipeline.runs.journal import FILE, Entry, Journal
from pipeline.runs.run import read_settings
from pipeline.task import Task, read_task

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
    raise SproutError(f"{task_id}: no such task in {', '.join(map(str, folders)) or 'outputs/'}; `id` is in each line")


def find(task_id: str, folder: Path) -> dict[str, dict[str, Task]]:
    """What each stage has written about the tasks whose id begins so: by id, then by stage."""
    wanted = f'"id":"{task_id}'.encode()
    found: dict[str, dict[str, Task]] = {}
    for stage, path in stage_files(folder).items():
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if wanted in line and line.endswith(b"\n"):
                    task = read_task(line, f"{path}:{number}")
                    if task.id.startswith(task_id):
                        found.setdefault(task.id, {})[stage] = task
    return found


def tell(life: dict[str, Task], folder: Path, full: bool) -> Iterator[str]:
    last_stage, last = list(life.items())[-1]
    end = f"rejected by {last_stage}: {last.rejected}" if last.rejected else f"kept by {last_stage}"
    yield f"{last.id}  {end}"
    yield quoted(last.instruction)
    settings = read_settings(folder / "settings.json")
    with Journal(folder / FILE) if (folder / FILE).is_file() else nullcontext() as journal:
        for stage, task in life.items():
            yield f"\n{stage}: {'kept' if task.kept else f'rejected, {task.rejected}'}"
            yield from details(stage, task, life, settings.get(stage, {}))
            for entry in entries(journal, stage, task, max(len(one.instances) for one in life.values())):
                completion = entry.completion
                yield f"  prompt, to {entry.model} ({completion.prompt_tokens} tokens)"
                yield quoted(entry.prompt if full else shortened(entry.prompt), "  │ ")
                yield f"  completion ({completion.completion_tokens} tokens, finish reason {completion.finish_reason})"
                yield quoted(completion.text if full else shortened(completion.text), "  │ ")
                if stage == "instructions":
                    yield from parsed(completion.text, task)
    if journal is None:
        yield f"\nThere is no {folder / FILE}, so prompts and completions can't be shown."


def entries(journal: Journal | None, stage: str, task: Task, num_instances: int) -> Iterator[Entry]:
    """What a stage asked for a task: once, or once for each instance."""
    requests = [task.id, *(f"{task.id}:{number}" for number in range(num_instances))]
    if stage == "instructions":
        requests = [f"{stage}-{task.meta.get('request')}"]
    for request in requests if journal else []:
        if journal and (entry := journal.entry(stage, request)):
            yield entry


def details(stage: str, task: Task, life: dict[str, Task], settings: dict[str, Any]) -> Iterator[str]:
    if stage == "instructions":
        yield f"  request {task.meta.get('request')}, item {task.meta.get('item')}; demos {', '.join(task.demos)}"
        if task.rejected not in ("request_failed", "cut_off"):
            yield from answers_of_filters(task, bool(settings.get("english", True)))
    elif stage == "classify" and task.kept:
        yield f"  classification: {'yes' if task.is_classification else 'no'}"
    elif stage == "instances":
        yield f"  instances: {len(task.instances)}"
        for instance in task.instances:
            yield quoted(json.dumps(instance.model_dump(), ensure_ascii=False), "    ")
    elif stage == "filter":
        yield from answers_for_instances(task, life.get("instances", task))
    if stage in ("filter", "verify") and (left_out := task.meta.get("left_out")):
        yield f"  left out: {left_out}"
    for name, score in task.scores.items():
        yield f"  {name} {score}"
    if "nearest" in task.meta or "nearest_id" in task.meta:
        yield f"  nearest {' '.join(str(task.meta[key]) for key in ('nearest_id', 'nearest') if key in task.meta)}"


def answers_of_filters(task: Task, english: bool) -> Iterator[str]:
    for check in INSTRUCTION_FILTERS:
        if english or check is not starts_non_ascii:
            yield f"  filter {check.__name__}: {'rejects' if check(task) else 'passes'}"


def answers_for_instances(task: Task, before: Task) -> Iterator[str]:
    """What the filters say of each instance as it was written."""
    for number, instance in enumerate(before.instances, 1):
        objections = [check.__name__ for check in INSTANCE_FILTERS if check(instance)]
        objections += [check.__name__ for check in OUR_FILTERS if check(instance, before)]
        yield f"  instance {number}: {'rejected by ' + ', '.join(objections) if objections else 'passes'}"
    if contradiction(task):
        yield "  the same input has two different outputs"


def parsed(text: str, task: Task) -> Iterator[str]:
    for number, item in enumerate(parse_list(text)):
        yield f"  {'→' if number == task.meta.get('item') else ' '} item {number}: {item}"


def shortened(text: str) -> str:
    if len(text) <= MOST:
        return text
    return f"{text[: MOST // 2]}\n[… {len(text) - MOST:,} characters, --full shows them …]\n{text[-MOST // 2 :]}"


def quoted(text: str, margin: str = "  ") -> str:
    lines = [wrapped for line in text.split("\n") for wrapped in textwrap.wrap(line, WIDTH) or [""]]
    return "\n".join(margin + line for line in lines)
