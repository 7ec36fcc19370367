"""A training to its end: validation, early stop, kills, several processes."""

import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.dataset.content import TextRow
from pipeline.dataset.encodings import encode
from pipeline.training.distributed import num_processes
from pipeline.training.record import TrainRecord
from pipeline.training.settings import Training, TrainingSettings
from pipeline.training.tokens import text_tokens
from pipeline.training.tune import tune
from tests.stages.conftest import save_model

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def some_rows(count: int, seed: int = 0) -> list[TextRow]:
    """Nothing to learn but by heart: a model gets worse on those that are held back."""
    rng = random.Random(seed)
    texts = (encode(f"Say it {n}.", "", " ".join(rng.sample(WORDS, 3))) for n in range(count))
    return [TextRow(prompt=prompt, completion=completion) for prompt, completion in texts]


ROWS = some_rows(24)
VALIDATION = some_rows(6, seed=1)
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


def training(model: str, validation: Sequence[TextRow] = VALIDATION, **settings: Any) -> Training:
    return Training(
        model=model, rows=ROWS, settings=TrainingSettings.model_validate(settings or STOPS), validation=validation
    )


@pytest.fixture(scope="session")
def stopped(tmp_path_factory: pytest.TempPathFactory, model: str) -> tuple[Path, TrainRecord]:
    folder = tmp_path_factory.mktemp("stopped") / "model"
    return folder, tune(training(model), folder)


def loss_of(model: str, rows: list[TextRow]) -> float:
    """The mean over tokens, computed without the trainer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, tuned = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    losses: list[float] = []
    for row in rows:
        prompt, completion = text_tokens(row, tokenizer)
        logits = tuned(torch.tensor([prompt + completion])).logits[0, len(prompt) - 1 : -1]
        losses += torch.nn.functional.cross_entropy(logits, torch.tensor(completion), reduction="none").tolist()
    return sum(losses) / len(losses)


def test_a_training_stops_when_the_validation_loss_gets_no_better_and_keeps_the_best_weights(stopped):
    folder, record = stopped
    losses = dict(record.validation_loss)
    best = min(losses, key=losses.__getitem__)

    assert record.steps == best
    assert max(losses) == best + 4 < record.max_steps == 40  # two more, two steps apart
    assert losses[max(losses)] > losses[best] + 1e-3
    assert loss_of(str(folder), VALIDATION) == pytest.approx(losses[best], abs=1e-4)


CHILD = """
import logging, sys
from pathlib import Path
from pipeline.training.settings import Training as T
from pipeline.training.tune import tune
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
tune(T.model_validate_json(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_training_that_is_killed_at_any_step_ends_with_the_same_losses_and_weights(tmp_path, model, stopped):
    settled, whole = stopped
    last = whole.validation_loss[-1][0]
    kill = random.SystemRandom().randrange(4, last + 1, 2)  # of the steps that are logged
    command = [sys.executable, "-c", CHILD, training(model).model_dump_json(), str(tmp_path / "model")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout
        next(line for line in child.stdout if f"step {kill} of" in line)
        child.kill()
    again = tune(training(model), tmp_path / "model")

    same = {"seconds": 0}
    assert again.model_copy(update=same) == whole.model_copy(update=same), f"killed at step {kill}"
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == (settled / "model.safetensors").read_bytes()


def test_a_training_killed_after_its_last_step_does_not_add_one(tmp_path, model, stopped, monkeypatch):
    def kill(*args: Any) -> None:
        raise KeyboardInterrupt

    settled, whole = stopped
    monkeypatch.setattr("pipeline.training.trainer._save", kill)
    with pytest.raises(KeyboardInterrupt):
        tune(training(model), tmp_path / "model")
    monkeypatch.undo()
    again = tune(training(model), tmp_path / "model")

    assert again.validation_loss == whole.validation_loss
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == (settled / "model.safetensors").read_bytes()


def test_without_a_task_held_back_there_is_no_validation_loss(tmp_path, model, caplog):
    record = tune(training(model, (), max_steps=1, batch_size=2, patience=1), tmp_path / "model")

    assert record.validation_loss == []
    assert record.steps == 1
    assert "patience has nothing to wait for" in caplog.text


def test_two_processes_train_as_one_does(tmp_path, model):
    settings = {"max_steps": 3, "batch_size": 8, "learning_rate": 0.01}
    one = tune(training(model, (), **settings), tmp_path / "one")
    two = tune(training(model, (), **settings, num_processes=2), tmp_path / "two")

    assert [loss for _, loss in two.loss] == pytest.approx([loss for _, loss in one.loss], abs=1e-4)
    assert two.tokens == one.tokens
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == sorted(
        path.name for path in (tmp_path / "one").iterdir()
    )


def test_a_batch_is_cut_evenly_or_refused():
    assert num_processes(TrainingSettings(batch_size=6, num_processes=3)) == 3
    assert num_processes(TrainingSettings()) == 1
    with pytest.raises(ValidationError, match="a batch of 16 cannot be cut into 6 parts"):
        TrainingSettings(method="lora", num_processes=3, gradient_accumulation=2)
