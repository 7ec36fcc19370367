"""The command line, as a user types it: what it prints, and how it ends."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline import Stage, Task, run
from pipeline.cli.main import main
from pipeline.engines.scripted import Scripted
from pipeline.stages import Classify, Filter, Instances, Instructions
from tests.conftest import answer

SPROUT = [sys.executable, "-m", "pipeline"]


def sprout(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SPROUT, *args], capture_output=True, text=True, cwd=cwd, check=False)


def fails(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end:
        main(args)
    assert isinstance(end.value.code, int)
    return end.value.code, capsys.readouterr().err.strip()


def test_help_is_instant_and_names_every_command():
    times = []
    for _ in range(5):
        before = os.times()
        shown = sprout("--help").stdout
        after = os.times()
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)

    assert min(times) < 0.3
    for command in ("run", "instructions", "classify", "instances", "filter", "export", "train", "evaluate", "stats"):
        assert re.search(rf"\n +{command}\s", shown)


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = "import sys, pipeline, pipeline.cli, pipeline.stages; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    heavy = {
        "torch",
        "transformers",
        "vllm",
        "datasets",
        "trl",
        "faiss",
        "sentence_transformers",
        "openai",
        "rouge_score",
    }
    assert heavy.isdisjoint(modules)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["run", "nowhere.toml"], "nowhere.toml: cannot be read (No such file or directory); give a TOML file, the folder of a run, or one of `sprout recipes`"),
        (["run", "quickstart", "--seeds", "nowhere.jsonl"], "nowhere.jsonl: cannot be read"),
        (["run", "quickstart", "--engine", "llama"], "[engine] name: there is no engine 'llama'; there are batch, ray, scripted, server, transformers, vllm"),
        (["run", "--engine", "transformers"], "[engine] model: no model is named"),
        (["run", "quickstart", "--model", "nowhere/at/all"], "nowhere/at/all: is not a folder here"),
        (["run", "quickstart", "--set", "engine.speed=3"], "[engine] there is no setting 'speed'; there are model, chat, chat_template_kwargs, dtype, window"),
        (["run", "quickstart", "--set", "instructions.num_task=3"], "[instructions] there is no setting 'num_task'; did you mean num_tasks?"),
        (["run", "quickstart", "--set", "instructions.num_tasks=many"], "[instructions] num_tasks: input should be a valid integer"),
        (["run", "quickstart", "--set", "instructions.max_rouge=1.5"], "[instructions] max_rouge: input should be less than 1"),
        (["run", "quickstart", "--set", "num_tasks"], "--set num_tasks: not of the form stage.key=value"),
        (["run", "quickstart", "--set", "instruction.num_tasks=3"], "--set: there is no table or key 'instruction'; did you mean instructions?"),
        (["classify", "quickstart", "--out", "outputs/not_there"], "1_instructions.jsonl is not there; run `sprout instructions` first"),
        (["stats", "outputs/not_there"], "outputs/not_there: there is no such folder"),
        (["run", "quickstart", "--set", "evaluate.heldout=nowhere"], "nowhere"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(capsys, args, said, tmp_path):
    if args[0] == "run" and "--out" not in args:
        args = [*args, "--out", str(tmp_path / "run")]
    if "evaluate.heldout=nowhere" in args:
        args = ["evaluate", *args[1:], "--tasks", "seed_tasks/nano.jsonl"]
    code, error = fails(capsys, *args)

    assert code == 1
    assert said in error
    assert "Traceback" not in error


def test_a_stage_alone_goes_on_with_the_files_of_a_run_from_a_script(seeds, seed_file, tmp_path, capsys):
    class Short(Stage):
        def decide(self, todo, done, run) -> Iterator[Task]:
            for number, task in enumerate(todo):
                yield task if number % 2 else task.reject("odd")

    run(
        [Instructions(num_tasks=20), Classify(), Instances(), Filter(), Short()],
        seeds,
        Scripted(answer),
        tmp_path / "run",
    )
    options = ["--out", str(tmp_path / "run"), "--seeds", str(seed_file), "--set", "export.include_seeds=false"]
    main(["export", *options, "--engine", "server", "--model", "scripted", "--set", "engine.chat=false"])

    assert json.loads((tmp_path / "run" / "dataset" / "dataset.json").read_text("utf-8"))["tasks"] == 10

    capsys.readouterr()
    assert fails(capsys, "verify", *options, "--engine", "server", "--model", "scripted") == (
        1, f"sprout: {tmp_path / 'run'}: has the stage short of a script; add verify to the list there",
    )  # fmt: skip


def test_a_report_is_not_made_with_other_seeds(seeds, tmp_path, capsys):
    run([Instructions(num_tasks=20)], seeds, Scripted(answer), tmp_path)

    assert fails(capsys, "report", str(tmp_path), "--seeds", "nano") == (
        1, f"sprout: {tmp_path}: was begun with other seeds; give those, or leave them out",
    )  # fmt: skip


def test_a_settings_file_that_is_no_toml_is_named(capsys, tmp_path):
    (tmp_path / "my.toml").write_text("seeds = [\n")

    assert "my.toml: not TOML: " in fails(capsys, "run", str(tmp_path / "my.toml"))[1]


def test_an_unknown_command_is_a_usage_error(capsys):
    assert fails(capsys, "grow")[0] == 2


def test_a_stage_that_is_not_in_the_list_of_a_run_works_alone_with_a_table_of_its_own(seed_file, tmp_path, capsys):
    toy = ["--seeds", str(seed_file), "--engine", "scripted", "--set", "engine.answer=tests.conftest:answer"]
    listed = 'stages=["instructions", "classify", "instances", "filter"]'
    main(["run", *toy, "--out", str(tmp_path / "run"), "--set", listed, "--set", "instructions.num_tasks=8"])
    capsys.readouterr()
    main(["export", str(tmp_path / "run"), "--set", "export.formats=['alpaca']"])

    assert f"{tmp_path}/run/dataset  JSONL and Parquet" in capsys.readouterr().out
    assert (tmp_path / "run" / "dataset" / "alpaca.jsonl").is_file()
    assert fails(capsys, "filter", str(tmp_path / "run"), "--set", "export.formats=['alpaca']") == (
        1, "sprout: [export]: this run has no stage export; add it to stages = […], or delete the table",
    )  # fmt: skip


def test_a_command_that_is_stopped_before_it_has_begun_says_so_in_one_sentence(capsys, monkeypatch):
    def stopped(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.cli.main.parser", stopped)
    with pytest.raises(SystemExit) as caught:
        main(["stats", "run"])
    assert (caught.value.code, capsys.readouterr().err) == (
        130,
        "sprout: stopped; the same command continues from here\n",
    )


def test_a_terminal_that_lacks_a_character_shows_its_number(tmp_path: Path) -> None:
    task = Task(id="task_1", instruction="Nenne einen Fluss, größer als 河.")
    (tmp_path / "1_instructions.jsonl").write_text(task.model_dump_json() + "\n", encoding="utf-8")
    for encoding, shown in (("ascii", r"gr\xf6\xdfer als \u6cb3."), ("utf-8", "größer als 河.")):
        printed = subprocess.run(
            [*SPROUT, "show", str(tmp_path)],
            capture_output=True,
            env=os.environ | {"PYTHONIOENCODING": encoding},
            check=True,
        )
        assert shown in printed.stdout.decode()
