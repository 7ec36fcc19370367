"""A model in a folder is evaluated, and judges, in this process while the run's engine is a server."""

import json
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.resources import NANO
from tests.engines.stand_in import Answer, StandIn


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options of an evaluation on two tasks, in a folder whose tuned model is one of ours."""
    monkeypatch.setattr("pipeline.settings.build.GPU", ())
    rows = (
        {"id": f"h{n}", "instruction": f"Say {n}.", "is_classification": False, "instances": [{"output": str(n)}]}
        for n in (1, 2)
    )
    (tmp_path / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model").symlink_to(NANO)
    return ["--heldout", str(tmp_path / "heldout.jsonl"), "--out", str(tmp_path / "run")]


def test_a_tuned_model_is_not_asked_of_a_server_that_answers_to_any_name(words, tmp_path, capsys):
    with StandIn(lambda tried, body: Answer(), text=lambda body: "2") as server:
        of_run = [
            "--engine",
            "server",
            "--model",
            "tiny",
            "--set",
            f"engine.url={server.url}",
            "--set",
            "engine.chat=false",
        ]
        main(["evaluate", *words, *of_run, "--set", "evaluate.sampling.max_tokens=4"])
        main(
            [
                "judge",
                *words,
                *of_run,
                "--judge",
                str(tmp_path / "run" / "model"),
                "--set",
                "judge.sampling.max_tokens=4",
            ]
        )
        asked = {body["model"] for _, _, body, _ in server.calls}
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text("utf-8"))
    answers = (tmp_path / "run" / "predictions" / "dataset.jsonl").read_text("utf-8").splitlines()

    assert asked == {"tiny"}
    assert {name: one["model"] for name, one in found.items()} == {
        "base": "tiny",
        "dataset": str(tmp_path / "run" / "model"),
    }
    assert [json.loads(line)["prediction"] for line in answers] != ["2", "2"]
    assert "loads it in this process; the server is not asked" in capsys.readouterr().err
    assert (tmp_path / "run" / "judge.json").is_file()
