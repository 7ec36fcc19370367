"""Settings of a selection: those that make no sense are refused before anything is read, in one sentence."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline import Context, Instance, SproutError, Task
from pipeline.engines.scripted import Scripted
from pipeline.runs.run import run_stages
from pipeline.stages.select import Select

TASKS = [Task(id="t", instruction="Name a fish.", instances=(Instance(output="pike"),), scores={"judge": 1})]


def test_an_encoder_that_is_not_there_is_told_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(SproutError, match="is not a folder here; give the folder or the hub name"):
        Select(top=1, encoder=str(tmp_path / "missing"))


def test_a_target_that_is_not_there_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    stage = Select(top=1, target=str(tmp_path / "missing.jsonl"), encoder="nobody/no-such-model")

    with pytest.raises(SproutError, match=r"missing\.jsonl: cannot be read"):
        run_stages([stage], {"select": "1_select.jsonl"}, TASKS, Context((), Scripted(lambda request: ""), tmp_path))


def test_only_a_selection_that_looks_at_meanings_needs_an_encoder() -> None:
    assert not Select(by="judge", top=3).needs()
    assert all(Select(top=3, **one).needs() for one in ({"max_cosine": 0.9}, {"method": "vote_k"}, {"target": "x"}))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "no selection is set; set top, min_score or max_score"),
        ({"by": "judge"}, "no selection is set"),
        ({"min_score": 3}, "by is missing: the score that min_score and max_score are for"),
        ({"by": "judge", "top": 0}, "0 is neither a number of tasks, such as 1000, nor a share of them, such as 0.1"),
        ({"by": "judge", "top": 1.5}, "1.5 is neither a number of tasks"),
        ({"by": "judge", "top": -0.1}, "-0.1 is neither a number of tasks"),
        ({"by": "judge", "min_score": "mean"}, "'mean' is no bound; give a number, \"median\", or a quantile"),
        ({"by": "judge", "min_score": "120%"}, "'120%' is no bound"),
        ({"by": "judge", "top": 3, "order": "random"}, "order"),
        ({"method": "k_center"}, "top is missing: k_center has to know how many to choose"),
        ({"method": "vote_k", "top": 3, "max_cosine": 0.9}, "max_cosine is for a selection by rank, not by vote_k"),
        ({"method": "k_means", "top": 3, "target": "x"}, "target is for a selection by rank, not by k_means"),
        ({"method": "k_center", "top": 3, "by": "judge"}, "k_center does not look at a score"),
        ({"method": "k_means", "top": 3, "groups": "kind"}, "the clusters of k_means are its groups; leave out groups"),
        ({"by": "cosine", "top": 3, "max_cosine": 0.9}, "cosine is what this stage writes, so it cannot select by it"),
        ({"by": "transport", "top": 3, "target": "x", "min_score": 0}, "transport is what this stage writes"),
        ({"by": "rank", "top": 3}, "rank is what this stage writes"),
        ({"top": 3, "max_cosine": 1.1}, "max_cosine"),
        ({"top": 3, "method": "random"}, "method"),
        ({"top": 3, "text": "output"}, "text"),
        ({"top": 3, "rho": 1}, "rho"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as error:
        Select(**settings)

    assert message in str(error.value)


def test_the_defaults_are_those_of_the_papers() -> None:
    stage = Select(top=1)

    assert (stage.num_neighbours, stage.rho, stage.num_clusters) == (150, 10, 512)
