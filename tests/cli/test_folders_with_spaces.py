"""Commands that are printed can be pasted, whatever the folder of the run is called."""

import re
import shlex
from pathlib import Path

import pytest

from pipeline import run
from pipeline.cli.main import main
from pipeline.engines.scripted import Scripted
from tests.conftest import answer
from tests.runs.test_run import stages


def printed(text: str) -> list[list[str]]:
    """The commands in a text: a line each, or within backquotes."""
    return [
        shlex.split(one)[1:]
        for one in re.findall(r"^  (sprout .+)$|`(sprout [^`…]+)`", text, re.MULTILINE)
        for one in one
        if one
    ]


def test_a_run_prints_commands_that_work(
    seed_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], no_page: None
) -> None:
    (tmp_path / "toy_with_spaces.py").write_text("from tests.conftest import answer\n")
    monkeypatch.chdir(tmp_path)
    engine = ["--engine", "scripted", "--set", "engine.answer=toy_with_spaces:answer", "--seeds", str(seed_file)]
    main(["run", *engine, "--out", "my run's (1)", "--set", "instructions.num_tasks=3"])
    commands = printed(capsys.readouterr().out)
    assert [words[0] for words in commands] == ["stats", "show"]
    for words in commands:
        main(words)


def test_what_is_said_of_a_dropped_task_works(seeds, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my run's (1)"
    first, *_ = run(stages(3), seeds, Scripted(answer), folder)
    main(["drop", str(folder), first.id])
    (keep,) = [words for words in printed(capsys.readouterr().out) if words[0] == "keep"]
    main([*keep, first.id])
    main(["edit", str(folder), first.id, "--instruction", "Name a sea."])
    (undo,) = [words for words in printed(capsys.readouterr().out) if words[0] == "edit"]
    main(undo)
    with pytest.raises(SystemExit):
        main(["drop", str(folder), "nobody"])
    (show,) = printed(capsys.readouterr().err)
    main(show)
    assert first.instruction in capsys.readouterr().out
