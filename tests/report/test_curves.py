"""What was tuned, evaluated and paid for is in the report, with intervals."""

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pipeline import Task, run
from pipeline.engines.scripted import Scripted
from pipeline.evaluation.confidence import Comparison, Figure
from pipeline.evaluation.metrics import Score
from pipeline.gain.controls import MEANING
from pipeline.report import write_report
from pipeline.runs.budget import Prices, write_prices
from pipeline.runs.products import write_record
from pipeline.stages import Classify, Filter, Instances, Instructions
from tests.report.test_report import Elements


@pytest.fixture
def folder(model: Scripted, seeds: Sequence[Task], tmp_path: Path) -> Path:
    run([Instructions(num_tasks=20), Classify(), Instances(), Filter()], seeds, model, tmp_path / "a run")
    return tmp_path / "a run"


def as_record(figures: Mapping[str, Figure]) -> dict[str, dict]:
    return {metric: figure.model_dump() for metric, figure in figures.items()}


def products(folder: Path, *, shares: Sequence[str] = ("eighth", "quarter", "half"), validation: bool = True) -> None:
    """What training, evaluation and gain leave in the folder of a run, from scores that are made up."""
    rng = random.Random(0)
    names = ["base", "seeds", *shares, "dataset"]
    scores = {
        name: [Score(rouge_l=min(1.0, rng.random() * (n + 1) / 6), exact_match=float(rng.random() < n / 6), match=0) for _ in range(80)]
        for n, name in enumerate(names)
    }  # fmt: skip
    comparison = Comparison(scores, [f"t{n % 8}" for n in range(80)])
    rows = [
        {"name": name, "tuned_on": MEANING[name], **({} if name == "base" else {"rows": [100 * 2**n], "steps": [600]})}
        | as_record(comparison.score(name))
        | ({} if name == "dataset" else {"dataset": as_record(comparison.difference(["dataset"], [name]))})
        for n, name in enumerate(names)
    ]
    write_record(folder / "gain.json", {"rows": rows})
    evaluation = {
        name: {"rouge_l": rows[n]["rouge_l"]["value"], "exact_match": rows[n]["exact_match"]["value"], "instances": 80}
        | {
            "against": {
                other: as_record(comparison.difference([name], [other])) for other in ("base",) if name != other
            }
        }
        for n, name in ((0, "base"), (len(names) - 1, "dataset"))
    }
    figures = {"acc,none": 0.25, "acc_stderr,none": 0.0312, "sample_len": 40}
    evaluation["dataset"]["lm_eval"] = {"version": "0.4.9", "tasks": {"arc_easy": figures}}
    write_record(folder / "evaluation.json", evaluation)
    record = {"loss": [(step, 2 / step**0.3) for step in range(1, 200)]}
    record |= {"validation_loss": [(step, 2.2 / step**0.25) for step in range(40, 200, 40)]} if validation else {}
    (folder / "model").mkdir(exist_ok=True)
    write_record(folder / "model" / "train.json", record)
    write_prices(folder, Prices(prompt=0.5, completion=20))


def test_training_evaluation_gain_and_cost_are_in_the_report(folder: Path) -> None:
    pytest.importorskip("bokeh")
    products(folder)
    seen = Elements()
    page = write_report(folder).read_text(encoding="utf-8")
    seen.feed(page)
    charts = re.findall(r'data-chart="(\w+)"', page)
    assert {"training", "gain"} <= set(charts)
    assert "dataset, validation" in page
    assert "validation loss (dashed)" in seen.text
    assert "dataset against base" in seen.text
    assert re.search(r"1/4 of the dataset\s*800\s*600\s*\d+\.\d \(\d+\.\d to \d+\.\d\)", seen.text)
    assert re.search(r"arc_easy, acc\s*0\.250 ± 0\.031", seen.text)
    assert "cost, at the prices of the run" in seen.text
    assert "A million prompt tokens cost 0.5, a million completion tokens 20." in seen.text


@pytest.mark.parametrize(("shares", "drawn"), [((), False), (("half",), True)])
def test_a_curve_has_two_points_at_least(shares: Sequence[str], drawn: bool, folder: Path) -> None:
    pytest.importorskip("bokeh")
    products(folder, shares=shares, validation=False)
    page = write_report(folder).read_text(encoding="utf-8")
    assert ('data-chart="gain"' in page) == drawn
    assert "the dataset</th>" in page
    assert "validation" not in page.split("<script")[0]


def test_intervals_that_say_nothing_are_said_so(folder: Path) -> None:
    pytest.importorskip("bokeh")
    products(folder)
    path = folder / "gain.json"
    path.write_text(re.sub(r'"(low|high)": -?[\d.]+', r'"\1": null', path.read_text()))
    assert "(too few to say)" in write_report(folder).read_text(encoding="utf-8")


def test_without_prices_the_report_says_where_to_set_them(folder: Path) -> None:
    pytest.importorskip("bokeh")
    write_prices(folder, Prices())
    assert not (folder / "prices.json").exists()
    page = write_report(folder).read_text(encoding="utf-8")
    assert "a table [prices]" in page
    assert "<th>cost</th>" not in page
