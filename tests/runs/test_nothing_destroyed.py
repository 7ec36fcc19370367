"""A stage that fails leaves nothing behind, and advice about changed settings names only the files they concern."""

from pathlib import Path

import pytest

from pipeline import Context, SproutError, run
from pipeline.cli.main import main
from pipeline.engines.scripted import Scripted
from pipeline.runs.settings import check_settings, file_names
from pipeline.runs.store import to_line
from pipeline.stages import Dedup, Evaluate, Export, Filter, Train
from tests.conftest import answer
from tests.runs.test_run import stages


@pytest.fixture
def folder(seeds, tmp_path: Path) -> Path:
    run([*stages(), Export()], seeds, Scripted(answer), tmp_path)
    return tmp_path


def test_a_stage_that_fails_before_its_first_decision_creates_nothing(seeds, folder):
    before = {path.name for path in folder.iterdir()}
    with pytest.raises(SproutError, match="no-such-encoder"):
        run([*stages(), Dedup(encoder="nobody/no-such-encoder")], seeds, Scripted(answer), folder)

    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "words", [["show"], ["stats"], ["report"], ["export", "--out"], ["run", "--redecide", "--out"]]
)
def test_an_empty_stage_file_of_an_earlier_version_does_no_harm(folder, seeds, words, tmp_path_factory, monkeypatch):
    (folder / "5_dedup.jsonl").touch()
    elsewhere = tmp_path_factory.mktemp("toy")
    (elsewhere / "toy_nothing_destroyed.py").write_text("from tests.conftest import answer as answer\n", "utf-8")
    monkeypatch.syspath_prepend(str(elsewhere))
    (elsewhere / "given.jsonl").write_text("".join(map(to_line, seeds)), "utf-8")
    engine = ["--engine", "scripted", "--set", "engine.answer=toy_nothing_destroyed:answer"]
    engine += ["--seeds", str(elsewhere / "given.jsonl")]
    options = ["--set", "instructions.num_tasks=20", "--set", "instructions.window=4"]
    main([*words, str(folder), *(options + engine if "--out" in words else [])])

    assert (folder / "5_dedup.jsonl").stat().st_size == 0


TUNED = ["model", "dataset", "evaluation.json", "predictions"]


@pytest.mark.parametrize(
    ("stage", "named"),
    [
        (Evaluate(heldout="nano", sampling={"temperature": 1}), "delete evaluation.json to redo it"),
        (Train(learning_rate=1e-3), "delete model to redo it"),
        (Export(validation_share=0.1), "delete dataset to redo it"),
        (Filter(filters={"refusal": False}), "delete 4_filter.jsonl to redo it"),
        (
            stages(max_rouge=0.5)[0],
            "delete 1_instructions.jsonl, 2_classify.jsonl, 3_instances.jsonl, 4_filter.jsonl to",
        ),
    ],
)
def test_only_files_that_a_changed_setting_concerns_are_named(folder, seeds, stage, named):
    begun = [*stages(), Export(), Train(), Evaluate(heldout="nano")]
    for place in TUNED:
        (folder / place).mkdir(exist_ok=True) if "." not in place else (folder / place).write_text("{}", "utf-8")
    context = Context(seeds, Scripted(answer), folder, stages=begun)
    for alone in (Evaluate(heldout="nano"), *begun):  # whichever was recorded first
        check_settings([alone], file_names(begun), context)
    changed = [stage if one.name == stage.name else one for one in begun]
    with pytest.raises(SproutError) as said:
        check_settings(changed, file_names(begun), context)

    assert named in str(said.value)
    told = str(said.value).partition("delete ")[2]
    assert not [place for place in TUNED if place in told.partition(" to redo")[0] and place != stage.written]
