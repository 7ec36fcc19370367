"""A run stops in good order where the user said, and the same call goes on."""

import argparse

import pytest

from pipeline import Completion, Request, RunOptions, run
from pipeline.cli.main import main, seconds
from pipeline.engines.scripted import Scripted
from pipeline.errors import BudgetReached, SproutError
from pipeline.runs.budget import Budget, Prices, read_prices
from pipeline.runs.journal import FILE, Journal
from tests.conftest import answer
from tests.runs.test_run import stages
from tests.runs.toys import files


def counted(request: Request) -> Completion:
    return Completion(id=request.id, text=answer(request), prompt_tokens=100, completion_tokens=10)


def test_tokens_stop_a_run_and_a_larger_budget_ends_it_with_the_same_bytes(seeds, tmp_path):
    run(stages(), seeds, Scripted(counted), tmp_path / "whole")
    for most in (500, 1_000, 3_000):
        with pytest.raises(BudgetReached, match=rf"spent of the {most:,} that --max-tokens allows.*a larger limit"):
            run(stages(), seeds, Scripted(counted), tmp_path / "part", RunOptions(budget=Budget(max_tokens=most)))
        with Journal(tmp_path / "part" / FILE) as journal:
            used = sum(stage.prompt_tokens + stage.completion_tokens for stage in journal.usage().values())
        assert most <= used < most + 8 * 110  # no more than what was in flight

    run(stages(), seeds, Scripted(counted), tmp_path / "part", RunOptions(budget=Budget(max_tokens=10**6)))
    assert files(tmp_path / "part") == files(tmp_path / "whole")


def test_what_is_known_needs_no_budget(seeds, tmp_path):
    run(stages(), seeds, Scripted(counted), tmp_path)
    for path in tmp_path.glob("*.jsonl"):
        path.unlink()

    assert len(run(stages(), seeds, Scripted(counted), tmp_path, RunOptions(budget=Budget(max_tokens=1)))) == 20


def test_cost_counts_prompts_and_completions_at_their_price(seeds, tmp_path):
    budget = Budget(max_cost=0.01, prices=Prices(prompt=5, completion=50))  # 0.001 a request

    with pytest.raises(BudgetReached, match=r"0\.01 is spent of the 0\.01 that --max-cost allows"):
        run(stages(), seeds, Scripted(counted), tmp_path, RunOptions(budget=budget))


def test_a_run_that_a_budget_stops_leaves_its_prices_for_the_report(seed_file, tmp_path):
    out = tmp_path / "out"
    scripted = ["--engine", "scripted", "--set", "engine.answer=tests.runs.test_budget:counted"]
    prices = ["--set", "prices.prompt=5", "--set", "prices.completion=50", "--max-cost", "0.01"]
    with pytest.raises(SystemExit) as end:
        main(["run", "--seeds", str(seed_file), "--out", str(out), *scripted, *prices])

    assert end.value.code == 3
    assert read_prices(out) == Prices(prompt=5, completion=50)


def test_a_limit_of_cost_without_prices_is_refused():
    with pytest.raises(SproutError, match="--max-cost: no prices are set"):
        Budget(max_cost=1)


def test_a_server_that_tells_no_tokens_is_told_of_once(seeds, tmp_path, caplog):
    run(stages(), seeds, Scripted(answer), tmp_path, RunOptions(budget=Budget(max_tokens=1)))

    assert [message for message in caplog.messages if "how many tokens" in message] == [
        "the server does not report how many tokens a request took, so --max-tokens and --max-cost have no effect; "
        "use --max-time to stop the run"
    ]


def test_time_is_that_of_one_sitting(seeds, tmp_path):
    with pytest.raises(BudgetReached, match=r"that --max-time allows.*kept, and the same command continues"):
        run(stages(), seeds, Scripted(counted), tmp_path, RunOptions(budget=Budget(max_time=0)))

    assert len(run(stages(), seeds, Scripted(counted), tmp_path, RunOptions(budget=Budget(max_time=600)))) == 20


@pytest.mark.parametrize(
    ("text", "value"), [("90", 90), ("90s", 90), ("1.5m", 90), ("8h", 28800), ("2d", 172800), ("1h30m", 5400)]
)
def test_a_time_may_have_a_unit(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "m", "-1", "0h", "soon", "1w", "8hours"])
def test_no_time_is_a_usage_error(text):
    with pytest.raises(argparse.ArgumentTypeError, match=r"is not a (number above 0|time)"):
        seconds(text)
