"""A list of stages from a TOML file: a kind twice, stages of the user's own, an engine for one of them."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import NO_REPORT

MODELS = '''
import os
import signal
from pathlib import Path


def asked(request):
    """Note the request; be killed at the one that LIFE names."""
    with open("asked.txt", "a") as file:
        file.write(f"{request.id}\\n")
    if len(Path("asked.txt").read_text().splitlines()) == int(os.environ.get("LIFE", -1)):
        os.kill(os.getpid(), signal.SIGKILL)


def writer(request):
    asked(request)
    return f"{request.prompt} quickly"


def judge(request):
    asked(request)
    return f"{request.prompt} if you dare"


def likelihood(request):
    asked(request)
    return [-0.25 * len(request.continuation), -1.0]
'''
STAGES = '''
from typing import ClassVar

from pydantic import Field

from pipeline import Instance, Stage, Task
from pipeline.asking.ask import ask, request
from pipeline.engines.base import Sampling

SAMPLING = Sampling(temperature=0, max_tokens=20)


class Invent(Stage):
    """Asks for tasks about rivers."""

    adds: ClassVar[bool] = True

    num_tasks: int = Field(default=6, description="how many")

    def wanted(self, num_given):
        return num_given + self.num_tasks

    def decide(self, todo, done, context):
        known = {task.id for task in done}
        new = [f"new_{n}" for n in range(self.num_tasks) if f"new_{n}" not in known]
        requests = (request(context.engine, id, f"Describe river {id[4:]}", SAMPLING) for id in new)
        for completion in context.engine.generate(requests):
            instances = (Instance(output=f"It is wet, {completion.id}."),)
            yield Task(id=completion.id, instruction=completion.text, is_classification=False, instances=instances)


class Twist(Stage):
    """Asks for another wording."""

    word: str = Field(default="once more", description="it ends in this")

    def decide(self, todo, done, context):
        for task, completion in ask(context.engine, todo, lambda task: f"{task.instruction} {self.word}", SAMPLING):
            yield task.reject("too_bold") if "3" in completion.text and "dare" in completion.text else (
                task.update(instruction=completion.text)
            )
'''
SETTINGS = """
stages = ["my_stages:Invent", "my_stages:Twist-first", "my_stages:Twist-second", "score", "export"]
seeds = "seeds.jsonl"
out = "run"

[engine]
name = "scripted"
answer = "my_models:writer"

[engines.judge]
name = "scripted"
model = "a judge"
answer = "my_models:judge"
likelihood = "my_models:likelihood"

[twist-second]
engine = "judge"
word = "and twice"

[score]
scorers = ["likelihood", "length"]
engine = "judge"

[export]
include_seeds = false
"""
FILES = ["1_invent.jsonl", "2_twist-first.jsonl", "3_twist-second.jsonl", "4_score.jsonl"]


class Work:
    """A folder with a settings file, the user's modules and seeds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        seed = {
            "id": "seed",
            "instruction": "Name a river",
            "is_classification": False,
            "instances": [{"output": "Po"}],
        }
        texts = {"my_models.py": MODELS, "my_stages.py": STAGES, "my.toml": SETTINGS, "seeds.jsonl": json.dumps(seed)}
        texts["bokeh.py"] = NO_REPORT
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")

    def sprout(self, *args: str, code: int = 0, **env: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", *args],
            capture_output=True, text=True, cwd=self.folder, check=False, env=os.environ | env,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr if code else done.stdout

    def asked(self) -> list[str]:
        path = self.folder / "asked.txt"
        return path.read_text().splitlines() if path.exists() else []

    def files(self) -> dict[str, bytes]:
        written = [*self.folder.glob("run/*.jsonl"), *self.folder.glob("run/dataset/*.jsonl")]
        return {path.name: path.read_bytes() for path in sorted(written)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Work:
    work = Work(tmp_path_factory.mktemp("whole"))
    work.sprout("run", "my.toml")
    return work


def test_each_stage_of_the_list_has_a_file_by_its_name_and_its_own_settings_and_engine(whole):
    found = {name: [json.loads(line) for line in text.splitlines()] for name, text in whole.files().items()}

    assert sorted(name for name in found if name[0].isdigit()) == FILES
    assert [task["id"] for task in found[FILES[0]]] == [f"new_{n}" for n in range(6)]
    assert found[FILES[1]][1]["instruction"] == "Describe river 1 quickly once more quickly"
    assert found[FILES[2]][1]["instruction"].endswith("quickly and twice if you dare")
    assert [task["id"] for task in found[FILES[2]] if task.get("rejected") == "too_bold"] == ["new_3"]
    assert set(found[FILES[3]][1]["scores"]) == {"likelihood@judge", "length"}


@pytest.mark.parametrize("life", [1, 9, 20])
def test_it_goes_on_after_a_kill_and_ends_with_the_same_bytes(whole, tmp_path, life):
    work = Work(tmp_path)
    work.sprout("run", "my.toml", code=-signal.SIGKILL, LIFE=str(life))
    assert len(work.asked()) == life
    work.sprout("run", "my.toml")

    assert work.files() == whole.files()
    assert len(work.asked()) - len(whole.asked()) <= 1  # the one whose answer the kill kept from the journal


def test_why_shows_both_stages_of_a_kind_with_the_model_that_each_asked(whole):
    said = whole.sprout("why", "new_1", "run")

    assert re.findall(r"^([\w-]+): kept", said, re.MULTILINE) == ["invent", "twist-first", "twist-second", "score"]
    assert re.findall(r"prompt, to (.*) \(", said) == ["scripted", "scripted", "a judge"]
    assert "likelihood@judge -" in said


def test_stats_count_both_stages_of_a_kind(whole):
    said = whole.sprout("stats", "run")

    assert re.search(r"^twist-first +6 +6 +0$", said, re.MULTILINE)
    assert re.search(r"^twist-second +6 +5 +1   too_bold 1$", said, re.MULTILINE)
    assert re.search(r"^twist-second +6 .*$", said.partition("requests")[2], re.MULTILINE)
    assert re.search(r"^score +5 ", said.partition("requests")[2], re.MULTILINE)


def test_redecide_asks_nothing_and_decides_the_same(whole, tmp_path):
    work = Work(tmp_path)
    work.sprout("run", "my.toml")
    before, asked = work.files(), work.asked()
    work.sprout("run", "my.toml", "--redecide")

    assert (work.files(), work.asked()) == (before, asked)


def test_a_plan_counts_what_every_stage_asks_and_the_run_does_not_repeat_it(whole, tmp_path):
    work = Work(tmp_path)
    said = work.sprout("plan", "my.toml")
    planned = work.asked()
    work.sprout("run", "my.toml")

    counted = {name: int(number) for name, number in re.findall(r"^([\w-]+) +(\d+) ", said, re.MULTILINE)}
    assert list(counted) == ["invent", "twist-first", "twist-second", "score", "all"]
    assert counted.pop("all") == sum(counted.values()) == 4 * 6
    assert 0 < len(planned) <= 20
    assert sorted(work.asked()) == sorted(whole.asked())
    assert work.files() == whole.files()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (
            ["--set", "twist-second.engine=jury"],
            "[twist-second] engine: there is no engine 'jury'; there are judge; add a table [engines.jury]",
        ),
        (["--set", "twist-second.wood=x"], "[twist-second] there is no setting 'wood'; did you mean word?"),
        (["--set", "twist-third.word=x"], "twist-third"),
        (["--set", "stages=['my_stages:Twist-first','score','export']"], "[twist-second] belongs to no stage; list it"),
        (["--set", "twist-first.word=x"], "begun with different settings: word in twist-first"),
    ],
)
def test_what_does_not_fit_gets_one_sentence(whole, args, said):
    error = whole.sprout("run", "my.toml", *args, code=1)

    assert said in error
    assert "Traceback" not in error
