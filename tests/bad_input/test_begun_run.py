"""Odd things in and around the folder of a run that was begun: it goes on, or says what is in the way."""

import shutil
from pathlib import Path

import pytest

from pipeline import Task
from pipeline.runs.files import funnel
from pipeline.runs.store import Store
from tests.bad_input.conftest import Sprout

FILTER = "old/4_filter.jsonl"


def test_a_product_alone_takes_the_tasks_of_the_last_stage_there_is(sprout: Sprout, begun):
    assert sprout("export", *begun[1:-4]) == (0, "")
    assert (Path("old") / "dataset" / "alpaca.jsonl").exists()


def test_a_product_without_its_tasks_names_the_stage_to_run(sprout: Sprout, begun):
    Path(FILTER).unlink()

    assert sprout("export", *begun[1:-4])[1].startswith(f"{FILTER} is not there; run `sprout filter` first")


def test_a_tasks_file_that_keeps_nothing_is_not_taken_for_none(sprout: Sprout, begun):
    Path("none.jsonl").write_text('{"id":"a","instruction":"b","rejected":"too_short"}\n')

    assert "none.jsonl: holds no task that is kept" in sprout("classify", *begun[1:-4], "--tasks", "none.jsonl")[1]


def test_a_name_may_have_any_characters(sprout: Sprout, begun):
    shutil.copy("seeds.jsonl", "ずっと 😀.jsonl")

    assert sprout("run", "--seeds", "ずっと 😀.jsonl", *begun[3:]) == (0, "")


def test_a_model_that_could_not_be_loaded_leaves_nothing_in_the_way_of_another(sprout: Sprout, begun):
    """The file of the stage is there by then, and empty."""
    shutil.rmtree("old")
    Path("old").mkdir()
    Path("old/settings.json").write_text('{"instructions": {"file": "1_instructions.jsonl", "model": "broken"}}')
    Path("old/1_instructions.jsonl").touch()

    assert "was begun with different settings" not in sprout(*begun, "--max-time", "0.001s")[1]


@pytest.mark.parametrize("text", ["[]", '{"instructions": 3}', '{"instructions": {"file": 3}}', "3"])
def test_settings_that_are_not_a_runs_are_told(sprout: Sprout, begun, text):
    Path("old/settings.json").write_text(text)

    assert sprout(*begun) == (
        1,
        "old/settings.json: is not what a run writes there; restore it, or choose another folder",
    )


def test_settings_that_are_a_folder_are_told(sprout: Sprout, begun):
    Path("old/settings.json").unlink()
    Path("old/settings.json").mkdir()

    assert sprout(*begun)[1].startswith("old/settings.json: cannot be read")


def test_a_file_that_only_looks_like_a_stages_is_passed_over(sprout: Sprout, begun):
    Path("old/1a_b.jsonl").write_text("?")

    assert sprout("stats", "old") == (0, "")


def test_a_line_that_is_being_written_is_not_counted_yet(sprout: Sprout, begun):
    Path(FILTER).write_bytes(Path(FILTER).read_bytes()[:-5])

    assert sprout("stats", "old") == (0, "")
    assert funnel(Path("old"))["filter"].total() == 4


def test_half_a_surrogate_anywhere_in_a_task_is_mended(tmp_path):
    store = Store(tmp_path / "1_x.jsonl")
    broken = Task(id="a", instruction="b", name="n\ud83d", meta={"x": ["\ud83d", {"\udc00": 1}]})

    list(store.extend([broken]))
    assert store.load()[0].meta == {"x": ["\ufffd", {"\ufffd": 1}]}
