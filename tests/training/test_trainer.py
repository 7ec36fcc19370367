"""A training to its end: validation, early stop, kills, several processes."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.dataset import rows as export
from pipeline.engines.scripted import Scripted
from pipeline.runs.context import Context
from pipeline.stages.train import Train
from pipeline.task import Instance, Task
from pipeline.training.distributed import num_processes
from pipeline.training.sft import Training
from pipeline.training.trainer import tune
from tests.stages.conftest import save_model

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def tasks(count: int, seed: int = 0) -> list[Task]:
    """Nothing to learn but by heart: a model gets worse on those that are held back."""
    rng = random.Random(seed)
    return [
        Task(
            id=f"task_{seed}_{n}",
            instruction=f"Say it {n}.",
            instances=(Instance(output=" ".join(rng.sample(WORDS, 3))),),
        )
        for n in range(count)
    ]


ROWS = export.rows(tasks(24), encoding="plain")
VALIDATION = export.rows(tasks(6, seed=1), encoding="plain")
STOPS = {
    "max_steps": 40,
    "batch_size": 8,
    "learning_rate": 0.05,
    "lr_scheduler": "constant",
    "patience": 2,
    "num_validations": 20,
}


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def stopped(tmp_path_factory: pytest.TempPathFactory, model: str) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("stopped") / "model"
    return folder, tune(Training(model, ROWS, Train.model_validate(STOPS), VALIDATION), folder)


def loss_of(model: str, rows: list[export.Row]) -> float:
    """The mean over tokens, computed without the trainer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, tuned = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    losses: list[float] = []
    for row in rows:
        prompt, completion = export.token_ids(row, tokenizer)
        logits = tuned(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
        losses += torch.nn.functional.cross_entropy(logits, torch.tensor(completion), reduction="none").tolist()
    return sum(losses) / len(losses)


def test_a_training_stops_when_the_validation_loss_gets_no_better_and_keeps_the_best_weights(stopped):
    folder, record = stopped
    losses = dict(record["validation_loss"])
    best = min(losses, key=losses.__getitem__)

    assert record["steps"] == best
    assert max(losses) == best + 4 < record["max_steps"] == 40  # two more, two steps apart
    assert losses[max(losses)] > losses[best] + 0.01
    assert loss_of(str(folder), VALIDATION) == pytest.approx(losses[best], abs=1e-4)


CHILD = """
import logging, json, sys
from pathlib import Path
from pipeline.dataset.rows import Row
from pipeline.stages.train import Train
from pipeline.training.sft import Training
from pipeline.training.trainer import tune
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
model, folder, settings, rows, validation = json.loads(sys.argv[1])
rows, validation = [Row(**row) for row in rows], [Row(**row) for row in validation]
tune(Training(model, rows, Train(**settings), validation), Path(folder))
"""


def test_a_training_that_is_killed_at_any_step_ends_with_the_same_losses_and_weights(tmp_path, model, stopped):
    settled, whole = stopped
    last = whole["validation_loss"][-1][0]
    kill = random.SystemRandom().randrange(4, last + 1, 2)  # of the steps that are logged
    job = [model, str(tmp_path / "model"), STOPS, *([row.model_dump() for row in some] for some in (ROWS, VALIDATION))]
    command = [sys.executable, "-c", CHILD, json.dumps(job)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout
        next(line for line in child.stdout if f"step {kill} of" in line)
        child.kill()
    again = tune(Training(model, ROWS, Train.model_validate(STOPS), VALIDATION), tmp_path / "model")

    assert {key: again[key] for key in whole if key != "seconds"} == {
        key: json.loads(json.dumps(whole[key])) if "loss" not in key else whole[key]
        for key in whole
        if key != "seconds"
    }, f"killed at step {kill}"
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == (settled / "model.safetensors").read_bytes()


def test_a_training_killed_after_its_last_step_does_not_add_one(tmp_path, model, stopped, monkeypatch):
    def kill(*args: Any) -> None:
        raise KeyboardInterrupt

    settled, whole = stopped
    monkeypatch.setattr("pipeline.training.trainer._save", kill)
    with pytest.raises(KeyboardInterrupt):
        tune(Training(model, ROWS, Train.model_validate(STOPS), VALIDATION), tmp_path / "model")
    monkeypatch.undo()
    again = tune(Training(model, ROWS, Train.model_validate(STOPS), VALIDATION), tmp_path / "model")

    assert again["validation_loss"] == whole["validation_loss"]
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == (settled / "model.safetensors").read_bytes()


def test_no_seed_is_held_back_and_all_models_of_a_run_are_measured_on_the_same_tasks_after_as_many_steps(
    tmp_path, model
):
    some, seeds = tasks(20), tasks(10, seed=2)
    held = {task.id for task in some if export.held_back(task.id, 0.3, 0)}
    settings = STOPS | {"validation_share": 0.3, "controls": ("seeds", "half"), "encoding": "plain"}
    Train.model_validate(settings).make(some, Context(seeds, Scripted(lambda request: "", model=model), tmp_path))
    records = {
        name: json.loads((tmp_path / f"model{name}" / "train.json").read_text("utf-8"))
        for name in ("", "_seeds", "_half")
    }

    assert records[""]["steps"] < 40
    assert {record["steps"] for record in records.values()} == {records[""]["steps"]}
    assert {record["validation_rows"] for record in records.values()} == {len(held)}
    assert [records[name]["rows"] for name in ("", "_seeds")] == [30 - len(held), 10]
    assert records["_half"]["validation_loss"][0][0] == records[""]["validation_loss"][0][0]


def test_without_a_task_held_back_there_is_no_validation_loss(tmp_path, model, caplog):
    record = tune(Training(model, ROWS, Train(max_steps=1, batch_size=2, patience=1)), tmp_path / "model")

    assert record["validation_loss"] == []
    assert record["steps"] == 1
    assert "patience has nothing to wait for" in caplog.text


def test_two_processes_train_as_one_does(tmp_path, model):
    settings = {"max_steps": 3, "batch_size": 8, "learning_rate": 0.01}
    one = tune(Training(model, ROWS, Train(**settings)), tmp_path / "one")
    two = tune(Training(model, ROWS, Train(**settings, num_processes=2)), tmp_path / "two")

    assert [loss for _, loss in two["loss"]] == pytest.approx([loss for _, loss in one["loss"]], abs=1e-4)
    assert two["tokens"] == one["tokens"]
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == sorted(
        path.name for path in (tmp_path / "one").iterdir()
    )


def test_a_batch_is_cut_evenly_or_refused():
    assert num_processes(Train(batch_size=6, num_processes=3)) == 3
    assert num_processes(Train()) == 1
    with pytest.raises(ValidationError, match="a batch of 16 cannot be cut into 6 parts"):
        Train(method="lora", num_processes=3, gradient_accumulation=2)
