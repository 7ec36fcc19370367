"""The config for `trl sft` is run; those for axolotl and LLaMA-Factory hold only keys that these know."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.dataset.formats.find import find_format
from pipeline.dataset.rows import held_back
from pipeline.dataset.trainers.base import Tuning
from pipeline.dataset.trainers.write import write_configs
from pipeline.engines.scripted import Scripted
from pipeline.runs.context import Context
from pipeline.stages.export import Export
from pipeline.stages.train import Train
from pipeline.task import Instance, Task
from pipeline.training.settings import TrainingSettings
from tests.stages.conftest import CHAT_TEMPLATE, save_model

TASKS = [
    Task(id=f"task_{n}", instruction=f"Say {n}.", instances=(Instance(input=f"{n}", output=f"It is {n}."),))
    for n in range(12)
]
# Keys that AxolotlInputConfig of axolotl 0.19.0 has, and that get_train_args of LLaMA-Factory 0.9.5 takes. Once, by hand,
# these two read such configs: without a GPU, so with bf16 off, and LLaMA-Factory on transformers 5.19, which calls
# warmup_ratio warmup_steps. Neither trained, and neither can be installed beside this project's versions.
AXOLOTL = [
    "adapter",
    "base_model",
    "bf16",
    "curriculum_sampling",
    "datasets",
    "eval_strategy",
    "gradient_accumulation_steps",
    "gradient_checkpointing",
    "learning_rate",
    "lora_alpha",
    "lora_r",
    "lora_target_linear",
    "lr_scheduler",
    "max_steps",
    "micro_batch_size",
    "num_epochs",
    "optimizer",
    "output_dir",
    "seed",
    "sequence_len",
    "test_datasets",
    "train_on_inputs",
    "warmup_ratio",
    "weight_decay",
]
LLAMA_FACTORY = [
    "bf16",
    "cutoff_len",
    "dataset",
    "dataset_dir",
    "disable_shuffling",
    "do_train",
    "eval_dataset",
    "eval_strategy",
    "finetuning_type",
    "gradient_accumulation_steps",
    "gradient_checkpointing",
    "learning_rate",
    "lora_alpha",
    "lora_rank",
    "lora_target",
    "lr_scheduler_type",
    "max_steps",
    "model_name_or_path",
    "num_train_epochs",
    "output_dir",
    "per_device_train_batch_size",
    "prediction_loss_only",
    "report_to",
    "seed",
    "stage",
    "template",
    "warmup_ratio",
    "weight_decay",
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    seeds = [Task(id="seed", instruction="Say no.", instances=(Instance(output="no"),))]
    Export(validation_share=0.3).make(TASKS, Context(seeds=seeds, engine=Scripted(lambda request: ""), folder=folder))
    return folder / "dataset"


def configs(
    folder: Path, model: str, chat: bool, settings: TrainingSettings, validation: bool = True, formats: str = ""
) -> None:
    names = formats.split() or ["prompt_completion", "chat_prompt_completion", "messages"]
    write_configs(folder, Tuning(model, chat, [find_format(name) for name in names], settings, validation))


def read(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / name).read_text("utf-8"))
    return found


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("chat", [False, True])
def test_each_config_names_files_that_are_there_and_keys_that_its_trainer_knows(dataset, method, chat):
    configs(
        dataset, "some/model", chat, TrainingSettings(method=method, max_steps=7, random_seed=3, shuffle=False), True
    )
    axolotl, factory = read(dataset, "axolotl.yaml"), read(dataset, "llamafactory.yaml")
    info = read(dataset, "dataset_info.json")
    files = [axolotl[key][0]["path"] for key in ("datasets", "test_datasets")]

    assert set(axolotl) <= set(AXOLOTL)
    assert set(factory) <= set(LLAMA_FACTORY)
    assert files == [info[factory[key]]["file_name"] for key in ("dataset", "eval_dataset")]
    assert all((dataset / file).is_file() for file in files)
    assert {config["learning_rate"] for config in (axolotl, factory)} == {2e-4 if method == "lora" else 2e-5}
    assert {config["seed"] for config in (axolotl, factory)} == {3}
    assert {config["max_steps"] for config in (axolotl, factory)} == {7}


def test_the_columns_that_are_named_are_those_of_the_files(dataset):
    rows = yaml.safe_load((dataset / "prompt_completion.jsonl").read_text("utf-8").splitlines()[0])
    configs(dataset, "some/model", False, TrainingSettings(), False)
    fields = read(dataset, "axolotl.yaml")["datasets"][0]["type"]
    columns = read(dataset, "dataset_info.json")["sprout"]["columns"]

    assert {fields["field_instruction"], fields["field_output"]} <= set(rows)
    assert {columns["prompt"], columns["response"]} <= set(rows)
    assert "test_datasets" not in read(dataset, "axolotl.yaml")
    assert "eval_dataset" not in read(dataset, "llamafactory.yaml")


@pytest.mark.parametrize("chat", [False, True])
def test_answers_that_are_all_dates_are_texts_to_the_trainers(chat, tmp_path, monkeypatch):
    from datasets import load_dataset

    tasks = [
        Task(id=f"task_{n}", instruction=f"200{n}-01-01", instances=(Instance(output=f"200{n}-01-02"),)) for n in (1, 2)
    ]
    export = Export(validation_share=0, formats=("prompt_completion", "messages"), encoding="plain")
    export.make(tasks, Context(seeds=[], engine=Scripted(lambda request: ""), folder=tmp_path))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    dataset = tmp_path / "dataset"
    configs(dataset, "some/model", chat, TrainingSettings(), False, "prompt_completion messages")
    axolotl = read(dataset, "axolotl.yaml")["datasets"][0]
    files = {axolotl["path"]: axolotl["ds_type"], read(dataset, "dataset_info.json")["sprout"]["file_name"]: "parquet"}

    for file, kind in files.items():
        rows = load_dataset(kind, data_files=str(dataset / file), split="train")
        said = {row["messages"][1]["content"] if chat else row["completion"].strip() for row in rows}
        assert said == {"2001-01-02", "2002-01-02"}


@pytest.mark.parametrize("method", ["full", "lora"])
def test_trl_tunes_with_its_config(dataset, method, tmp_path_factory, monkeypatch):
    from trl.scripts.sft import main, make_parser

    model = save_model(tmp_path_factory.mktemp("model"))
    settings = TrainingSettings(method=method, max_steps=2, batch_size=2, learning_rate=1e-3)
    configs(dataset, model, False, settings, True)
    monkeypatch.chdir(dataset)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", dataset / "cache")
    on_cpu = ["--bf16", "false", "--dataloader_pin_memory", "false", "--report_to", "none"]
    main(*make_parser().parse_args_and_config(["--config", "trl.yaml", *on_cpu], fail_with_unknown_args=True))
    saved = dataset.parent / "tuned"

    assert (saved / ("adapter_model.safetensors" if method == "lora" else "model.safetensors")).is_file()


def test_trl_tunes_a_chat_model_whose_template_it_knows_no_mask_for(dataset, tmp_path_factory, monkeypatch):
    from trl.scripts.sft import main, make_parser

    model = save_model(tmp_path_factory.mktemp("chat"), chat_template=CHAT_TEMPLATE)
    configs(dataset, model, True, TrainingSettings(max_steps=1, batch_size=2))
    monkeypatch.chdir(dataset)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", dataset / "cache")
    on_cpu = ["--bf16", "false", "--dataloader_pin_memory", "false", "--report_to", "none"]
    main(*make_parser().parse_args_and_config(["--config", "trl.yaml", *on_cpu], fail_with_unknown_args=True))

    assert read(dataset, "trl.yaml")["dataset_config"] == "chat_prompt_completion"
    assert read(dataset, "axolotl.yaml")["datasets"][0]["path"] == "messages.parquet"
    assert (dataset.parent / "tuned" / "model.safetensors").is_file()


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_order_of_the_rows_is_that_of_the_training(dataset, shuffle):
    configs(dataset, "some/model", True, TrainingSettings(shuffle=shuffle))

    assert "train_sampling_strategy" not in read(dataset, "trl.yaml") or not shuffle
    assert read(dataset, "trl.yaml").get("train_sampling_strategy", "random") == ("random" if shuffle else "sequential")
    assert read(dataset, "axolotl.yaml").get("curriculum_sampling", False) is not shuffle
    assert read(dataset, "llamafactory.yaml").get("disable_shuffling", False) is not shuffle


def test_a_trainer_that_reads_none_of_the_formats_gets_no_config(tmp_path):
    configs(tmp_path, "some/model", True, TrainingSettings(), formats="alpaca chat_prompt_completion")

    assert [path.name for path in tmp_path.iterdir()] == ["trl.yaml"]


def test_the_configs_beside_a_dataset_tune_as_the_run_does_on_it(tmp_path):
    export = Export(formats=("messages", "prompt_completion"))
    trainings = [Train(dataset="dataset-seeds", max_steps=3), Train(max_steps=7)]
    run = Context(seeds=[], engine=Scripted(lambda request: "", model="m"), folder=tmp_path)
    export.resolve([export, *trainings]).make(TASKS, run)
    tuned = read(tmp_path / "dataset", "trl.yaml")
    export.resolve([export]).make(TASKS, run)

    assert (tuned["max_steps"], tuned["dataset_config"]) == (7, "prompt_completion")
    assert "max_steps" not in read(tmp_path / "dataset", "trl.yaml")


def test_trl_reads_the_config_of_a_chat_model(dataset, tmp_path_factory, monkeypatch):
    from datasets import load_dataset
    from trl.scripts.sft import make_parser

    model = save_model(tmp_path_factory.mktemp("chat"), chat_template=CHAT_TEMPLATE)
    configs(dataset, model, True, TrainingSettings(), formats="messages")
    monkeypatch.chdir(dataset)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", dataset / "cache")
    script, training, *_ = make_parser().parse_args_and_config(["--config", "trl.yaml", "--bf16", "false"])
    rows = load_dataset(script.dataset_name, name=script.dataset_config)

    assert training.assistant_only_loss
    assert set(rows) == {script.dataset_train_split, script.dataset_test_split}
    assert rows["train"].num_rows == 13 - sum(held_back(task.id, 0.3, 0) for task in TASKS)
