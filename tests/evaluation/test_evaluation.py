"""An evaluation as text: what stands in the table, and what does not."""

from pathlib import Path

import pytest

from pipeline.engines.base import Request
from pipeline.engines.scripted import Scripted
from pipeline.evaluation.evaluate import evaluate
from pipeline.evaluation.heldout import HeldOut
from pipeline.evaluation.record import Harness, HarnessOnly, read_evaluation
from pipeline.evaluation.table import table

HELDOUT = [
    HeldOut(id=f"{task}{n}", task=task, category=category, instruction=f"Count {task}{n}?", outputs=("The 3 cats.",))
    for task, category in (("a", "Word Analogy"), ("b", "Title Generation"))
    for n in range(3)
]
MEASURED = {"acc,none": 0.5, "acc_stderr,none": 0.25, "exact_match,strict-match": 1, "sample_len": 3}


def right(request: Request) -> str:
    return "the 3 cats"


def half(request: Request) -> str:
    return "the 3 cats" if "a" in request.id else "dogs"


def test_a_script_evaluates_engines_of_its_own_and_prints_them_side_by_side(tmp_path: Path) -> None:
    engines = {"a": Scripted(half, model="a"), "b": Scripted(right, model="b")}
    found = evaluate({"before": "a", "after": "b"}, HELDOUT, engines.__getitem__, tmp_path)

    assert table(found).splitlines() == [
        "                  before ROUGE-L  before EM  before match  after ROUGE-L  after EM  after match  instances",
        "all                         50.0       50.0          50.0          100.0     100.0        100.0          6",
        "title_generation             0.0        0.0           0.0          100.0     100.0        100.0          3",
        "word_analogy               100.0      100.0         100.0          100.0     100.0        100.0          3",
        "",
        "difference, 95 % interval over instances  ROUGE-L                       EM                            match",
        "after against before                      +50.0 (0.0 to 100.0) unclear  +50.0 (-8.6 to 81.2) unclear  +50.0 (-8.6 to 81.2) unclear",
    ]
    assert len(table(found, max_categories=1).splitlines()) == 5
    assert read_evaluation(tmp_path) == found


def test_figures_of_lm_eval_have_a_line_for_each_metric_and_may_stand_alone() -> None:
    evaluation = {
        name: HarnessOnly(model=model, lm_eval=Harness(version="0.4.13", tasks={"arc": figures}, versions={}))
        for name, model, figures in (("base", "x", MEASURED), ("tuned", "y", {"acc,none": 0.75}))
    }

    assert table(evaluation).splitlines() == [
        "lm-eval 0.4.13                             base   tuned",
        "arc acc                         0.5000 ± 0.2500  0.7500",
        "arc exact_match (strict-match)           1.0000       –",
    ]
    assert table({}) == ""


def test_an_evaluation_that_this_version_did_not_write_is_passed_over_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "evaluation.json").write_text('{"base": {"model": "x", "rouge_l": 12.5}}')

    assert read_evaluation(tmp_path) == {}
    (message,) = caplog.messages
    assert message.startswith(f"{tmp_path / 'evaluation.json'}: is not as this version writes it (base.")
    assert read_evaluation(tmp_path / "elsewhere") == {}
    assert len(caplog.messages) == 1
