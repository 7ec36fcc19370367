"""Tasks are found by stage, reason and text; two runs are seen side by side."""

import json

import pytest

from pipeline import run
from pipeline.cli.main import main
from pipeline.engines.scripted import Scripted
from tests.conftest import answer
from tests.runs.test_run import stages


@pytest.fixture
def folder(seeds, tmp_path):
    run(stages(max_rouge=0.6), seeds, Scripted(answer), tmp_path / "a")
    return tmp_path / "a"


def said(capsys, *args: str) -> str:
    main([str(arg) for arg in args])
    return capsys.readouterr().out


def shown(capsys, *args: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in said(capsys, "show", *args, "--json", "--num", "1000").splitlines()]


def test_kept_tasks_of_the_last_stage_are_shown_first(folder, capsys):
    text = said(capsys, "show", folder, "--num", "2")

    assert text.count("\n\n") == 1
    assert "  input   one\n  output  eins" in text or "  input   It works.\n  output  good" in text
    assert len(shown(capsys, folder)) == 20


def test_tasks_are_found_by_stage_reason_and_text(folder, capsys):
    rejected = shown(capsys, folder, "--stage", "instructions", "--reason", "not_new")
    assert shown(capsys, folder, "--reason", "not_new") == rejected  # no later stage gives that reason
    every = shown(capsys, folder, "--stage", "instructions", "--reason", "all")

    assert rejected
    assert all(task["rejected"] == "not_new" for task in rejected)
    assert len(every) == len(rejected) + 20
    word = str(every[0]["instruction"]).split()[0]
    found = shown(capsys, folder, "--search", word.upper())
    assert found
    assert all(word in str(task["instruction"]) for task in found)
    assert said(capsys, "show", folder, "--search", "nothing like it").strip() == "No task matches."


def test_an_unknown_stage_is_told(folder, capsys):
    with pytest.raises(SystemExit):
        main(["show", str(folder), "--stage", "clasify"])
    assert "there is no stage 'clasify'; did you mean classify?" in capsys.readouterr().err


def test_a_reason_that_there_is_not_is_told(folder, capsys):
    for stage in (["--stage", "instructions"], []):
        with pytest.raises(SystemExit):
            main(["show", str(folder), *stage, "--reason", "notnew"])
        assert "there is no reason 'notnew'; did you mean not_new?" in capsys.readouterr().err


def test_so_many_tasks_are_more_than_none(folder, capsys):
    with pytest.raises(SystemExit):
        main(["show", str(folder), "--num", "-1"])
    assert "--num: '-1' is not a number above 0" in capsys.readouterr().err


def test_two_runs_are_compared_by_settings_stages_and_texts(folder, seeds, tmp_path, capsys):
    run(stages(10), seeds, Scripted(answer), tmp_path / "b")
    text = said(capsys, "compare", folder, tmp_path / "b")
    found = json.loads(said(capsys, "compare", folder, tmp_path / "b", "--json"))

    assert found["settings"] == {"instructions.max_rouge": [0.6, 0.7]}
    assert found["instructions"]["each"] == [20, 10]
    assert 0 < found["instructions"]["both"] <= 10
    assert [side["kept"] for side in found["stages"]["classify"]] == [20, 10]
    assert "instructions.max_rouge" in text
    assert "20 of 20 (100%)" in text
