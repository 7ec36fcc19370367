"""A dataset folder: whole or not there, split by task, and read by `datasets`."""

import json
import logging
from pathlib import Path

import pytest

from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.runs.context import Context
from pipeline.stages.export import Export
from pipeline.task import Instance, Task

SEEDS = [Task(id="seed_1", instruction="Add.", is_classification=False, instances=(Instance(input="1 1", output="2"),))]
TASKS = [
    Task(
        id="task_1",
        instruction="Übersetze 猫 \u2028 http://a/b.",
        is_classification=False,
        instances=(Instance(input='Say "x"\t\\n', output="a\nb"), Instance(output="😀")),
    ),
    Task(id="task_2", instruction="Is it?", is_classification=True, instances=(Instance(input="y", output="yes"),)),
    Task(id="task_3", instruction="Nothing came of this one."),
]


MANY = [
    Task(
        id=f"task_{n}",
        instruction=f"Do {n}.",
        is_classification=n % 2 == 0,
        instances=tuple(Instance(input=f"x {part}", output=f"y {n} {part}") for part in range(3)),
    )
    for n in range(100)
]


def export(folder: Path, tasks: list[Task] = TASKS, **settings: object) -> Path:
    stage = Export.model_validate({"validation_share": 0} | settings)
    stage.make(tasks, Context(seeds=SEEDS, engine=Scripted(lambda request: ""), folder=folder))
    return folder / "dataset"


def load(folder: Path, *what: str, split: str = "train", **more: str) -> list[dict]:
    import datasets

    datasets.disable_progress_bars()
    return list(datasets.load_dataset(*what, split=split, cache_dir=str(folder / "cache"), **more))


@pytest.mark.parametrize("name", ["prompt_completion", "chat_prompt_completion", "messages", "alpaca"])
def test_every_format_is_loaded_as_it_was_written(tmp_path, name):
    dataset = export(tmp_path)
    lines = [json.loads(line) for line in (dataset / f"{name}.jsonl").read_text("utf-8").split("\n")[:-1]]

    assert len(lines) == 4
    assert load(tmp_path, "json", data_files=str(dataset / f"{name}.jsonl")) == lines
    assert load(tmp_path, "parquet", data_files=str(dataset / f"{name}.parquet")) == lines
    assert load(tmp_path, str(dataset), name) == lines


def test_the_formats_hold_the_instances_of_the_tasks_and_the_seeds(tmp_path):
    dataset = export(tmp_path, encoding="plain")
    alpaca = {row["id"]: row for row in load(tmp_path, str(dataset), "alpaca")}
    messages = {row["id"]: row["messages"] for row in load(tmp_path, str(dataset), "messages")}
    prompts = {row["id"]: row for row in load(tmp_path, str(dataset), "prompt_completion")}

    assert set(alpaca) == set(messages) == set(prompts) == {"task_1:0", "task_1:1", "task_2:0", "seed_1:0"}
    assert alpaca["task_2:0"] == {"id": "task_2:0", "instruction": "Is it?", "input": "y", "output": "yes"}
    assert prompts["task_2:0"] == {"id": "task_2:0", "prompt": "Is it?\n\ny\n\n", "completion": "yes"}
    assert messages["task_2:0"] == [
        {"role": "user", "content": "Is it?\n\ny"},
        {"role": "assistant", "content": "yes"},
    ]


@pytest.mark.parametrize("name", ["prompt_completion", "chat_prompt_completion", "messages", "openai"])
def test_trl_trains_on_a_format_as_it_is_and_evaluates_on_its_validation_split(tmp_path, chat_model, name):
    import datasets
    from trl import SFTConfig, SFTTrainer

    datasets.disable_progress_bars()
    dataset = str(export(tmp_path, MANY, formats=(name,), validation_share=0.3))
    found = datasets.load_dataset(dataset, name, cache_dir=str(tmp_path / "cache"))
    quiet = {"report_to": "none", "disable_tqdm": True, "dataloader_pin_memory": False}
    settings = SFTConfig(str(tmp_path / "out"), bf16=False, max_steps=1, per_device_eval_batch_size=64, **quiet)
    trainer = SFTTrainer(chat_model, settings, train_dataset=found["train"], eval_dataset=found["validation"])

    assert trainer.train().global_step == 1
    assert trainer.evaluate()["eval_loss"] > 0


def test_text_is_written_as_it_is(tmp_path):
    text = (export(tmp_path) / "alpaca.jsonl").read_text("utf-8")

    assert "Übersetze 猫 \u2028 http://a/b." in text
    assert "😀" in text


def test_a_lone_surrogate_is_replaced(tmp_path):
    broken = TASKS[0].update(instances=(Instance(output="a\ud800"),))

    assert "a\ufffd" in (export(tmp_path, [broken]) / "alpaca.jsonl").read_text("utf-8")


def test_the_figures_are_those_of_what_was_written(tmp_path):
    figures = json.loads((export(tmp_path) / "dataset.json").read_text("utf-8"))

    assert figures["tasks"] == 3
    assert figures["instances"] == 4
    assert figures["classification_share"] == 0.3333
    assert figures["instances_with_input"] == 3
    assert figures["mean_words"] == {"instruction": 2.0, "input": 2.0, "output": 1.25}


def test_seeds_are_left_out_when_told_so_and_only_the_wanted_formats_are_written(tmp_path):
    dataset = export(tmp_path, include_seeds=False, formats=("alpaca",))

    assert {path.name for path in dataset.iterdir()} == {"alpaca.jsonl", "alpaca.parquet", "dataset.json", "README.md"}
    assert "seed_1" not in (dataset / "alpaca.jsonl").read_text("utf-8")


def test_the_same_tasks_and_settings_give_the_same_bytes(tmp_path):
    first, second = export(tmp_path / "1"), export(tmp_path / "2")

    assert all(path.read_bytes() == (second / path.name).read_bytes() for path in first.iterdir())


def test_a_finished_dataset_is_left_as_it_is_and_other_tasks_replace_it(tmp_path):
    dataset = export(tmp_path)
    (dataset / "mine.txt").write_text("a note")

    assert (export(tmp_path) / "mine.txt").exists()
    assert not (export(tmp_path, TASKS[:1]) / "mine.txt").exists()
    assert len((dataset / "alpaca.jsonl").read_text("utf-8").split("\n")) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_file_that_is_missing_or_cut_is_written_again(tmp_path, damage):
    dataset = export(tmp_path)
    before = (dataset / "alpaca.jsonl").read_bytes()
    damage(dataset / "alpaca.jsonl")

    assert (export(tmp_path) / "alpaca.jsonl").read_bytes() == before


def test_a_file_of_ones_own_does_not_make_a_finished_dataset_anew(tmp_path):
    (export(tmp_path) / "mine.jsonl").write_text("{}\n")

    assert (export(tmp_path) / "mine.jsonl").exists()


def test_what_a_killed_export_left_behind_is_not_taken_for_a_dataset(tmp_path):
    (tmp_path / "dataset.partial").mkdir()
    (tmp_path / "dataset.partial" / "alpaca.jsonl").write_text("half a li")

    assert len((export(tmp_path) / "alpaca.jsonl").read_text("utf-8").split("\n")) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["dataset"]


def test_nothing_to_export_is_said(tmp_path):
    with pytest.raises(SproutError, match="none of the 1 kept tasks has an instance"):
        export(tmp_path, [TASKS[2]], include_seeds=False)
    assert not (tmp_path / "dataset").exists()


def test_whole_tasks_are_held_back_and_no_seed_task_is(tmp_path):
    dataset = export(tmp_path, MANY, validation_share=0.3)
    splits = {split: load(tmp_path, str(dataset), "alpaca", split=split) for split in ("train", "validation")}
    tasks = {split: {row["id"].split(":")[0] for row in rows} for split, rows in splits.items()}

    assert not tasks["train"] & tasks["validation"]
    assert tasks["train"] | tasks["validation"] == {"seed_1", *(task.id for task in MANY)}
    assert len(splits["train"]) + len(splits["validation"]) == 301
    assert 15 < len(tasks["validation"]) < 45
    assert "seed_1" in tasks["train"]
    assert json.loads((dataset / "dataset.json").read_text("utf-8"))["splits"] == {
        split: {"tasks": len(tasks[split]), "instances": len(splits[split])} for split in splits
    }


def test_a_dataset_of_the_seeds_alone_has_the_validation_split_of_the_whole_one(tmp_path):
    def ids(folder: Path, file: str) -> set[str]:
        return {json.loads(line)["id"] for line in (folder / file).read_text("utf-8").splitlines()}

    whole = export(tmp_path / "whole", MANY, validation_share=0.3)
    seeds = export(tmp_path / "seeds", MANY, validation_share=0.3, only="seeds")

    assert ids(seeds, "alpaca.jsonl") == {"seed_1:0"} < ids(whole, "alpaca.jsonl")
    assert ids(seeds, "alpaca_validation.jsonl") == ids(whole, "alpaca_validation.jsonl")
    with pytest.raises(ValueError, match="only = seeds leaves nothing to train on"):
        export(tmp_path, only="seeds", include_seeds=False)


def test_rows_that_are_not_shuffled_are_in_the_order_of_the_tasks(tmp_path):
    lines = (export(tmp_path, MANY, shuffle=False) / "alpaca.jsonl").read_text("utf-8").splitlines()

    assert [json.loads(line)["id"] for line in lines] == [
        "seed_1:0", *(f"{task.id}:{number}" for task in MANY for number in range(3)),
    ]  # fmt: skip


def test_training_rows_are_in_the_same_order_whatever_is_held_back(tmp_path):
    def ids(share: float) -> list[str]:
        lines = (export(tmp_path / str(share), MANY, validation_share=share) / "alpaca.jsonl").read_text("utf-8")
        return [json.loads(line)["id"] for line in lines.splitlines()]

    trained = ids(0.3)
    assert trained == [id for id in ids(0) if id in set(trained)]


def test_no_validation_file_is_there_without_a_task_for_it(tmp_path):
    assert {path.stem for path in export(tmp_path, MANY[:1], validation_share=1e-9).iterdir()} == {
        "README", "dataset", "alpaca", "messages", "prompt_completion", "chat_prompt_completion", "trl", "axolotl", "llamafactory", "dataset_info",
    }  # fmt: skip


def test_something_is_left_to_train_on(tmp_path):
    with pytest.raises(SproutError, match=r"validation_share 0\.999 holds back all of the 100 tasks.*; lower it"):
        export(tmp_path, MANY, validation_share=0.999, include_seeds=False)
    assert not (tmp_path / "dataset").exists()


@pytest.mark.parametrize(
    "change", [{"formats": ("alpaca", "openai")}, {"licence": "mit"}, {"validation_share": 0.5}, {"encoding": "plain"}]
)
def test_a_setting_that_changes_the_folder_makes_it_anew(tmp_path, change):
    (export(tmp_path, MANY) / "mine.txt").write_text("a note")

    assert not (export(tmp_path, MANY, **change) / "mine.txt").exists()


def test_licences_are_asked_for_by_the_names_of_their_settings_once(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    export(tmp_path)
    export(tmp_path)
    assert [record.message for record in caplog.records] == [
        "export: the card says that no licence is stated; set export.licence, export.teacher_licence, "
        "export.seeds_licence to state it"
    ]
    caplog.clear()
    export(tmp_path, licence="mit", teacher_licence="llama3.1", seeds_licence="cc0-1.0")
    assert not caplog.records
