"""Evaluation: what each model is asked, and that the figures are those of its answers."""

import json

import pytest

from pipeline.engines.base import Request
from pipeline.errors import SproutError
from pipeline.evaluation.record import read_evaluation
from pipeline.evaluation.table import table
from pipeline.runs.context import Context
from pipeline.stages.evaluate import Evaluate
from pipeline.task import Instance, Task
from tests.stages.evaluating import Closing, engine, half, make, predictions, right, wrong


def test_the_model_of_the_run_gives_its_memory_back_before_others_are_asked_if_it_is_not_among_them(tmp_path, heldout):
    base, closed = engine(wrong, "base"), []

    def answer(request: Request) -> str:
        closed.append(base.closed)
        return "the 3 cats"

    make(tmp_path, heldout, {"base": base, "mine": engine(answer, "mine")}, models={"mine": "mine"})

    assert closed == [1] * 6
    assert not base.requests


def test_every_model_of_the_run_is_scored_on_the_same_instances(tmp_path, heldout):
    run = tmp_path / "run"
    for name in ("model", "model-seeds"):
        (run / name).mkdir(parents=True)
    engines = {"base": engine(wrong, "base")}
    engines |= {str(run / "model-seeds"): engine(half, "seeds"), str(run / "model"): engine(right, "dataset")}
    found = make(run, heldout, engines)

    assert {name: one["rouge_l"] for name, one in found.items()} == {"base": 0, "seeds": 50, "dataset": 100}
    assert {name: one["exact_match"] for name, one in found.items()} == {"base": 0, "seeds": 50, "dataset": 100}
    assert found["seeds"]["category"]["word_analogy"] == {
        "instances": 3,
        "rouge_l": 100,
        "exact_match": 100,
        "match": 100,
    }
    assert found["seeds"]["task"]["b"]["rouge_l"] == 0
    assert found["seeds"]["model"] == str(run / "model-seeds")
    assert [one["id"] for one in predictions(run, "seeds")] == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert predictions(run, "seeds")[0] == {
        "id": "a0",
        "prediction": "the 3 cats",
        "rouge_l": 1,
        "exact_match": 1,
        "match": 1,
    }
    assert all(one.closed == 1 for one in engines.values())


def test_two_evaluations_of_a_run_keep_their_answers_and_figures_apart(tmp_path, heldout):
    found = make(tmp_path, heldout, {"base": engine(wrong, "base")})
    other = tmp_path / "other.jsonl"
    other.write_text('{"id": "x", "instruction": "Name a fruit.", "output": "fig"}\n')
    again = Evaluate(label="again", heldout=str(other))
    again.make((), Context(seeds=(), engine=engine(lambda request: "fig", "base"), folder=tmp_path))

    assert json.loads((tmp_path / "evaluation.json").read_text("utf-8")) == found
    assert read_evaluation(tmp_path, again.written)["base"].exact_match == 100
    assert "100.0" in again.summary(tmp_path)
    assert len(predictions(tmp_path, "base")) == 6
    assert (tmp_path / "predictions-again" / "base.jsonl").read_text("utf-8").startswith('{"id":')


def test_a_base_model_gets_a_plain_prompt_and_a_chat_model_a_message_both_greedily(tmp_path, heldout):
    base, chat = engine(right, "base"), engine(right, "chat", chat=True)
    make(tmp_path, heldout, {"base": base, "chat": chat}, models={"base": "base", "chat": "chat"}, encoding="output")

    assert base.requests[0].prompt == "Count a?\n\nInput: 0\n\nOutput:"
    assert chat.requests[0].prompt == ({"role": "user", "content": "Count a?\n\n0"},)
    assert all(one.sampling.temperature == 0 for one in base.requests + chat.requests)
    assert base.requests[0].sampling.max_tokens == 1024


def test_an_answer_in_the_layout_of_worked_examples_ends_before_the_next_one(tmp_path, heldout):
    base, chat = engine(right, "base"), engine(right, "chat", chat=True)
    make(tmp_path, heldout, {"base": base, "chat": chat}, models={"base": "base", "chat": "chat"}, encoding="examples")

    assert base.requests[0].prompt == "Task: Count a?\nExample 1\nInput: 0\nOutput:"
    assert "\nExample" in base.requests[0].sampling.stop
    assert chat.requests[0].sampling.stop == ()


def test_thoughts_before_an_answer_are_no_part_of_it(tmp_path, heldout):
    engines = {"base": engine(lambda request: "<think>One, two.</think>\n\nthe 3 cats", "base")}

    found = make(tmp_path, heldout, engines, models={"base": "base"})

    assert found["base"]["exact_match"] == 100
    assert predictions(tmp_path, "base")[0]["prediction"] == "the 3 cats"


def test_a_model_is_asked_in_the_form_it_was_tuned_in(tmp_path, heldout):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "train.json").write_text('{"chat": true}')
    tuned = engine(right, "tuned", chat=False)
    make(tmp_path, heldout, {"base": engine(right, "base"), str(tmp_path / "model"): tuned})

    assert tuned.requests[0].prompt == ({"role": "user", "content": "Count a?\n\n0"},)


def test_every_two_models_are_compared_and_better_is_said_only_where_it_is_clear(tmp_path, heldout):
    engines = {name: engine(answer, name) for name, answer in {"a": wrong, "b": half, "c": right}.items()}
    found = make(tmp_path, heldout, engines, base="a", models={name: name for name in engines}, resample="task")

    assert [list(entry["against"]) for entry in found.values()] == [[], ["a"], ["a", "b"]]
    assert found["c"]["against"]["a"]["rouge_l"]["value"] == 100
    assert found["c"]["against"]["a"]["rouge_l"]["verdict"] == "unclear"  # there are only two tasks
    assert found["c"]["resampled"] == "task"
    again = make(tmp_path, heldout, engines, base="a", models={name: name for name in engines})
    assert again["c"]["resampled"] == "instance"  # as there are too few tasks to draw from
    difference = again["c"]["against"]["b"]["exact_match"]
    assert difference == {"value": 50, "low": -8.5501, "high": 81.2384, "verdict": "unclear"}  # three against none
    assert again["c"]["against"]["a"]["exact_match"]["verdict"] == "better"  # six against none
    assert all(len(one.requests) == 6 for one in engines.values())


def test_answers_made_elsewhere_stand_beside_those_of_models(tmp_path, heldout, caplog):
    path = tmp_path / "theirs.jsonl"
    ids = [f"{task}{n}" for task in "ab" for n in range(3)]
    path.write_text("".join(f'{{"id": "{id}", "prediction": "the 3 cats"}}\n' for id in [*ids, "z9"]))
    found = make(tmp_path, heldout, {"base": engine(wrong, "base")}, predictions={"theirs": str(path)})

    assert found["theirs"]["rouge_l"] == 100
    assert found["theirs"]["against"]["base"]["rouge_l"]["verdict"] == "better"
    assert caplog.messages == [f"evaluate: {path}: 1 ids are of no held-out instance, such as z9"]
    alone = make(tmp_path / "2", heldout, {"base": engine(wrong, "base")}, models={}, predictions={"theirs": str(path)})
    assert list(alone) == ["theirs"]
    with pytest.raises(SproutError, match="name of a model and of a file"):
        make(tmp_path, heldout, {"base": engine(wrong, "base")}, predictions={"base": str(path)})
    with pytest.raises(SproutError, match="nothing to evaluate"):
        make(tmp_path, heldout, {"base": engine(wrong, "base")}, models={})
    with pytest.raises(SproutError, match="nothing to evaluate on; give held-out tasks"):
        make(tmp_path, (), {"base": engine(wrong, "base")})


def test_several_sets_are_evaluated_together_and_shown_one_by_one(tmp_path, heldout):
    other = tmp_path / "other.jsonl"
    other.write_text('{"id": "a0", "instruction": "Name an animal.", "output": "dogs"}\n')
    found = make(tmp_path, heldout, {"base": engine(wrong, "base")}, heldout=[heldout, str(other)])["base"]

    assert {name: part["rouge_l"] for name, part in found["source"].items()} == {"heldout": 0, "other": 100}
    assert [one["id"] for one in predictions(tmp_path, "base")][-1] == "other/a0"
    assert [line.split()[0] for line in table(read_evaluation(tmp_path)).splitlines()[1:4]] == [
        "all",
        "heldout",
        "other",
    ]


def test_a_lora_adapter_is_evaluated_on_its_base_model(tmp_path, heldout, base_model):
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    plain = AutoModelForCausalLM.from_pretrained(base_model)
    adapted = get_peft_model(plain, LoraConfig(target_modules="all-linear", init_lora_weights=False))
    adapted.save_pretrained(tmp_path / "lora")
    opened = []

    def open_engine(model: str) -> Closing:
        opened.append(model)
        return engine(right, model)

    run = Context(seeds=(), engine=engine(wrong, "base"), folder=tmp_path, open_engine=open_engine)
    stage = Evaluate(heldout=heldout, models={"base": "base", "mine": str(tmp_path / "lora")})
    stage.make((), run)
    stage.make((), run)

    assert set(opened) == {str(tmp_path / "merged" / "mine")}
    ids = torch.arange(20)[None]
    merged = AutoModelForCausalLM.from_pretrained(opened[0])
    base = AutoModelForCausalLM.from_pretrained(base_model)
    theirs = PeftModel.from_pretrained(base, str(tmp_path / "lora"))
    torch.testing.assert_close(merged(ids).logits, theirs(ids).logits, atol=1e-4, rtol=1e-4)

    config = json.loads((tmp_path / "lora" / "adapter_config.json").read_text())
    (tmp_path / "lora" / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "/gone"}))
    with pytest.raises(SproutError, match=r"lora: its base model: /gone: is not a folder here"):
        stage.make((), run)
    (tmp_path / "lora" / "adapter_model.safetensors").unlink()
    with pytest.raises(SproutError, match=r"has no adapter_model.safetensors"):
        stage.make((), run)


def test_what_cannot_be_evaluated_is_said_before_a_model_is_asked(tmp_path, heldout):
    base = engine(right, "base")
    alone = Context(seeds=(), engine=base, folder=tmp_path)
    with pytest.raises(SproutError, match="cannot open another model than base"):
        Evaluate(heldout=heldout, models={"base": "base", "x": "other"}).make((), alone)
    with pytest.raises(SproutError, match="not the name of a file"):
        Evaluate(heldout=heldout, models={"base": "base", "../x": "base"}).make((), alone)
    with pytest.raises(SproutError, match="cannot be read"):
        Evaluate(heldout=str(tmp_path / "gone")).make((), alone)
    assert not base.requests


def with_demos(request: Request) -> str:
    return " the 3 cats\n\nTask: More" if "Task: Say yes." in str(request.prompt) else "dogs"


SEEDS = [Task(id="seed", instruction="Say yes.", is_classification=True, instances=(Instance(output="yes"),))]


def test_the_first_model_is_asked_again_with_seed_tasks_in_its_prompt(tmp_path, heldout):
    engines = {"base": engine(with_demos, "base"), "other": engine(right, "other")}
    names = {name: name for name in engines}
    found = make(tmp_path, heldout, engines, models=names, num_demos=3, seeds=SEEDS)

    assert {name: one["rouge_l"] for name, one in found.items()} == {"base": 0, "demos": 100, "other": 100}
    assert found["demos"]["num_demos"] == 1  # of three that are wanted, as many as there are
    assert "num_demos" not in found["base"]
    assert predictions(tmp_path, "demos")[0]["prediction"] == "the 3 cats"
    plain, shown = engines["base"].requests[0], engines["base"].requests[6]
    assert shown.prompt.endswith(
        "Task: Say yes.\nExample 1\nOutput: yes\n\nTask: Count a?\nExample 1\nInput: 0\nOutput:"
    )
    assert shown.sampling == plain.sampling.model_copy(update={"stop": ("\nTask:", "\nExample", "\nInput:")})
    make(tmp_path, heldout, engines, models=names, num_demos=3, seeds=SEEDS)
    assert (len(engines["base"].requests), len(engines["other"].requests)) == (12, 6)


def test_no_demos_are_the_layout_alone(tmp_path, heldout):
    base = engine(lambda request: " the 3 cats" if "Example 1" in str(request.prompt) else "dogs", "base")
    found = make(tmp_path, heldout, {"base": base}, num_demos=0)

    assert (found["base"]["rouge_l"], found["demos"]["rouge_l"], found["demos"]["num_demos"]) == (0, 100, 0)
    assert base.requests[6].prompt.endswith("output.\n\nTask: Count a?\nExample 1\nInput: 0\nOutput:")


def test_demos_are_turns_for_a_chat_model(tmp_path, heldout):
    chat = engine(with_demos, "chat", chat=True)
    make(tmp_path, heldout, {"chat": chat}, base="chat", models={"chat": "chat"}, num_demos=1, seeds=SEEDS)

    roles = [(message["role"], message["content"]) for message in chat.requests[6].prompt]
    assert roles == [("user", "Say yes."), ("assistant", "yes"), ("user", "Count a?\n\n0")]


def silent(request: Request) -> str:
    return "" if "Task: Say yes." in str(request.prompt) else "dogs"


@pytest.mark.parametrize(
    ("settings", "seeds", "message"),
    [
        ({"models": {"demos": "base"}}, SEEDS, "demos is the name of another"),
        ({"models": {}, "predictions": {"a": "a.jsonl"}}, SEEDS, "there is none"),
        ({"models": {"base": "base"}}, [], "no seed task has an instance that could be shown"),
        ({"models": {"base": "base"}}, SEEDS, "with 1 demo, base answered none of 6 held-out tasks"),
    ],
)
def test_a_model_that_cannot_be_shown_demos_is_said_in_a_sentence(settings, seeds, message, tmp_path, heldout):
    with pytest.raises(SproutError, match=message):
        make(tmp_path, heldout, {"base": engine(silent, "base")}, num_demos=1, seeds=seeds, **settings)
