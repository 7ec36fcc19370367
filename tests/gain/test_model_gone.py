"""A gain is measured though the model that wrote the tasks is gone, as far as it can be."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipeline.engines.base import Arrived, Completions, Request
from pipeline.engines.scripted import Scripted
from pipeline.errors import EngineUnreachable
from pipeline.gain.candidates import complete_candidates
from pipeline.gain.controls import candidates
from pipeline.gain.dataset import gain
from pipeline.gain.record import PAGE
from pipeline.runs.context import Context
from pipeline.runs.store import to_line
from pipeline.stages import Classify, Evaluate, Export, Instances, Instructions, Train
from pipeline.task import Instance, Task

SEEDS = [Task(id=f"seed_{n}", instruction="Say yes.", instances=(Instance(output=f"yes {n}"),)) for n in range(2)]
TASKS = [Task(id=f"task_{n}", instruction=f"Count to {n}.", instances=(Instance(output="1 2"),)) for n in range(9)]
WRITING = [Instructions(), Classify(), Instances()]
TRAIN = {"max_steps": 1, "batch_size": 2}


class Gone(Scripted):
    """A model whose server no longer answers."""

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        if next(iter(requests), None) is not None:
            raise EngineUnreachable("http://127.0.0.1:1/v1: cannot be reached")
        yield from ()


def make_context(folder: Path, writer: Scripted) -> Context:
    folder.mkdir(exist_ok=True)
    rejected = [task.update(id=f"{task.id}x").reject("not_new") for task in TASKS[:3]]
    lines = [to_line(task.update(instances=())) for task in [*TASKS, *rejected]]
    (folder / "1_instructions.jsonl").write_text("".join(lines), "utf-8")
    return Context(SEEDS, writer, folder, open_engine=lambda name: Scripted(lambda request: "good", model=name))


def answer(request: Request) -> str:
    return " No" if str(request.prompt).endswith("Classification:") else "\nOutput: one"


def test_the_gain_has_all_rows_but_those_that_the_model_would_have_to_write(base_model, tmp_path, caplog):
    heldout = tmp_path / "heldout.jsonl"
    rows = [{"id": str(n), "instruction": f"Is {n} good?", "output": "good"} for n in range(4)]
    heldout.write_text("".join(json.dumps(row) + "\n" for row in rows))
    products = [Export(encoding="plain"), Train(model=base_model, **TRAIN), Evaluate(heldout=str(heldout))]
    stages = [*WRITING, *products]
    gone = make_context(tmp_path / "run", Gone(answer, model="writer"))
    products[0].write(TASKS, SEEDS, tmp_path / "run" / "dataset")
    found = gain(stages, TASKS, gone, controls=("random", "unfiltered", "half"))

    assert [row.name for row in found.rows] == ["base", "half", "dataset"]
    assert "the table has no rows of unfiltered tasks" in caplog.text
    assert "http://127.0.0.1:1/v1: cannot be reached" in caplog.text

    back = make_context(tmp_path / "run", Scripted(answer, model="writer"))
    found = gain(stages, TASKS, back, controls=("random", "unfiltered", "half"))

    assert [row.name for row in found.rows] == ["base", "random", "unfiltered", "half", "dataset"]
    assert "unfiltered" in (tmp_path / "run" / PAGE).read_text("utf-8")


def test_unfiltered_tasks_are_completed_by_the_engine_of_each_stage(tmp_path):
    other = Scripted(lambda request: "\nOutput: of the other", model="other")
    context = make_context(tmp_path, Scripted(answer, model="writer"))
    stages = [Instructions(), Classify(), Instances(engine="judge")]
    complete_candidates(stages, 100, replace(context, engines={"judge": other}))

    assert {task.instances[0].output for task in candidates(tmp_path)} == {"of the other"}
