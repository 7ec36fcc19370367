"""Recipes that rewrite and compose: each runs on the embedded model, and on many tasks with a toy."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from pipeline import Task, read_tasks, run
from pipeline.cli.main import main
from pipeline.resources import NANO
from pipeline.runs.products import read_record
from pipeline.settings.build import build_stages
from pipeline.settings.read import read
from pipeline.stage import Stage
from tests.recipes.few_seeds import write_few
from tests.runs.rewriting import toy

SMALL = ("num_input_first_demos=3", "num_output_first_demos=3", "sampling.max_tokens=60")
TOY = {  # what makes each small enough for the embedded model, which writes 2,000 tokens a second at best
    "evol_instruct": ("instructions.num_tasks=4", "evolve.rounds=2", "evolve.sampling.max_tokens=40"),
    "magpie": ("compose.num_tasks=4", "compose.sampling.max_tokens=40", 'compose.sampling.stop=["\\n"]',
               "instances.layout=examples"),
    "personas": ("compose.num_tasks=3", "encode.sampling.max_tokens=20", "compose.sampling.max_tokens=40"),
    "codeclm": ("compose.num_tasks=3", "encode.sampling.max_tokens=20", "compose.sampling.max_tokens=80",
                "evolve.rounds=1", "evolve.sampling.max_tokens=40"),
    "corgi": ("compose.num_tasks=3", "encode.sampling.max_tokens=20", "compose.sampling.max_tokens=40",
              "train.max_steps=1", "train.batch_size=1"),
    "augment": ("evolve-expand.rounds=1", "evolve-expand.sampling.max_tokens=40",
                "evolve-refine.sampling.max_tokens=40", "evolve-pair.sampling.max_tokens=40"),
    "pseudo_code": ("instructions.num_tasks=4", "evolve.sampling.max_tokens=40"),
    "translate": ("instructions.num_tasks=4", "evolve.rounds=1", "evolve.sampling.max_tokens=40"),
    "rephrase": ("instructions.num_tasks=4", "evolve.rounds=2", "evolve.sampling.max_tokens=40"),
}  # fmt: skip
META = {"use_case": "words", "skills": ["spelling"], "subject": "language", "concepts": ["plurals", "verbs"]}
TURN = "{% for message in messages %}{{ '1. ' + message.content if message.role == 'user' }}{% endfor %}"


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_few(tmp_path_factory.mktemp("seeds") / "few.jsonl", META)


@pytest.fixture(scope="module")
def chat_nano(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The embedded model with a chat template in which the user's message is an item of a list."""
    path = tmp_path_factory.mktemp("models") / "chat_nano"
    shutil.copytree(NANO, path)
    (path / "chat_template.jinja").write_text(TURN, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", TOY)
def test_each_runs_from_the_command_line_on_the_embedded_model(name, few, chat_nano, tmp_path, capsys):
    seeds = "nano" if any(change.startswith("instructions.") for change in TOY[name]) else few
    model = chat_nano if name == "magpie" else "nano"
    changes = [*TOY[name], *(f"instances.{change}" for change in SMALL)]
    if seeds == "nano":
        changes.append("instructions.sampling.max_tokens=120")
    command = ["run", name, "--engine", "transformers", "--model", model, "--seeds", seeds, "--out", str(tmp_path)]
    main([*command, "--quiet", *(part for change in changes for part in ("--set", change))])

    rows = (tmp_path / "dataset" / "alpaca.jsonl").read_text("utf-8").splitlines()
    assert rows
    assert "stage" in capsys.readouterr().out


@pytest.mark.parametrize("name", TOY)
def test_each_goes_through_every_stage_with_more_tasks_than_an_engine_takes_at_once(name, seeds, tmp_path):
    given = [seed.update(meta=META) for seed in seeds]
    large = {"instructions.num_tasks=4": "instructions.num_tasks=60", "compose.num_tasks=4": "compose.num_tasks=200",
             "compose.num_tasks=3": "compose.num_tasks=100"}  # fmt: skip
    changes = [large[change] for change in TOY[name] if change in large]
    stages = [stage for stage in build_stages(read(name, [*changes, "engine.model=toy"])) if isinstance(stage, Stage)]
    kept = run(stages, given, toy(64), tmp_path)

    decided = sum(len(list(read_tasks(path))) for path in tmp_path.glob("*.jsonl"))
    assert kept
    assert decided > 64
    assert all(task.instances for task in kept)
    assert read_record(tmp_path / "settings.json").keys() == {stage.name for stage in stages}


def test_a_task_in_four_languages_is_four_tasks_and_its_own(seeds, tmp_path):
    kept = run(
        build_stages(read("translate", ["instructions.num_tasks=20", "engine.model=toy"]))[:2], seeds, toy(), tmp_path
    )
    by_parent = Counter(task.parents for task in kept if task.meta.get("language"))

    assert {task.meta["language"] for task in kept if "language" in task.meta} == {
        "French",
        "Spanish",
        "Arabic",
        "Hindi",
    }
    assert max(by_parent.values()) <= 4


def test_wordings_of_a_task_have_the_instances_of_the_task(seeds, tmp_path):
    stages = build_stages(read("rephrase", ["instructions.num_tasks=10", "engine.model=toy"]))[:-1]
    kept = {task.id: task for task in run(stages, seeds, toy(), tmp_path)}
    wordings: list[Task] = [task for task in kept.values() if task.meta.get("operation") == "rephrase"]

    assert wordings
    assert all(task.instances == kept[task.parents[0]].instances for task in wordings)


def test_recipes_have_between_20_and_60_lines_and_say_what_they_are_for():
    for name in TOY:
        text = (Path(__file__).parents[2] / "pipeline" / "recipes" / f"{name}.toml").read_text("utf-8")
        assert 20 <= text.count("\n") <= 60, name
        assert text.startswith("# ")
