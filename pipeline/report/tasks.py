"""The tasks that the page holds, as columns, packed so that some ten thousand of them fit."""

import base64
import gzip
import json
import math
from typing import Any

import numpy as np

from pipeline.report.map import clusters, layout, names
from pipeline.report.plots import CLUSTERS
from pipeline.report.record import Life, RunRecord, chosen
from pipeline.report.vectors import find_vectors
from pipeline.task import Task
from pipeline.text import mend

MAX_BYTES = 3_000_000  # of the packed tasks; BokehJS takes 1.3 MB and the page has to stay under 5 MB
MAX_CHARS = 1_500  # of a text
MAX_INSTANCES = 5  # of a task
MIN_MAPPED = 200  # kept tasks; of fewer one sees more by reading them
_OTHERS = "others"

Columns = dict[str, Any]


def pack(columns: Columns) -> str:
    """JSON, compressed, in characters that mean nothing to HTML."""
    plain = json.dumps(columns, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(plain.encode(), 9, mtime=0)).decode()


def fitted(record: RunRecord, max_bytes: int = MAX_BYTES) -> tuple[Columns, str]:
    """The columns of as many tasks as fit, and the same packed; fewer tasks are a deterministic sample."""
    lives, share = record.lives, 1.0
    while True:
        columns = as_columns(record, lives)
        packed = pack(columns)
        if len(packed) <= max_bytes or not lives:
            return columns, packed
        share *= min(0.9, 0.95 * max_bytes / len(packed))
        lives = [life for life in record.lives if chosen(life.task.id, share * len(record.lives) / record.candidates)]


def as_columns(record: RunRecord, lives: list[Life]) -> Columns:
    tasks = [life.task for life in lives]
    reasons = sorted({task.rejected for task in tasks if task.rejected})
    rows = {task.id: row for row, task in enumerate(tasks)}
    texts = {task.instruction: task.id for task in tasks} | {seed.instruction: seed.id for seed in record.seeds}
    seeds = {seed.id: seed.instruction for seed in record.seeds}
    stages = [*record.funnel]
    others: dict[str, int] = {}  # seeds, and tasks that are not on the page; the row -1 - n stands for the n-th

    def place(id: str) -> int:
        return rows[id] if id in rows else -1 - others.setdefault(id, len(others))

    def nearest(task: Task) -> int | str | None:
        found = task.meta.get("nearest")
        if not isinstance(found, str) and task.id in record.kept_rouge:
            found = record.kept_rouge[task.id].text
        if not isinstance(found, str):
            return None
        return place(texts[found]) if found in texts else shortened(found)

    columns: Columns = {
        "whole": len(lives) == record.candidates, "stages": stages, "reasons": reasons,
        "id": [mend(task.id) for task in tasks],
        "text": [shortened(task.instruction) for task in tasks],
        "instances": [instances(task) for task in tasks],
        "stage": [stages.index(life.stage) for life in lives],
        "reason": [reasons.index(task.rejected) if task.rejected else -1 for task in tasks],
        "classification": [-1 if task.is_classification is None else int(task.is_classification) for task in tasks],
        "demos": [list(map(place, task.parents)) for task in tasks],
        "nearest": [nearest(task) for task in tasks],
        "scores": scores(record, tasks),
        "marks": [list(map(mend, record.marks.get(task.id, ()))) for task in tasks],
    }  # fmt: skip
    columns |= mapped(record, tasks, lives)
    columns[_OTHERS] = [[mend(id), shortened(seeds[id]) if id in seeds else None] for id in others]
    return columns


def instances(task: Task) -> list[list[str]]:
    return [[shortened(one.input), shortened(one.output)] for one in task.instances[:MAX_INSTANCES]]


def scores(record: RunRecord, tasks: list[Task]) -> dict[str, list[float | None]]:
    """By name; where `instructions` has kept a task, its ROUGE-L is that to the closest text before it."""
    found: dict[str, list[float | None]] = {}
    for row, task in enumerate(tasks):
        own = dict(task.scores)
        if task.id in record.kept_rouge:
            own.setdefault("rouge_l", record.kept_rouge[task.id].score)
        for name, score in own.items():
            if math.isfinite(score):
                found.setdefault(mend(name), [None] * len(tasks))[row] = round(score, 4)
    return found


def mapped(record: RunRecord, tasks: list[Task], lives: list[Life]) -> Columns:
    """Cluster and place of each task that the last stage has kept; -1 and None for the others."""
    cluster: list[int] = [-1] * len(tasks)
    places: list[list[float] | None] = [None] * len(tasks)
    kept = [row for row, life in enumerate(lives) if life.stage == record.stages[-1] and life.task.kept]
    if len(kept) < MIN_MAPPED:
        return {"cluster": cluster, "place": places, "clusters": [], "source": ""}
    found = find_vectors([tasks[row] for row in kept], record.folder, record.settings)
    numbers = clusters(found.vectors)
    plane = np.round(layout(found.vectors), 3)
    for row, number, at in zip(found.rows, numbers.tolist(), plane.tolist(), strict=True):
        cluster[kept[row]], places[kept[row]] = number, at
    pairs = [record.find_pair(tasks[kept[row]].instruction) for row in found.rows]
    sizes = np.bincount(numbers).tolist()
    named = [
        [mend(name), size, color] for name, size, color in zip(names(pairs, numbers), sizes, CLUSTERS, strict=False)
    ]
    return {"cluster": cluster, "place": places, "clusters": named, "source": found.source}


def shortened(text: str) -> str:
    text = mend(text)
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]} … ({len(text) - MAX_CHARS:,} characters more)"
