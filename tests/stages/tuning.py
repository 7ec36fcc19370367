"""Tasks to tune a tiny model on, and its tuning."""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.dataset.content import TextRow
from pipeline.dataset.encodings import draw, encode
from pipeline.engines.scripted import Scripted
from pipeline.runs.context import Context
from pipeline.stage import Stage
from pipeline.stages.export import Export
from pipeline.stages.train import Train
from pipeline.task import Instance, Task

CAPITALS = {"Peru": "Lima", "France": "Paris", "Japan": "Tokyo", "Kenya": "Nairobi", "Norway": "Oslo"}
TASKS = [
    Task(id=f"task_{land}", instruction="Name the capital.", instances=(Instance(input=land, output=capital),))
    for land, capital in CAPITALS.items()
]
SEEDS = [Task(id="seed_1", instruction="Say yes.", instances=(Instance(output="yes"),))]


class Given(Stage):
    """Makes the tasks of these tests."""

    adds = True

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        yield from TASKS[len(done) :]


def context(folder: Path, model: str) -> Context:
    return Context(seeds=SEEDS, engine=Scripted(lambda request: "", model=model), folder=folder)


def train(folder: Path, model: str, tasks: list[Task] = TASKS, **settings: Any) -> dict:
    """Tune on the dataset of a run with these tasks."""
    run = context(folder, model)
    Export(encoding="plain", validation_share=0).make(tasks, run)
    Train.model_validate({"max_steps": 3} | settings).make(tasks, run)
    return record(folder / "model")


def record(folder: Path) -> dict:
    return json.loads((folder / "train.json").read_text("utf-8"))


def text_rows(tasks: list[Task] = TASKS, rng: random.Random | None = None) -> list[TextRow]:
    pairs = ((task.instruction, instance) for task in tasks for instance in task.instances)
    texts = (
        encode(
            instruction, instance.input, instance.output, draw(instance.input, rng.getrandbits(64)) if rng else "plain"
        )
        for instruction, instance in pairs
    )
    return [TextRow(prompt=prompt, completion=completion) for prompt, completion in texts]
