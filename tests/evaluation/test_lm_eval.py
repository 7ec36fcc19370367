"""The lm-evaluation-harness is called for each model, once for each task, and what goes wrong with it is said."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

from pipeline.engines.scripted import Scripted
from pipeline.engines.server import Server
from pipeline.errors import SproutError
from pipeline.evaluation.lm_eval import arguments_of
from pipeline.evaluation.record import read_evaluation
from pipeline.evaluation.table import table
from pipeline.runs.context import Context
from pipeline.stages.evaluate import Evaluate

HARNESS = """#!{python}
# Takes what lm-eval 0.4.13 takes, and leaves what it leaves.
import json, os, sys
from pathlib import Path

given = dict(zip(sys.argv, sys.argv[1:]))
with open("{calls}", "a") as file:
    print(json.dumps(sys.argv[1:] + [os.environ.get("OPENAI_API_KEY", "")]), file=file)
tasks = given["--tasks"].split(",")
if "nonsense" in tasks:
    print("Traceback (most recent call last):")
    sys.exit("ValueError: Tasks not found: nonsense.")
results = {{
    task: {{"name": task, "alias": task, "sample_len": 3, "acc,none": len(given["--model_args"]) / 100, "acc_stderr,none": 0.1}}
    for task in tasks
}}
folder = Path(given["--output_path"]) / "__some__model"
if "silent" not in tasks:
    folder.mkdir(parents=True)
    record = {{"results": results, "versions": {{task: 1.0 for task in tasks}}, "lm_eval_version": "0.4.13"}}
    (folder / "results_2026-11-21T14-54-57.972430.json").write_text(json.dumps(record))
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the harness writes how it was called."""
    program = tmp_path / "bin" / "lm_eval"
    program.parent.mkdir()
    program.write_text(HARNESS.format(python=sys.executable, calls=tmp_path / "calls"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setenv("SPROUT_API_KEY", "secret")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return tmp_path / "calls"


def measure(folder: Path, *tasks: str, **settings: object) -> dict:
    run = Context(
        (),
        Scripted(lambda request: "", model="base"),
        folder,
        open_engine=lambda model: Scripted(lambda request: "", model),
    )
    models = {"base": "base", "tuned": "outputs/tuned"}
    Evaluate.model_validate({"models": models, "lm_eval": tasks} | settings).make((), run)
    return json.loads((folder / "evaluation.json").read_text("utf-8"))


def test_each_model_is_measured_and_a_task_is_added_without_the_others_again(calls, tmp_path):
    options = {"num_fewshot": 5, "trust_remote_code": True, "log_samples": False, "model_args": "dtype=float32"}
    found = measure(tmp_path / "run", "arc_easy", lm_eval_options=options)
    again = measure(tmp_path / "run", "arc_easy", "mmlu", lm_eval_options=options)

    asked = [json.loads(line) for line in calls.read_text().splitlines()]
    assert asked[0] == [
        "--model", "hf", "--model_args", "pretrained=base,dtype=float32", "--tasks", "arc_easy", "--num_fewshot", "5",
        "--trust_remote_code", "--output_path", str(tmp_path / "run" / "lm_eval" / "base"), "",
    ]  # fmt: skip
    assert [(line[3], line[5]) for line in asked[1:]] == [
        ("pretrained=outputs/tuned,dtype=float32", "arc_easy"),
        ("pretrained=base,dtype=float32", "mmlu"),
        ("pretrained=outputs/tuned,dtype=float32", "mmlu"),
    ]
    assert found["base"] == {
        "model": "base",
        "lm_eval": {
            "version": "0.4.13", "versions": {"arc_easy": 1.0},
            "tasks": {"arc_easy": {"sample_len": 3, "acc,none": 0.29, "acc_stderr,none": 0.1}},
        },
    }  # fmt: skip
    assert list(again["tuned"]["lm_eval"]["tasks"]) == ["arc_easy", "mmlu"]
    assert (
        table(read_evaluation(tmp_path / "run")).splitlines()[1] == "arc_easy acc    0.2900 ± 0.1000  0.3800 ± 0.1000"
    )
    measure(tmp_path / "run", "arc_easy")
    assert len(calls.read_text().splitlines()) == 6  # with other options, everything is measured anew


def test_it_stands_beside_the_scores_on_held_out_tasks(calls, tmp_path):
    path = tmp_path / "heldout.jsonl"
    path.write_text('{"instruction": "Count.", "output": "1 2"}\n')
    found = measure(tmp_path / "run", lm_eval="arc_easy,mmlu", heldout=str(path))

    assert found["tuned"]["rouge_l"] == 0
    assert list(found["tuned"]["lm_eval"]["tasks"]) == ["arc_easy", "mmlu"]
    assert "lm-eval 0.4.13" in table(read_evaluation(tmp_path / "run"))


def test_what_goes_wrong_with_it_is_said_in_its_own_last_words(calls, tmp_path):
    with pytest.raises(
        SproutError, match=r"exit code 1: ValueError: Tasks not found: nonsense. \(all it said is in .*log"
    ):
        measure(tmp_path / "run", "nonsense")
    with pytest.raises(SproutError, match=r"left no results there that can be read; see log\.txt"):
        measure(tmp_path / "run", "silent")


@pytest.mark.skipif(importlib.util.find_spec("lm_eval") is not None, reason="it is installed")
def test_without_it_one_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SproutError, match=r"lm-eval is not installed; `pip install lm-eval`"):
        measure(tmp_path / "run", "arc_easy")


def test_a_server_is_measured_as_one_and_only_it_is_given_the_key(calls, tmp_path):
    measure(tmp_path / "run", "arc_easy", models={"gpt": "tiny@http://127.0.0.1:8000/v1"})
    kind, arguments = arguments_of(Server("tiny", "http://127.0.0.1:8000/v1/"))

    assert json.loads(calls.read_text())[-1] == "secret"
    assert (kind, arguments) == (
        "local-completions",
        {"model": "tiny", "base_url": "http://127.0.0.1:8000/v1/completions"},
    )
