"""Recipes that select and order rows that are there: each runs from the command line on the embedded model."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from pipeline import Request, Task, read_tasks, run
from pipeline.cli.main import main
from pipeline.dataset.read import read_dataset
from pipeline.engines.scripted import Scripted
from pipeline.resources import folder
from pipeline.settings.build import build_stages
from pipeline.settings.read import read
from pipeline.stage import Stage
from tests.conftest import NOUNS

NANO = ("--engine", "transformers", "--model", "nano", "--quiet")
FEW = {
    "deita": ("select.top=6", "select.max_cosine=0.95"),
    "kmq": ("select.top=6", "select.num_clusters=2"),
    "target": ("select.top=6", "select.target=mine.jsonl"),
    "curriculum": ("encode.sampling.max_tokens=20", "train.max_steps=1", "train.batch_size=1"),
}
LEVELS = ("remember", "understand", "apply", "analyze", "evaluate", "create")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with twelve rows of a pool, and a target."""
    monkeypatch.chdir(tmp_path)
    seeds = [json.loads(line) for line in (folder("seed_tasks") / "nano.jsonl").read_text("utf-8").splitlines()]
    rows = [{"instruction": one["instruction"], **one["instances"][0]} for one in seeds[:12]]
    Path("pool.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path("mine.jsonl").write_text("".join(json.dumps(one) + "\n" for one in seeds[12:16]))
    return tmp_path


def sprout(*args: str, changes: tuple[str, ...] = ()) -> None:
    main(["run", *args, "--out", "run", *NANO, *(part for change in changes for part in ("--set", change))])


def decided(stage: str) -> list[Task]:
    (path,) = Path("run").glob(f"*_{stage}.jsonl")
    return [*read_tasks(path)]


@pytest.mark.parametrize("name", ["deita", "kmq", "target"])
def test_each_that_selects_runs_from_the_command_line_on_the_embedded_model(
    name: str, shop: Path, minilm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sprout(name, "--mix", "pool=pool.jsonl", changes=(*FEW[name], f"select.encoder={minilm}"))
    found = decided("select")

    assert sum(task.kept for task in found) == 6
    assert all("rank" in task.meta for task in found)
    assert {task.rejected for task in found} <= {None, "not_selected", "near_duplicate"}
    assert len(Path("run/dataset/alpaca.jsonl").read_text("utf-8").splitlines()) == 6
    score = {"deita": "complexity", "kmq": "quality", "target": "transport"}[name]
    assert all(score in task.scores for task in found)
    assert (Path("run") / "select-weights.json").is_file() == (name == "kmq")
    assert "stage" in capsys.readouterr().out


def test_the_tasks_that_others_are_close_to_are_answered_by_the_embedded_model(shop: Path, minilm: str) -> None:
    few = ("instructions.num_tasks=6", "instructions.sampling.max_tokens=120", "select.top=4", "select.num_neighbours=2",
           "instances.num_input_first_demos=3", "instances.num_output_first_demos=3")  # fmt: skip
    sprout("vote_k", "--seeds", "nano", changes=(*few, "instances.sampling.max_tokens=60", f"select.encoder={minilm}"))

    assert Counter(task.rejected for task in decided("select")) == {None: 4, "not_selected": 2}
    assert len(decided("instances")) == 4


def test_rows_in_order_are_trained_on_by_the_embedded_model(shop: Path) -> None:
    sprout("curriculum", "--mix", "pool=pool.jsonl", changes=FEW["curriculum"])

    ordered = decided("order")
    assert len(ordered) == len(decided("encode")) > 8
    assert Path("run/model/model.safetensors").is_file()
    assert json.loads(Path("run/model/train.json").read_text())["settings"]["shuffle"] is False


def lessons(request: Request) -> str:
    """A subject and a level for each row."""
    prompt = request.prompt if isinstance(request.prompt, str) else request.prompt[-1]["content"]
    number, other = hashlib.sha256(prompt.rpartition(": Say")[2].partition("\n")[0].encode()).digest()[:2]
    if prompt.endswith("Subject:"):
        return f" {('art', 'law', 'music')[number % 3]}\nConcepts: line; form"
    return f" {LEVELS[other % 6].capitalize()}."


def test_two_hundred_rows_are_in_the_order_of_the_paper_in_the_dataset_too(shop: Path) -> None:
    rows = ({"instruction": f"Say what a {NOUNS[n % 14]} is to {n}.", "output": f"It is {n}."} for n in range(200))
    Path("pool.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    changes = ['mix.datasets={pool="pool.jsonl"}', "engine.model=toy", "out=run", "export.validation_share=0"]
    stages = build_stages(read("curriculum", changes))[:-1]
    run(stages, [], Scripted(lessons, window=64), "run")
    ordered = decided("order")

    assert len(ordered) == 200
    levels = [LEVELS.index(str(task.meta["level"])) for task in ordered]
    assert levels == sorted(levels)
    assert [task.meta["subject"] for task in ordered[:6]] == ["art", "law", "music"] * 2
    prompts = [row.prompt for row in read_dataset(Path("run/dataset"), False).train]
    assert [task.instruction in prompt for task, prompt in zip(ordered, prompts, strict=True)] == [True] * 200


@pytest.mark.parametrize("name", [*FEW, "vote_k", "corgi"])
def test_each_has_between_20_and_60_lines_and_says_what_it_is_for(name: str) -> None:
    text = (Path(__file__).parents[2] / "pipeline" / "recipes" / f"{name}.toml").read_text("utf-8")

    assert 20 <= text.count("\n") <= 60
    assert text.startswith("# ")
    assert max(map(len, text.splitlines())) <= 125


@pytest.mark.parametrize("name", ["curriculum", "corgi"])
def test_nothing_behind_an_order_shuffles(name: str) -> None:
    stages = build_stages(read(name, ["engine.model=some/model"]))
    behind = stages[[stage.kind for stage in stages].index("order") + 1 :]

    assert [stage.kind for stage in behind] == ["export", "train"]
    assert not any(getattr(stage, "shuffle", False) for stage in behind)
    assert all(isinstance(stage, Stage) for stage in stages if stage not in behind)
