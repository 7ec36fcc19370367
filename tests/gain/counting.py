"""A stage that makes tasks to count, and the settings of runs that have it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.engines.scripted import Scripted
from pipeline.runs.context import Context
from pipeline.runs.run import run
from pipeline.stage import Stage
from pipeline.stages import Export
from pipeline.task import Instance, Task
from pipeline.toml import value

EXPORT = {"encoding": "plain", "validation_share": 0}


class Counting(Stage):
    """Makes tasks that ask to count to a number."""

    adds = True
    num: int = Field(default=8, description="how many tasks")
    verb: str = Field(default="Count", description="the first word of each")

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        for n in range(len(done), self.num):
            output = " ".join(map(str, range(n + 1)))
            yield Task(
                id=f"task_{self.verb}_{n}", instruction=f"{self.verb} to {n}.", instances=(Instance(output=output),)
            )


def write_settings(path: Path, model: str, heldout: str, **tables: dict[str, Any]) -> str:
    """A settings file beside the folder of its run; return it."""
    seeds = path.with_name("seeds.csv")
    seeds.write_text("instruction,output\nSay yes.,yes\nSay no.,no\nSay Lima.,Lima\n", encoding="utf-8")
    everything: dict[str, dict[str, Any]] = {
        "engine": {"name": "transformers", "model": model},
        "counting": {},
        "export": EXPORT,
        "train": {"num_epochs": 1, "batch_size": 4, "patience": 1},
        "evaluate": {"heldout": heldout, "num_demos": 1, "sampling": {"temperature": 0, "max_tokens": 2}},
    }
    lines = [
        f"seeds = {value(str(seeds))}",
        f"out = {value(str(path.with_suffix('')))}",
        'stages = ["tests.gain.counting:Counting", "export", "train", "evaluate"]',
    ]
    for name, table in everything.items():
        settings = table | tables.get(name, {})
        lines += [f"[{name}]", *(f"{key} = {value(one)}" for key, one in settings.items())]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def finish(path: str, **counting: Any) -> None:
    """What a finished run leaves that the gain of several reads: its tasks and its dataset."""
    folder = Path(path).with_suffix("")
    run([Counting(**counting), Export.model_validate(EXPORT)], [], Scripted(lambda request: "x"), folder)


def write_heldout(path: Path, num: int = 40, **first: str) -> str:
    rows = [{"id": str(n), "task": f"t{n % 10}", "instruction": f"Is {n} good?", "output": "good"} for n in range(num)]
    rows[0] |= first
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)
