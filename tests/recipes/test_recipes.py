"""The settings that ship: each builds, and `paper` is what was published."""

import pytest

from pipeline.engines.base import Sampling
from pipeline.resources import PACKAGE
from pipeline.settings.build import build_stages, engine_options
from pipeline.settings.read import read
from pipeline.stages import Classify, Dedup, Evaluate, Export, Instances, Instructions, Train

PRESETS = sorted(path.stem for path in (PACKAGE / "recipes").glob("*.toml"))


def test_three_ship_that_are_self_instruct():
    assert {"default", "paper", "quickstart"} <= {*PRESETS}


@pytest.mark.parametrize("name", PRESETS)
def test_each_builds_and_takes_a_model(name):
    settings = read(name, ["engine.model=some/model", "out=outputs/mine"])

    assert build_stages(settings)
    kind, options = engine_options(settings.engine)
    assert callable(kind)
    assert options["model"] == "some/model"


@pytest.mark.parametrize(
    ("stage", "key", "value"),
    [  # Self-Instruct (arXiv 2212.10560v2) and its published code
        (Instructions, "num_tasks", 52_445),
        (Instructions, "num_demos", 8),
        (Instructions, "num_generated_demos", 2),
        (Instructions, "max_rouge", 0.7),
        (Instructions, "window", 5),
        (Instructions, "english", True),
        (
            Instructions,
            "sampling",
            Sampling(
                temperature=0.7, top_p=0.5, presence_penalty=2, max_tokens=1024, stop=("\n\n", "\n16", "16.", "16 .")
            ),
        ),
        (Classify, "num_classification_demos", 12),
        (Classify, "num_other_demos", 19),
        (Classify, "sampling", Sampling(temperature=0, max_tokens=3, stop=("\n", "Task"))),
        (Instances, "num_input_first_demos", 11),
        (Instances, "num_output_first_demos", 16),
        (Instances, "max_instances", 5),
        (
            Instances,
            "sampling",
            Sampling(temperature=0, presence_penalty=1.5, max_tokens=350, stop=("Example 6", "Task:")),
        ),
        (Export, "encoding", "random"),
        (Export, "input_noise", True),
        (Export, "include_seeds", True),
        (Export, "validation_share", 0),
        (Train, "num_epochs", 2),
        (Train, "method", "full"),
    ],
)
def test_paper_is_what_was_published(stage, key, value):
    there = {type(one): one for one in build_stages(read("paper"))}

    assert getattr(there[stage], key) == value


def test_paper_has_no_stage_that_the_paper_has_not():
    kinds = {type(one) for one in build_stages(read("paper"))}

    assert not kinds & {Dedup, Evaluate}
    assert engine_options(read("paper").engine)[1]["chat"] is False


def test_default_looks_for_the_same_meaning_too():
    there = {type(one): one for one in build_stages(read("default"))}

    assert {Instructions, Classify, Instances, Dedup, Export} <= there.keys()
    assert not there.keys() & {Train, Evaluate}
    assert there[Instructions].sampling.presence_penalty == there[Instances].sampling.presence_penalty == 0
