"""A new stage, scorer, recipe, engine or format is one new file: in the package, or one of the user's own."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import NO_REPORT

ROOT = Path(__file__).parents[1]
TOY = """
def answer(request):
    return f" {request.prompt.upper()}!"
"""
SETTINGS = """
stages = ["score", "export"]
seeds = "seeds.jsonl"
out = "run"

[engine]
name = "scripted"
answer = "toy:answer"

[score]
scorers = ["length"]

[export]
formats = ["alpaca"]
"""
STAGE = '''"""Say every instruction out loud."""

from pipeline import Stage
from pipeline.asking.ask import ask
from pipeline.engines.base import Sampling


class Shout(Stage):
    """Louder."""

    def decide(self, todo, done, context):
        for task, completion in ask(context.engine, todo, lambda task: task.instruction, Sampling(max_tokens=9)):
            yield task.update(instruction=completion.text.strip(), meta=task.meta | {"loud_as": "a lion"})
'''
SCORER = '''"""How often it is said out loud."""


def marks(task):
    return sum(instance.output.count("!") for instance in task.instances)
'''
ENGINE = '''"""An engine that repeats what it is asked."""

from pipeline.engines.base import Completion, Engine, at_hand


class Echo(Engine):
    """Says what it hears."""

    def __init__(self, model="echo"):
        self.model = model

    def generate(self, requests, arrived=None):
        for request in at_hand(iter(requests)):
            completion = Completion(id=request.id, text=f"echo of {request.prompt}")
            if arrived:
                arrived(request, completion)
            yield completion
'''
FORMAT = '''"""Questions and answers."""

from pipeline.dataset.content import InstructionRow
from pipeline.asking.converse import question
from pipeline.dataset.formats.base import Format, RowFields


class Faq(Format):
    meaning = "`ask`, `reply`"

    class fields(RowFields):
        ask: str
        reply: str

        def rows(self):
            return [InstructionRow(instruction=self.ask, output=self.reply)]

    def columns(self, row):
        return {"ask": question(row.instruction, row.input), "reply": row.output}
'''
FILTER = '''"""Loud ones."""

from pipeline.filters.base import example


@example("NAME A RIVER")
def shouting(task):
    """Nothing but capitals."""
    return task.instruction if task.instruction.isupper() else None


def whispers(instance, task):
    """An output in brackets."""
    return instance.output if instance.output.startswith("(") else None
'''
PLACES = {"in the package": "", "of the user": ":"}


class House:
    """A copy of the package, and a folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.package, self.folder = folder / "site" / "pipeline", folder / "work"
        shutil.copytree(ROOT / "pipeline", self.package, ignore=shutil.ignore_patterns("model", "*.sqlite"))
        for name in ("prompts", "seed_tasks"):
            (self.package.parent / name).symlink_to(ROOT / name)
        self.folder.mkdir()
        rows = (
            {"id": f"seed_{n}", "instruction": f"Name {n} rivers", "is_classification": False,
             "instances": [{"input": "", "output": "Nile! " * n}]} for n in (1, 2, 3)
        )  # fmt: skip
        self.write("seeds.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        self.write("toy.py", TOY)
        self.write("bokeh.py", NO_REPORT)
        self.write("mine.toml", SETTINGS)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def add(self, where: str, text: str, own: bool) -> None:
        """One file: in the package, or where the command is typed."""
        path = self.folder / f"my_{Path(where).name}" if own else self.package / where
        assert not path.exists()
        path.write_text(text, encoding="utf-8")

    def sprout(self, *args: str, code: int = 0, **env: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *args],
            capture_output=True, text=True, cwd=self.folder, check=False,
            env=os.environ | {"PYTHONPATH": str(self.package.parent)} | env,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if not code else done.stderr

    def lines(self, path: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.folder / path).read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.parametrize("own", [False, True], ids=PLACES)
def test_a_new_stage_is_one_file(house, own):
    house.add("stages/shout.py", STAGE, own)
    word = "my_shout:Shout" if own else "shout"
    changed = ["mine.toml", "--set", f'stages=["{word}"]']
    house.write("mine.toml", SETTINGS.partition("[score]")[0])

    if not own:
        assert re.search(r"\n +shout +say every instruction out loud\n", house.sprout("--help"))
        assert "\n# [shout]  # Louder\n" in house.sprout("settings", "mine.toml", "--set", "stages=['export']")
    assert re.search(r"\nshout +3 ", house.sprout("plan", *changed))
    assert re.search(r"\nshout +3 +3 +0\n", house.sprout("run", *changed))
    assert house.lines("run/1_shout.jsonl")[0]["instruction"] == "NAME 1 RIVERS!"
    said = house.sprout("why", "seed_1", "run")
    assert "shout: kept\n" in said
    assert "loud as: a lion" in said
    assert "  prompt, to scripted" in said


@pytest.mark.parametrize("own", [False, True], ids=PLACES)
def test_a_new_scorer_is_one_file(house, own):
    house.add("scorers/marks.py", SCORER, own)
    house.sprout("run", "mine.toml", "--set", f"score.scorers=['{'my_marks:' if own else ''}marks', 'length']")

    assert [task["scores"] for task in house.lines("run/1_score.jsonl")] == [
        {"marks": float(n), "length": float(n)} for n in (1, 2, 3)
    ]


def test_new_filters_are_one_file_found_by_their_names(house):
    house.add("filters/loud.py", FILTER, own=False)
    code = (
        "from pipeline import Task, Instance; from pipeline.stages import Filter, Instructions;"
        "print(Instructions().objection(Task(id='1', instruction='NAME A RIVER OF ASIA')),"
        "Instructions(filters={'shouting': False}).objection(Task(id='1', instruction='NAME A RIVER OF ASIA')),"
        "Filter().judge(Task(id='1', instruction='Name it.', instances=(Instance(output='(Nile)'),))).rejected)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=house.folder,
        env=os.environ | {"PYTHONPATH": str(house.package.parent)},
    )  # fmt: skip

    assert done.stdout.split() == ["shouting", "None", "whispers"], done.stderr
    assert "filters = {}" in house.sprout("settings", "--set", "filter.filters.whispers=false").replace(
        "filters = {whispers = false}", "filters = {}"
    )


@pytest.mark.parametrize("own", [False, True], ids=PLACES)
def test_a_new_recipe_is_one_file(house, own):
    house.add("recipes/loud.toml", f"# Three rivers, measured.\n{SETTINGS}", own)

    if not own:
        assert "\nloud                Three rivers, measured\n" in house.sprout("recipes")
    assert "\nscore" in house.sprout("run", "my_loud.toml" if own else "loud")


@pytest.mark.parametrize("own", [False, True], ids=PLACES)
def test_a_new_engine_is_one_file(house, own):
    house.add("engines/echo.py", ENGINE, own)
    house.write("shout.py", STAGE)
    house.write("mine.toml", 'stages = ["shout:Shout"]\nseeds = "seeds.jsonl"\nout = "run"\n'
                f'[engine]\nname = "{"my_echo:Echo" if own else "echo"}"\nmodel = "echo"')  # fmt: skip
    house.sprout("run", "mine.toml")

    assert house.lines("run/1_shout.jsonl")[0]["instruction"] == "echo of Name 1 rivers"
    if not own:
        assert "batch, echo, ray, scripted, server" in house.sprout("settings", "mine.toml")


@pytest.mark.parametrize("own", [False, True], ids=PLACES)
def test_a_new_export_format_is_one_file(house, own):
    house.add("dataset/formats/faq.py", FORMAT, own)
    house.sprout("run", "mine.toml", "--set", f"export.formats=['{'my_faq:Faq' if own else 'faq'}']")

    assert {row["ask"] for row in house.lines("run/dataset/faq.jsonl")} == {f"Name {n} rivers" for n in (1, 2, 3)}
    assert "`ask`, `reply`" in (house.folder / "run/dataset/README.md").read_text("utf-8")
