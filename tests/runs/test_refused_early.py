"""A run whose last product cannot be made is refused before anything is asked for."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import SproutError, Task, run
from pipeline.engines.scripted import Scripted
from pipeline.stages import Evaluate, Export, Instructions, Train


@pytest.mark.parametrize(
    ("product", "local", "said"),
    [
        (Evaluate, True, "there is nothing to evaluate on; give held-out tasks with --heldout, or in evaluate.heldout"),
        (lambda: Evaluate(heldout="nowhere.jsonl"), True, "nowhere.jsonl: cannot be read (No such file or directory)"),
        (lambda: Train(dataset="nowhere.jsonl"), True, "train.dataset: there is no nowhere.jsonl, and no stage before writes it"),
        (lambda: Train(dataset="dataset-seeds"), True, "train.dataset: there is no dataset-seeds, and no stage before writes it"),
        (Train, False, "train: the model of the run, toy, is a name on its server, and training needs weights; set train.model"),
    ],
)  # fmt: skip
def test_what_the_last_product_lacks_is_said_first(
    product: Any, local: bool, said: str, tmp_path: Path, model: Scripted, seeds: list[Task]
) -> None:
    model.model, model.loads_folders = "toy", local
    with pytest.raises(SproutError) as error:
        run([Instructions(num_tasks=1), Export(), product()], seeds, model, tmp_path / "run")

    assert str(error.value).startswith(said)
    assert not (tmp_path / "run" / "1_instructions.jsonl").exists()


@pytest.mark.parametrize(
    ("stages", "seeds", "engine", "said"),
    [
        (Instructions(), [], Scripted(str), "stages: expected a list of stages"),
        ([Instructions], [], Scripted(str), "stages: expected a list of stages"),
        (["instructions"], [], Scripted(str), "stages: expected a list of stages"),
        ([Instructions()], "general", Scripted(str), "seeds: expected a list of tasks; read_seeds makes one from a file"),
        ([Instructions()], Path("seeds.csv"), Scripted(str), "seeds: expected a list of tasks"),
        ([Instructions()], [{"instruction": "Name a river."}], Scripted(str), "seeds: expected a list of tasks"),
        ([Instructions()], [], "my-model", 'engine: expected an engine, such as Server("my-model"), not its name'),
        ([Instructions()], [], Scripted, "engine: expected an engine"),
    ],
)  # fmt: skip
def test_what_is_given_in_the_wrong_form_is_said(
    stages: Any, seeds: Any, engine: Any, said: str, tmp_path: Path
) -> None:
    with pytest.raises(SproutError) as error:
        run(stages, seeds, engine, tmp_path / "run")
    assert str(error.value).startswith(said)
    assert not (tmp_path / "run").exists()
