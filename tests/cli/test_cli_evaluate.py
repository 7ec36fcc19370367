"""What is to be evaluated can be said on the command line, without a settings file."""

import pytest

from pipeline import SproutError
from pipeline.cli.main import parser
from pipeline.cli.options import changes
from pipeline.settings.build import build_stage
from pipeline.settings.read import read
from pipeline.stages.evaluate import Evaluate


def parse(command: str, *argv: str) -> list[str]:
    args = parser([command, *argv]).parse_args([command, *argv])
    return list(changes(args))


def test_sets_models_and_predictions_are_named_side_by_side():
    models = ["base=my-model", "llama-3.1=outputs/a b/model", "gpt=tiny@http://127.0.0.1:8000/v1"]
    argv = [
        "--heldout",
        "a.jsonl",
        "nano",
        "--models",
        *models,
        "--predictions",
        "t5=t5.jsonl",
        "--lm-eval",
        "mmlu,arc",
    ]
    stage = build_stage("evaluate", read(None, parse("evaluate", *argv)))

    assert isinstance(stage, Evaluate)
    assert stage.heldout == ("a.jsonl", "nano")
    assert stage.models == {
        "base": "my-model", "llama-3.1": "outputs/a b/model", "gpt": "tiny@http://127.0.0.1:8000/v1",
    }  # fmt: skip
    assert (stage.predictions, stage.lm_eval) == ({"t5": "t5.jsonl"}, "mmlu,arc")


@pytest.mark.parametrize(
    ("argv", "models"),
    [
        (["--predictions", "t5=t5.jsonl"], {}),  # no model is needed
        (["--predictions", "t5=t5.jsonl", "--model", "nano"], None),
        (["--predictions", "t5=t5.jsonl", "--models", "a=b"], {"a": "b"}),
        (["--heldout", "nano"], None),
    ],
)
def test_predictions_alone_are_evaluated_alone(argv, models):
    stage = build_stage("evaluate", read(None, parse("evaluate", *argv)))

    assert isinstance(stage, Evaluate)
    assert stage.models == models


def test_a_judge_is_told_what_to_compare_and_other_commands_have_no_such_options():
    assert parse("judge", "--ours", "tuned", "--theirs", "base", "x", "--heldout", "nano") == [
        'judge.heldout="nano"', 'judge.ours="tuned"', 'judge.theirs=["base", "x"]',
    ]  # fmt: skip
    assert parse("classify", "--model", "nano") == []


@pytest.mark.parametrize("option", ["--models", "--predictions"])
def test_a_name_for_two_is_told(option):
    with pytest.raises(SproutError, match=f"{option}: a is named twice"):
        parse("evaluate", option, "a=nano", "b=nano", "a=outputs/model")


def test_a_model_without_a_name_is_a_wrong_use(capsys):
    with pytest.raises(SystemExit, match="2"):
        parse("evaluate", "--models", "outputs/model")
    assert "'outputs/model' has no name; give it one, such as base=outputs/model" in capsys.readouterr().err


def test_an_option_of_several_values_may_be_given_several_times():
    assert parse("run", "--mix", "a=one", "b=two", "--mix", "c=three") == [
        'mix.datasets={a = "one", b = "two", c = "three"}'
    ]
    assert parse("run", "--documents", "notes", "--documents", "mail", "web") == [
        'documents.files=["notes", "mail", "web"]'
    ]
    assert parse("evaluate", "--heldout", "a.jsonl", "--heldout", "nano") == ['evaluate.heldout=["a.jsonl", "nano"]']
    with pytest.raises(SproutError, match="--models: a is named twice"):
        parse("evaluate", "--models", "a=nano", "--models", "a=outputs/model")


@pytest.mark.parametrize(
    "argv", [("run", "--seeds"), ("classify", "--tasks"), ("train", "--dataset"), ("init", "--seeds")]
)
def test_an_option_that_names_one_file_is_given_once(argv, capsys):
    assert parser(argv).parse([*argv, "a.csv", argv[1], "a.csv"])
    with pytest.raises(SystemExit) as caught:
        parser(argv).parse([*argv, "a.csv", argv[1], "b.csv"])
    said = capsys.readouterr().err
    assert (caught.value.code, said.count("\n")) == (2, 1)
    assert f"argument {argv[1]}: is given twice, as a.csv and as b.csv; give it once" in said
