"""Other ways to train: by preference, half of the weights, with hidden tokens."""

import pytest
from pydantic import ValidationError

from pipeline.dataset.content import PreferenceRow
from pipeline.errors import SproutError
from pipeline.resources import NANO
from pipeline.training.dpo import cut_pairs, pair_tokens
from pipeline.training.half import freeze_half
from pipeline.training.settings import Training, TrainingSettings
from pipeline.training.tune import tune
from tests.stages.conftest import CHAT_TEMPLATE
from tests.training.test_trainer import CHILD, ROWS, model, training

__all__ = ["model"]

PAIRS = [
    PreferenceRow(prompt=row.prompt, chosen=row.completion, rejected=f"{row.completion} or not") for row in ROWS[:8]
]
FEW = {"max_steps": 3, "batch_size": 4, "learning_rate": 0.01}


def weights(folder):
    from safetensors.torch import load_file

    return load_file(f"{folder}/model.safetensors")


def margin(model, row):
    """How much likelier the better answer is than the worse one, in natural logarithms."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, tuned = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    tokens = pair_tokens(row, tokenizer)
    sums = []
    for name in ("chosen_ids", "rejected_ids"):
        ids = torch.tensor([tokens["prompt_ids"] + tokens[name]])
        logits = tuned(ids).logits[0, len(tokens["prompt_ids"]) - 1 : -1].log_softmax(-1)
        sums.append(logits.gather(-1, torch.tensor(tokens[name])[:, None]).sum().item())
    return sums[0] - sums[1]


@pytest.mark.parametrize("method", ["full", "lora", "half"])
def test_by_preference_a_model_comes_to_prefer_the_better_answer(method, model, tmp_path):
    settings = TrainingSettings(objective="dpo", method=method, max_steps=10, batch_size=4, learning_rate=0.01)
    record = tune(Training(model=model, rows=PAIRS, validation=PAIRS[:2], settings=settings), tmp_path / "model")

    assert record.loss[0][1] == pytest.approx(0.6931, abs=1e-3)  # of a model that is its own reference
    assert record.loss[-1][1] < record.loss[0][1]
    assert margin(str(tmp_path / "model"), PAIRS[0]) > margin(model, PAIRS[0])
    assert record.validation_loss


def test_a_training_by_preference_that_was_killed_ends_the_same(model, tmp_path):
    import subprocess
    import sys

    settings = TrainingSettings(objective="dpo", max_steps=6, batch_size=4, learning_rate=0.01, checkpoint_steps=1)
    given = Training(model=model, rows=PAIRS, settings=settings)
    whole = tune(given, tmp_path / "whole")
    command = [sys.executable, "-c", CHILD, given.model_dump_json(), str(tmp_path / "model")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout
        next(line for line in child.stdout if "step 3 of" in line)
        child.kill()
    again = tune(given, tmp_path / "model")

    assert again.loss[-1] == whole.loss[-1]
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == (
        tmp_path / "whole" / "model.safetensors"
    ).read_bytes()


def test_nano_is_tuned_by_preference(tmp_path):
    settings = TrainingSettings(objective="dpo", max_steps=2, batch_size=2)
    record = tune(Training(model=str(NANO), rows=PAIRS, settings=settings), tmp_path / "model")

    assert (record.model, record.steps) == ("nano", 2)


def test_the_tokens_of_a_pair_are_those_of_a_training_on_each(model):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = CHAT_TEMPLATE
    said = (
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    )
    text = pair_tokens(PreferenceRow(prompt="one\n\n", chosen="two", rejected="three"), tokenizer)
    chat = pair_tokens(PreferenceRow(prompt=said, chosen="four", rejected="five"), tokenizer)

    assert tokenizer.decode(text["prompt_ids"]).endswith("one\n\n")
    assert tokenizer.decode(text["chosen_ids"]).strip() == f"two{tokenizer.eos_token}"
    assert "two" in tokenizer.decode(chat["prompt_ids"])
    assert "four" in tokenizer.decode(chat["chosen_ids"])
    assert "two" not in tokenizer.decode(chat["chosen_ids"])
    assert "five" in tokenizer.decode(chat["rejected_ids"])


@pytest.mark.parametrize(
    ("chosen", "rejected", "kept"),
    [([1, 2, 3], [4], ([1, 2], [4])), ([1, 2, 3], [1, 2, 4], None), ([1], [2], ([1], [2]))],
)
def test_long_pairs_are_cut_and_left_out_if_nothing_tells_them_apart(chosen, rejected, kept, caplog):
    rows = cut_pairs(iter([{"prompt_ids": [9, 9], "chosen_ids": chosen, "rejected_ids": rejected}]), 4)

    assert [(row["chosen_ids"], row["rejected_ids"]) for row in rows] == ([kept] if kept else [])


def test_prompts_that_leave_no_room_for_an_answer_are_an_error(model, tmp_path):
    settings = TrainingSettings(objective="dpo", max_length=2)

    with pytest.raises(SproutError, match="no answer is left; raise max_length"):
        tune(Training(model=model, rows=PAIRS, settings=settings), tmp_path / "model")


def test_half_of_the_weights_stay_as_they_were(model, tmp_path):
    tune(training(model, (), **FEW, method="half"), tmp_path / "model")
    before, after = weights(model), weights(tmp_path / "model")
    same = {name for name in before if before[name].equal(after[name])}

    assert not any("embed" in name for name in same)
    for layer in {name.split(".")[2] for name in before if ".layers." in name}:
        attention = [name for name in same if f".layers.{layer}.self_attn." in name]
        assert len(attention) == 2


def test_which_half_depends_on_the_seed_alone():
    from transformers import AutoModelForCausalLM

    def tuned(seed):
        model = AutoModelForCausalLM.from_pretrained(NANO)
        freeze_half(model, seed)
        return {name for name, parameter in model.named_parameters() if parameter.requires_grad}

    first = tuned(1)
    assert first == tuned(1) != tuned(2)
    for layer in range(4):
        inside = [name for name in first if f".layers.{layer}." in name]
        assert sum("self_attn" in name for name in inside) == 2
    assert sorted(sum(f".layers.{layer}.mlp" in name for name in first) for layer in range(4)) == [1, 1, 2, 2]
    assert sum("layernorm" in name for name in first) == 4
    assert {"model.embed_tokens.weight", "model.norm.weight"} <= first


def test_hidden_tokens_make_an_answer_harder_to_learn_and_the_end_the_same_after_a_kill(model, tmp_path):
    plain = tune(training(model, (), **FEW), tmp_path / "plain")
    none = tune(training(model, (), **FEW, mask_input=1e-9), tmp_path / "none")
    hidden = tune(training(model, (), **FEW, mask_input=0.9, mask_ramp=0.01), tmp_path / "hidden")
    again = tune(training(model, (), **FEW, mask_input=0.9, mask_ramp=0.01), tmp_path / "again")

    assert [loss for _, loss in none.loss] == [loss for _, loss in plain.loss]
    assert hidden.loss[0] == plain.loss[0]  # nothing is hidden at the first step
    assert hidden.loss[-1] != plain.loss[-1]
    assert hidden.loss == again.loss


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"objective": "dpo", "mask_input": 0.4}, 'mask_input has no effect with objective = "dpo"'),
        ({"objective": "dpo", "padding_free": True}, 'padding_free has no effect with objective = "dpo"'),
        ({"beta": 0.2}, 'beta is for objective = "dpo"'),
        ({"mask_ramp": 0.5}, "mask_ramp has no effect without mask_input"),
        ({"mask_input": 1.0}, "less than 1"),
        ({"method": "quarter"}, "'full', 'lora' or 'half'"),
    ],
)
def test_settings_that_make_no_sense_together_are_refused(settings, said):
    with pytest.raises(ValidationError, match=said):
        TrainingSettings(**settings)


def test_each_way_has_a_learning_rate_and_a_batch_with_a_source():
    for objective in ("sft", "dpo"):
        for method in ("full", "half", "lora"):
            assert TrainingSettings(objective=objective, method=method).preset.source
