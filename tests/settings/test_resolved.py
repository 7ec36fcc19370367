"""`sprout settings` prints what a run will do, as a file that does it."""

import tomllib

import pytest

from pipeline.cli.main import main
from pipeline.engines.base import Sampling
from pipeline.runs.budget import Prices
from pipeline.settings.build import build_stages
from pipeline.settings.read import RunSettings, read
from pipeline.stages import find, names


def printed(capsys, *args: str) -> str:
    main(["settings", *args])
    return capsys.readouterr().out


@pytest.mark.parametrize("name", ["quickstart", "default", "paper", None])
def test_what_is_printed_is_the_same_run(capsys, tmp_path, name):
    text = printed(capsys, *([name] if name else []), "--set", "instructions.max_rouge=0.65")
    path = tmp_path / "mine.toml"
    path.write_text(text)

    again = build_stages(read(str(path)))
    assert [stage.settings() for stage in again] == [
        stage.settings() for stage in build_stages(read(name, ["instructions.max_rouge=0.65"]))
    ]
    assert "max_rouge = 0.65  # ROUGE-L F1 with any text of the pool, above which an instruction is not new\n" in text


def test_stages_that_are_no_part_of_the_run_are_there_as_comments(capsys):
    text = printed(capsys)

    assert "\n# [dedup]" in text
    assert "\n# max_cosine = 0.9" in text
    assert set(tomllib.loads(text)) == {
        *("seeds", "domain", "out", "stages", "engine", "prices"),
        *("instructions", "classify", "instances", "filter", "export"),
    }


def test_every_key_has_a_comment(capsys):
    for line in printed(capsys).splitlines():
        if " = " in line or line.startswith("["):
            assert "  # " in line, line
            assert not line.endswith("# unset"), line


@pytest.mark.parametrize("kind", [*map(find, names()), Sampling, Prices, RunSettings], ids=lambda kind: kind.__name__)
def test_every_setting_says_what_it_means(kind):
    for key, field in kind.model_fields.items():
        assert field.description, f"{kind.__name__}.{key}"


def test_stages_that_need_something_show_their_keys_too(capsys):
    text = printed(capsys)

    assert "\n# heldout =   # held-out sets; unset: those the run is evaluated on" in text
    assert "\n# max_overlap = 0.5  # " in text


def test_options_of_the_engine_are_there_as_comments_unless_given(capsys):
    text = printed(capsys, "--engine", "server", "--set", "engine.window=8", "--set", "engine.chat=true")

    assert '\nname = "server"  # batch, ray, scripted, server, transformers, vllm\n' in text
    assert "\nwindow = 8  # the most requests in flight; unset: what the server handles well\n" in text
    assert "\nchat = true  # " in text
    assert "\n# timeout = 600  # seconds for one completion\n" in text
    assert tomllib.loads(text)["engine"] == {"name": "server", "model": "", "window": 8, "chat": True}
    assert "\ntensor_parallel_size = 2  # handed on as it is\n" in printed(
        capsys, "--set", "engine.tensor_parallel_size=2"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("engine.name=vlm", r"\[engine\] name: there is no engine 'vlm'; did you mean vllm?"),
        ("engine.window=wide", r"\[engine\] window: "),
    ],
)
def test_an_engine_that_is_none_is_told(capsys, change, message):
    with pytest.raises(SystemExit):
        main(["settings", "--set", change])
    assert message.replace("\\", "") in capsys.readouterr().err


def test_a_schema_that_is_beside_is_named_in_the_first_line(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not printed(capsys).startswith("#:schema")
    (tmp_path / "sprout.schema.json").write_text("{}")

    assert printed(capsys).startswith("#:schema ./sprout.schema.json\n")
