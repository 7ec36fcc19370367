"""`sprout preview`: five tasks from start to end, what would be rejected and why, and no folder."""

import tempfile
import time
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.runs import preview as module
from tests.conftest import answer

TOY = "tests.runs.test_preview"
MODELS = {}


def named(function):
    MODELS[function.__name__] = function
    return function


@named
def usual(request):
    return answer(request)


@named
def copies(request):
    """Writes nothing but what the prompt shows already."""
    return f" {request.prompt.splitlines()[1][3:]}" if request.prompt.endswith(".") else answer(request)


@named
def silent_about_examples(request):
    return answer(request) if request.prompt.endswith((".", "Classification:")) else "\nInput: one\nOutput: one"


@named
def mixed(request):
    return (
        f"{answer(request)}\n9. No\n10. {request.prompt.splitlines()[1][3:]}"
        if request.prompt.endswith(".")
        else answer(request)
    )


@named
def slow(request):
    time.sleep(0.3)
    return answer(request)


@named
def mute(request):
    return ""


def settings(tmp_path: Path, seed_file: Path, model: str, more: str = "") -> str:
    (tmp_path / "my.toml").write_text(
        f'seeds = "{seed_file}"\nout = "{tmp_path}/run"\n{more}\n[engine]\nname = "scripted"\nanswer = "{TOY}:{model}"\n'
    )
    return str(tmp_path / "my.toml")


def shown(capsys, *args: str) -> str:
    main(["preview", *args])
    return capsys.readouterr().out


def test_five_tasks_are_shown_with_all_their_parts_and_nothing_is_left(tmp_path, seed_file, capsys, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    path = settings(tmp_path, seed_file, "usual")
    before = {*tmp_path.iterdir()}
    said = shown(capsys, path)

    assert [line for line in said.splitlines() if line[:2] in ("1.", "2.", "3.", "4.", "5.", "6.")] == [
        f"{n}. kept" for n in range(1, 6)
    ]
    for part in ("instruction  ", "classification ", "input  ", "output  "):
        assert said.count(f"\n   {part}") >= 5, part
    assert "5 of 5 tasks would be kept. Nothing was written." in said
    assert {*tmp_path.iterdir()} == before
    assert not [*(tmp_path / "temporary").iterdir()]


def test_what_would_be_rejected_is_shown_with_the_reason(tmp_path, seed_file, capsys):
    said = shown(capsys, settings(tmp_path, seed_file, "mixed"))

    assert "Also written:\n" in said
    assert "\n   too_short            No\n" in said
    assert "\n   not_new              " in said


def test_a_task_that_a_later_stage_rejects_is_shown_whole_and_the_exit_code_is_0(tmp_path, seed_file, capsys):
    said = shown(capsys, settings(tmp_path, seed_file, "silent_about_examples"))

    assert "rejected by filter: input_is_output" in said or "rejected by instances: " in said
    assert "\n   output          one" in said
    assert "0 of 5 tasks would be kept" in said


def test_where_all_are_rejected_at_once_it_says_so_with_advice(tmp_path, seed_file, capsys):
    said = shown(capsys, settings(tmp_path, seed_file, "copies"))

    assert "1. rejected by instructions: not_new" in said
    assert "\n   close to " in said
    assert "No task would be kept (instructions: not_new " in said
    assert "use a larger one" in said


def test_a_model_that_writes_nothing_is_shown_to_do_so(tmp_path, seed_file, capsys):
    said = shown(capsys, settings(tmp_path, seed_file, "mute"))

    assert "1. rejected by instructions: empty" in said
    assert "Stopped early: instructions: 10 requests in a row brought no new task" in said
    assert "0 of 10 tasks would be kept" in said


def test_a_model_that_cannot_be_reached_is_an_error_as_in_a_run(tmp_path, seed_file, capsys):
    down = [
        "--engine",
        "server",
        "--model",
        "m",
        "--set",
        "engine.url=http://127.0.0.1:9/v1",
        "--set",
        "engine.patience=0",
    ]
    with pytest.raises(SystemExit) as end:
        main(["preview", "--seeds", str(seed_file), *down])
    assert end.value.code == 4


def test_it_ends_after_a_while_with_what_there_is(tmp_path, seed_file, capsys, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.5)
    said = shown(capsys, settings(tmp_path, seed_file, "slow"))

    assert "Stopped early: after 0 s at" in said or "Stopped early: after 1 s at" in said


def test_a_list_of_stages_without_one_that_writes_is_tried_on_five_seeds(tmp_path, seed_file, capsys):
    said = shown(capsys, settings(tmp_path, seed_file, "usual", 'stages = ["filter", "export"]'))

    assert "5 of 5 tasks would be kept" in said


def test_a_run_that_is_there_is_not_touched(tmp_path, seed_file, capsys):
    path = settings(tmp_path, seed_file, "usual")
    main(["run", path, "--set", "instructions.num_tasks=8"])
    before = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    shown(capsys, path)

    assert {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()} == before
