"""A run does not mix what was made with other settings, models, seeds, prompts, stages or code."""

import importlib
import shutil
from itertools import count

import pytest

from pipeline import SproutError, Stage, run
from pipeline.engines.scripted import Scripted
from pipeline.stages import Filter, Instances, Instructions
from tests.conftest import answer
from tests.runs.test_run import stages
from tests.runs.toys import files


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (
            lambda s: s.__setitem__(0, Instructions(num_tasks=20, window=4, max_rouge=0.5)),
            "settings: max_rouge in instr",
        ),
        (lambda s: s.__setitem__(2, Instances(max_instances=1)), "settings: max_instances in instances"),
    ],
)
def test_other_settings_are_refused_with_the_files_to_delete(model, seeds, tmp_path, change, named):
    run(stages(), seeds, model, tmp_path)
    before = files(tmp_path)
    changed = stages()
    change(changed)

    with pytest.raises(SproutError, match=f"{named}.*3_instances.jsonl, 4_filter.jsonl"):
        run(changed, seeds, model, tmp_path)
    assert files(tmp_path) == before


def test_another_model_or_other_seeds_are_refused(model, seeds, tmp_path):
    run(stages(), seeds, model, tmp_path)

    with pytest.raises(SproutError, match="settings: model"):
        run(stages(), seeds, Scripted(answer, model="other"), tmp_path)
    with pytest.raises(SproutError, match="settings: seeds"):
        run(stages(), seeds[1:], model, tmp_path)


def test_an_edited_prompt_is_another_setting(model, seeds, tmp_path, monkeypatch):
    shutil.copytree("prompts", tmp_path / "prompts")
    monkeypatch.setenv("SPROUT_PROMPTS", str(tmp_path / "prompts"))
    run(stages(), seeds, model, tmp_path / "run")
    with open(tmp_path / "prompts" / "classify.jinja", "a") as file:
        file.write("\n")

    with pytest.raises(SproutError, match=r"settings: classify\.jinja in classify.*2_classify.jsonl"):
        run(stages(), seeds, model, tmp_path / "run")


def test_what_the_chat_template_gets_is_in_every_request_and_part_of_the_settings(seeds, tmp_path):
    model = Scripted(answer, chat=True)
    model.chat_template_kwargs = {"enable_thinking": False}

    run(stages(), seeds, model, tmp_path)

    assert all(request.chat_template_kwargs == {"enable_thinking": False} for request in model.requests)
    with pytest.raises(SproutError, match="begun with different settings: chat_template_kwargs in instructions"):
        run(stages(), seeds, Scripted(answer, chat=True), tmp_path)


def test_two_stages_of_one_name_are_refused(model, seeds, tmp_path):
    with pytest.raises(SproutError, match="two stages are called filter"):
        run([Filter(), Filter()], seeds, model, tmp_path)


OWN = """
from pipeline import Stage

LIMIT = {limit}
UNUSED = {unused}


def is_long(text):
    return len(text) {sign} LIMIT


class Short(Stage):
    def decide(self, todo, done, context):
        {comment}
        for task in todo:
            yield task.reject("long") if is_long(task.instruction) else task


stages = [Short(), {unused}]
"""
CODE = {"comment": "# one way", "sign": "<", "limit": 20, "unused": 1}


@pytest.mark.parametrize("same", [{"comment": "# a better word"}, {"unused": 2}])
@pytest.mark.parametrize("changed", [{"sign": "<="}, {"limit": 21}])
def test_what_a_stage_of_ones_own_uses_of_its_module_must_stay_the_same(seeds, tmp_path, monkeypatch, same, changed):
    names = count()

    def own(**code: object) -> Stage:
        name = f"own_{tmp_path.name}_{next(names)}"
        (tmp_path / f"{name}.py").write_text(OWN.format(**CODE | code))
        return importlib.import_module(name).Short()

    monkeypatch.syspath_prepend(tmp_path)
    model = Scripted(answer)
    run([Instructions(num_tasks=20), own()], seeds, model, tmp_path / "run")
    run([Instructions(num_tasks=20), own(**same)], seeds, model, tmp_path / "run")

    with pytest.raises(SproutError, match="begun with different settings: code in short"):
        run([Instructions(num_tasks=20), own(**changed)], seeds, model, tmp_path / "run")


def test_a_stage_that_is_left_out_of_a_run_which_has_it_is_missed(seeds, tmp_path):
    some = stages()
    run(some, seeds, Scripted(answer), tmp_path)

    with pytest.raises(SproutError, match=r"4_filter.jsonl is there, but this run has no stage filter; add a table"):
        run([one for one in some if one.name != "filter"], seeds, Scripted(answer), tmp_path)
