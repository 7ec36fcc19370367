"""The funnel: every task is kept or rejected for a reason."""

from pipeline import run, stats
from pipeline.stages import Classify, Filter, Instances, Instructions


def test_each_stage_adds_up(model, seeds, tmp_path):
    run(
        [Instructions(num_tasks=15, window=2, max_rouge=0.6), Classify(), Instances(), Filter()], seeds, model, tmp_path
    )
    funnel = stats.funnel(tmp_path)

    assert list(funnel) == ["instructions", "classify", "instances", "filter"]
    assert funnel["instructions"]["kept"] == funnel["classify"].total() == 15
    for (_, before), (_, after) in zip(list(funnel.items())[:-1], list(funnel.items())[1:], strict=True):
        assert before["kept"] == after.total()
    shown = stats.show(tmp_path)
    total, kept, rejected = shown.splitlines()[1].split()[1:4]
    assert int(total) == int(kept) + int(rejected)
    assert f"not_new {funnel['instructions']['not_new']}" in shown
