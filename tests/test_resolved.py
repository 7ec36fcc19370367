"""`sprout settings` prints what a run will do, as a file that does it."""

import tomllib

import pytest

from pipeline.cli import main
from pipeline.settings import build_stages, read
from pipeline.stages import STAGES


def printed(capsys, *args: str) -> str:
    main(["settings", *args])
    return capsys.readouterr().out


@pytest.mark.parametrize("name", ["quickstart", None])
def test_what_is_printed_is_the_same_run(capsys, tmp_path, name):
    text = printed(capsys, *([name] if name else []), "--set", "instructions.max_rouge=0.65")
    path = tmp_path / "mine.toml"
    path.write_text(text)

    again = build_stages(read(str(path)))
    assert [stage.settings() for stage in again] == [
        stage.settings() for stage in build_stages(read(name, ["instructions.max_rouge=0.65"]))
    ]
    assert "max_rouge = 0.65  # ROUGE-L F1; above it a text is not new, exactly at it is\n" in text


def test_stages_that_are_no_part_of_the_run_are_there_as_comments(capsys):
    text = printed(capsys)

    assert "\n# [dedup]" in text
    assert "\n# max_cosine = 0.9" in text
    assert set(tomllib.loads(text)) == {"seeds", "out", "engine", "prices"} | {
        stage.name for stage in STAGES if stage.name in ("instructions", "classify", "instances", "filter", "export")
    }
