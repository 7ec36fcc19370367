"""Models that answer held-out tasks, and their evaluation."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.engines.base import Completion, Request
from pipeline.engines.scripted import Scripted
from pipeline.runs.context import Context
from pipeline.stages.evaluate import Evaluate
from pipeline.task import Task


class Closing(Scripted):
    """Counts how often it gave its memory back."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


def right(request: Request) -> str:
    return "the 3 cats"


def wrong(request: Request) -> str:
    return "dogs"


def half(request: Request) -> str:
    return "the 3 cats" if "a" in request.id else "dogs"


def make(
    folder: Path,
    sets: str | tuple[str, ...],
    engines: dict[str, Scripted],
    base: str = "base",
    seeds: Sequence[Task] = (),
    **settings: Any,
) -> dict:
    """Evaluate a run of the model `base`, with these engines on these models."""
    run = Context(seeds=seeds, engine=engines[base], folder=folder, open_engine=engines.__getitem__)
    Evaluate.model_validate({"heldout": sets} | settings).make((), run)
    return json.loads((folder / "evaluation.json").read_text("utf-8"))


def engine(answer: Callable[[Request], str | Completion], model: str, chat: bool = False) -> Closing:
    return Closing(answer, model=model, chat=chat)


def predictions(folder: Path, name: str) -> list[dict]:
    return [json.loads(line) for line in (folder / "predictions" / f"{name}.jsonl").read_text("utf-8").splitlines()]
