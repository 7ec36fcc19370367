"""Scorers that look at all tasks: the same numbers wherever a run began."""

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import Instance, SproutError, Task, run
from pipeline.engines.scripted import Scripted
from pipeline.novelty.encoder import Encoder
from pipeline.scorers import knn as knn_module
from pipeline.scorers.base import NoNumber, Work
from pipeline.scorers.knn import knn
from pipeline.scorers.reward import reward
from pipeline.stages.score import Score
from pipeline.task import Answer
from tests.stages.conftest import CHAT_TEMPLATE, save_model

VERBS, THINGS = ("Name", "Draw", "Count", "Praise"), ("a river", "two planets", "the old bridge", "some poems", "a dog")


def tasks(number: int = 20) -> list[Task]:
    return [
        Task(
            id=f"t{n}",
            instruction=f"{VERBS[n % 4]} {THINGS[n % 5]}",
            instances=tuple(Instance(input=str(n), output=f"No {n} {i}" * (1 + n % 4)) for i in range(n % 3)),
        )
        for n in range(number)
    ]


def shown(numbers: Any) -> list[object]:
    return [str(one) if isinstance(one, NoNumber) else one for one in numbers]


# --- knn


@pytest.mark.parametrize("neighbours", [1, 3, 6])
def test_knn_is_the_distance_to_a_neighbour_among_all_tasks(minilm: str, tmp_path: Path, neighbours: int) -> None:
    given = tasks()
    vectors = Encoder(minilm, tmp_path).encode([task.instruction for task in given]).astype(np.float64)
    distances = np.sqrt(((vectors[:, None] - vectors[None]) ** 2).sum(axis=2))
    np.fill_diagonal(distances, np.inf)
    expected = np.sort(distances, axis=1)[:, neighbours - 1]

    found = list(knn(Work(given, 0, tmp_path), encoder=minilm, neighbours=neighbours))
    assert found == pytest.approx(expected.tolist(), abs=6e-5)


@pytest.mark.parametrize("start", [1, 7, 19, 20])
def test_knn_of_the_rest_is_that_of_a_run_that_was_not_interrupted(minilm: str, tmp_path: Path, start: int) -> None:
    whole = list(knn(Work(tasks(), 0, tmp_path / "whole"), encoder=minilm, text="whole"))

    assert list(knn(Work(iter(tasks()), start, tmp_path / "rest"), encoder=minilm, text="whole")) == whole[start:]


def test_the_same_text_is_no_distance_away_and_blocks_make_no_difference(
    minilm: str, tmp_path: Path, monkeypatch
) -> None:
    given = [*tasks(20), *(task.update(id=f"{task.id}b") for task in tasks(20)[:4])]
    whole = list(knn(Work(given, 0, tmp_path), encoder=minilm, neighbours=1))
    monkeypatch.setattr(knn_module, "BATCH", 3)

    assert whole[:4] == whole[20:] == [0.0] * 4
    assert all(one > 0.1 for one in whole[4:20])
    assert list(knn(Work(given, 0, tmp_path), encoder=minilm, neighbours=1)) == whole


def test_what_is_compared_is_a_setting(minilm: str, tmp_path: Path) -> None:
    pair = [Task(id=str(n), instruction="Add", instances=(Instance(input="1 + 1", output=str(n)),)) for n in (2, 3000)]
    found = {
        text: list(knn(Work(pair, 0, tmp_path), encoder=minilm, neighbours=1, text=text))
        for text in ("instruction", "instance", "whole")
    }

    assert found["instruction"] == found["instance"] == [0.0, 0.0]
    assert found["whole"][0] == found["whole"][1] > 0


def test_too_few_tasks_have_no_neighbour_of_that_number(minilm: str, tmp_path: Path) -> None:
    found = knn(Work(tasks(6), 4, tmp_path), encoder=minilm, neighbours=6)

    assert shown(found) == ["there are only 6 tasks"] * 2


def test_very_many_tasks_are_searched_approximately(minilm: str, tmp_path: Path, monkeypatch) -> None:
    given = [Task(id=str(n), instruction=f"{VERBS[n % 4]} {THINGS[n % 5]} {n}") for n in range(300)]
    exact = list(knn(Work(given, 0, tmp_path), encoder=minilm))
    monkeypatch.setattr(knn_module, "EXACT", 100)
    found = list(knn(Work(given, 0, tmp_path), encoder=minilm))

    assert sum(one == other for one, other in zip(exact, found, strict=True)) > 270


# --- reward


def classifier(folder: Path, num_labels: int = 1, pad: int | None = 0, template: str | None = None) -> str:
    """A random classifier on the tokenizer of the other toys."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    save_model(folder, chat_template=template)
    (folder / "model.safetensors").unlink()
    torch.manual_seed(1)
    labels = {0: "reward"} if num_labels == 1 else dict(enumerate(["bad", "fair", "good"]))
    config = LlamaConfig(
        vocab_size=320, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=128, bos_token_id=None, eos_token_id=0, pad_token_id=pad,
        id2label=labels, label2id={name: n for n, name in labels.items()},
    )  # fmt: skip
    LlamaForSequenceClassification(config).save_pretrained(folder)
    return str(folder)


def by_torch(model: str, text: str) -> list[float]:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    network: Any = AutoModelForSequenceClassification.from_pretrained(model, dtype=torch.float32)
    ids = torch.tensor([AutoTokenizer.from_pretrained(model)(text, add_special_tokens=False).input_ids])
    with torch.inference_mode():
        return [float(one) for one in network(ids).logits[0]]


@pytest.mark.parametrize(
    ("template", "layout", "laid_out"),
    [
        (None, "", "{prompt}{output}"),
        (None, "<|user|>{prompt}<|end|><|assistant|>{output}!", "<|user|>{prompt}<|end|><|assistant|>{output}!"),
        (CHAT_TEMPLATE.replace("<|end|>", "."), "", "<|user|>{prompt}.<|assistant|>{output}."),
    ],
)
@pytest.mark.parametrize("pad", [None, 2])
def test_a_reward_is_what_torch_gives_for_each_text_alone(
    tmp_path: Path, template: str | None, layout: str, laid_out: str, pad: int | None
) -> None:
    model = classifier(tmp_path / "model", pad=pad, template=template)
    found = list(reward(Work(tasks(9), 0, tmp_path), model=model, layout=layout))

    for task, number in zip(tasks(9), found, strict=True):
        texts = [laid_out.format(prompt=f"{task.instruction}\n\n{i.input}", output=i.output) for i in task.instances]
        each = [by_torch(model, text)[0] for text in texts]
        assert number == (pytest.approx(sum(each) / len(each), abs=1e-4) if each else None)


def test_of_several_labels_the_log_probability_of_one_counts(tmp_path: Path) -> None:
    model = classifier(tmp_path / "model", num_labels=3)
    (found,) = reward(Work([tasks()[1]], 0, tmp_path), model=model, label="good")
    logits = by_torch(model, "Draw two planets\n\n1No 1 0No 1 0")

    assert found == pytest.approx(logits[2] - math.log(sum(map(math.exp, logits))), abs=1e-4)


@pytest.mark.parametrize("start", [1, 31, 32, 40, 70])
def test_rewards_of_the_rest_are_those_of_a_run_that_was_not_interrupted(tmp_path: Path, start: int) -> None:
    model = classifier(tmp_path / "model")
    whole = list(reward(Work(tasks(70), 0, tmp_path), model=model))

    assert list(reward(Work(tasks(70), start, tmp_path), model=model)) == whole[start:]
    assert len(whole) == 70


def test_an_output_that_is_too_long_has_no_reward(tmp_path: Path) -> None:
    model = classifier(tmp_path / "model")
    long = Task(id="a", instruction="x", instances=(Instance(output="short"), Instance(output="long " * 200)))

    assert shown(reward(Work([long, *tasks(2)], 0, tmp_path), model=model))[0] == (
        "an output is too long for the reward model"
    )


@pytest.mark.parametrize(
    ("labels", "settings", "said"),
    [
        (3, {}, "there is no label ''"),
        (3, {"label": "god"}, "there is no label 'god'; did you mean good?"),
        (1, {"label": "good"}, "has one number and no labels; delete label"),
        (1, {"layout": "{prompt}: {answer}"}, "options.reward: layout lacks {output}; say where it stands"),
    ],
)
def test_what_does_not_fit_the_model_gets_one_sentence(tmp_path: Path, labels: int, settings: Any, said: str) -> None:
    model = classifier(tmp_path / "model", num_labels=labels)

    with pytest.raises(SproutError) as caught:
        list(reward(Work(tasks(2), 0, tmp_path), model=model, **settings))
    assert said in str(caught.value)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(SproutError, match=r"has no config\.json"):
        list(reward(Work(tasks(2), 0, tmp_path), model=str(tmp_path)))


# --- in the stage


@pytest.mark.parametrize("of", ["tasks", "answers"])
def test_a_run_that_was_cut_short_goes_on_with_the_same_bytes(minilm: str, tmp_path: Path, of: Any) -> None:
    answers = [Answer(text=f"eins {n}") for n in range(2)]
    given = [
        task.update(
            instances=tuple(
                one.model_copy(update={"answers": tuple(answers[:n])}) for n, one in enumerate(task.instances)
            )
        )
        for task in tasks(40)
    ]
    classifier(tmp_path / "model")
    options = {"knn": {"encoder": minilm, "text": "whole"}, "reward": {"model": str(tmp_path / "model")}}
    stage = Score(scorers=("knn", "reward", "length", "sum=linear"), of=of,
                  options=options | {"sum": {"weights": {"knn": 1, "reward": 1}}})  # fmt: skip
    whole = list(run([stage], given, Scripted(lambda request: ""), tmp_path / "whole"))
    data = (tmp_path / "whole" / "1_score.jsonl").read_bytes()
    for share in (0, 0.3, 0.9):
        folder = tmp_path / str(share)
        shutil.copytree(tmp_path / "whole", folder, ignore=shutil.ignore_patterns("vectors"))
        (folder / "1_score.jsonl").write_bytes(data[: int(len(data) * share)])
        run([stage], given, Scripted(lambda request: ""), folder)
        assert (folder / "1_score.jsonl").read_bytes() == data

    assert [task.id for task in whole] == [task.id for task in given]
    scores = [
        s
        for task in whole
        for s in ([task.scores] if of == "tasks" else [a.scores for i in task.instances for a in i.answers])
    ]
    assert all({"knn", "length"} <= one.keys() for one in scores if "length" in one)
    assert all(one["sum"] == pytest.approx(one["knn"] + one["reward"]) for one in scores if "reward" in one)
    assert sum("sum" in one for one in scores) >= 10


def test_the_packages_of_a_scorer_are_looked_for_before_a_run_begins() -> None:
    assert Score(scorers=["length", "likelihood"]).needs() == {}
    assert Score(scorers=["knn"]).needs() == {"faiss": "embed", "sentence_transformers": "embed"}
    reward_needs = Score(scorers=["reward"], options={"reward": {"model": "owner/name"}}).needs()
    assert reward_needs == {"torch": "transformers", "transformers": "transformers"}
