"""What looks, decides or tunes asks no model: with the server gone it works at once."""

import json
import time
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.errors import SproutError
from pipeline.runs.files import stage_files
from pipeline.runs.settings import FILE, read_settings
from tests.engines.stand_in import Answer, StandIn

WORDS = ["river", "bridge", "winter", "garden", "letter", "market", "violin", "kitchen", "harbour", "forest"]


def written(body: dict) -> str:
    """What a chat model would say: lists of tasks, no to the question of classification, and an output."""
    prompt = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
    if prompt.rstrip().endswith("Classification:"):
        return "No"
    if "Come up with" in prompt[:200]:
        seed = body.get("seed", 0)
        return "\n".join(
            f"{n}. Tell me what a {WORDS[(seed + n) % 10]} number {seed % 997}{n} means to you." for n in (1, 2)
        )
    return f"Output: It is thing {len(prompt)} of its kind."


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder of a run on a server that is gone by now, and the words of its command."""
    folder = tmp_path_factory.mktemp("run")
    with StandIn(lambda tried, body: Answer(), text=written) as server:
        words = ["--engine", "server", "--model", "tiny", "--set", f"engine.url={server.url}"]
        words += ["--set", "engine.patience=2", "--set", "engine.pause=0.1", "--seeds", "nano", "--out", str(folder)]
        words += ["--set", "instructions.num_tasks=6", "--set", "instructions.max_rouge=0.95"]
        main(["run", *words])
    return folder, words


@pytest.mark.parametrize(
    "command", ["export", "filter", "run", "plan", "show", "stats", "report", "why", "compare", "redecide"]
)
def test_a_finished_run_is_worked_with_while_its_server_is_gone(finished, command, capsys):
    folder, words = finished
    id = json.loads(next(iter(stage_files(folder).values())).read_text("utf-8").partition("\n")[0])["id"]
    arguments = {
        "show": [str(folder)], "stats": [str(folder)], "report": [str(folder)], "why": [id, str(folder)],
        "compare": [str(folder), str(folder)],
    }  # fmt: skip
    began = time.monotonic()
    main(["run", "--redecide", *words] if command == "redecide" else [command, *arguments.get(command, words)])

    assert time.monotonic() - began < 20
    assert capsys.readouterr().out


def test_the_record_of_a_run_says_whether_its_model_is_a_chat_model(finished):
    settings = read_settings(finished[0] / FILE)

    assert {settings[name]["chat"] for name in ("instructions", "classify", "instances", "export")} == {True}


def test_a_model_in_a_folder_is_tuned_without_asking_the_server(finished, tmp_path, monkeypatch):

    asked: list[str] = []

    def tuned(training, folder):
        asked.append(training.model)

    monkeypatch.setattr("pipeline.stages.train.tune", tuned)
    began = time.monotonic()
    main(["train", *finished[1], "--set", "train.model=nano"])

    assert time.monotonic() - began < 20
    assert [Path(model).name for model in asked] == ["model"]


def test_a_model_that_only_its_server_knows_cannot_be_tuned_and_that_is_said(finished, capsys):
    with pytest.raises(SystemExit):
        main(["train", *finished[1]])

    assert (
        "the model of the run, tiny, is a name on its server, and training needs weights; set train.model"
        in capsys.readouterr().err
    )


def test_the_gain_waits_for_no_server_before_it_tunes(finished, tmp_path, monkeypatch, capsys, caplog):
    heldout = tmp_path / "heldout.jsonl"
    heldout.write_text('{"id": "1", "instruction": "Is it good?", "output": "good"}\n')
    tuned: list[str] = []

    def tune(training, folder):
        tuned.append(training.model)
        raise SproutError("that is far enough")

    monkeypatch.setattr("pipeline.gain.dataset.tune", tune)
    monkeypatch.setattr("pipeline.stages.train.tune", tune)
    began = time.monotonic()
    with pytest.raises(SystemExit):
        main(["gain", *finished[1], "--set", "train.model=nano", "--set", f"evaluate.heldout={heldout}"])

    assert time.monotonic() - began < 20
    assert "that is far enough" in capsys.readouterr().err
    assert len(tuned) == 1
