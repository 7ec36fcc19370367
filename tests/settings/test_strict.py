"""A setting that is a number takes numbers alone, wherever it stands, and all of them are finite."""

from pathlib import Path

import pytest

from pipeline import SproutError
from pipeline.cli.main import main
from pipeline.engines.base import Sampling
from pipeline.settings.build import build_stages, engine_options
from pipeline.settings.read import read
from pipeline.stages import Instructions


def built(changes: list[str]) -> None:
    settings = read(None, changes)
    engine_options(settings.engine)
    build_stages(settings)


SCORERS = "import json\ndef loud(task, *, times: int = 2, share: float | None = None):\n    return times\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("instructions.num_tasks=true", "[instructions] num_tasks: input should be a valid integer (found True)"),
        ('instructions.num_tasks="10"', "[instructions] num_tasks: input should be a valid integer (found '10')"),
        ("instructions.num_tasks=1e400", "[instructions] num_tasks: input should be a finite number (found inf)"),
        ("instructions.max_rouge=nan", "[instructions] max_rouge: input should be a finite number (found nan)"),
        ("instructions.window=false", "[instructions] window: input should be a valid integer (found False)"),
        ("instructions.random_seed=true", "[instructions] random_seed: input should be a valid integer (found True)"),
        ("instructions.sampling.temperature=inf", "[instructions] sampling.temperature: input should be a finite number (found inf)"),
        ('instructions.sampling.temperature="0.5"', "[instructions] sampling.temperature: input should be a valid number (found '0.5')"),
        ("instructions.sampling.seed=true", "[instructions] sampling.seed: input should be a valid integer (found True)"),
        ("select.top=true", "[select] top: input should be a valid integer (found True)"),
        ("select.min_score=inf", "[select] min_score: input should be a finite number (found inf)"),
        ("select.weights={a=true}", "[select] weights: input should be a valid number (found {'a': True})"),
        ("check.limits.memory=true", "[check] limits.memory: input should be a valid"),
        ('mix.datasets={a={path="x",share=true}}', "[mix] datasets.a.share: input should be a valid number (found True)"),
        ("mix.datasets={a={path=\"x\",max_tasks=\"5\"}}", "[mix] datasets.a.max_tasks: input should be a valid integer (found '5')"),
        ("train.learning_rate=inf", "[train] learning_rate: input should be a finite number (found inf)"),
        ("export.options={ranked={score=\"x\"},preference={min_gap=true}}", "options.preference: min_gap: input should be a valid number (found True)"),
        ("score.options={loud={times=true}}", "options.loud: times: input should be a valid integer (found True)"),
        ("score.options={loud={share=\"1\"}}", "options.loud: share: input should be a valid number (found '1')"),
        ("score.options={loud={share=nan}}", "finite number"),
        ("prices.prompt=true", "prices.prompt: input should be a valid number (found True)"),
        ("engine.timeout=inf", "[engine] timeout: input should be a finite number (found inf)"),
        ("engine.window=true", "[engine] window: input should be a valid integer (found True)"),
        ("engine.chat_template_kwargs={budget=nan}", "[engine] chat_template_kwargs: input should be a finite number"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused_where_one_is_wanted(
    change: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loud_scorers.py").write_text(SCORERS)
    monkeypatch.chdir(tmp_path)
    given = [
        'stages=["mix","instructions","check","score","select","export","train"]', 'engine={name="server",model="x"}',
        'score.scorers=["loud_scorers:loud"]', 'check.by="number"', 'select={by="loud",top=3}',
        'export.formats=["ranked","preference"]', 'mix.datasets={a="x.jsonl"}',
    ]  # fmt: skip

    with pytest.raises(SproutError) as error:
        built([*given, change])
    assert said in str(error.value)


def test_whole_numbers_written_with_a_point_and_a_zero_below_zero_are_taken_for_what_they_are() -> None:
    (stage,) = build_stages(read(None, ['stages=["instructions"]', "instructions.num_tasks=1e3"]))
    assert isinstance(stage, Instructions)
    assert stage.num_tasks == 1000
    assert str(Sampling(temperature=-0.0).temperature) == "0.0"


def test_a_number_too_long_for_python_ends_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text(f"[instructions]\nnum_tasks = {'9' * 5000}\n")

    with pytest.raises(SproutError, match=r"my.toml: cannot be read as TOML: "):
        read(str(path))
    with pytest.raises(SproutError, match="num_tasks: input should be a valid integer"):
        build_stages(read(None, [f"instructions.num_tasks={'9' * 5000}"]))


@pytest.mark.parametrize(("option", "text"), [("--max-cost", "nan"), ("--max-cost", "inf"), ("--max-cost", "1,5"), ("--max-tokens", "1,00"), ("--max-time", "1,5h")])  # fmt: skip
def test_an_option_that_is_a_number_is_finite_and_has_commas_between_thousands_alone(
    option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["run", option, text])

    assert end.value.code == 2
    assert f"argument {option}: '{text.removesuffix('h')}' is not a number above 0" in capsys.readouterr().err
