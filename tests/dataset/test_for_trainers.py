"""`sprout export --for TRAINER`: data and config for each, beside what is there."""

import json
import logging
from pathlib import Path

import pytest
import yaml

from pipeline.cli.main import main
from pipeline.dataset.trainers.write import trainers
from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.runs.context import Context
from pipeline.stages import Export
from pipeline.task import Instance, Task

TASKS = [
    Task(id=f"task_{n}", instruction=f"Say {n}.", instances=(Instance(input=f"{n}", output=f"It is {n}."),))
    for n in range(40)
]
NEEDS = {  # by trainer: its files, for a chat model and for a base model; each with the rows that it names
    "trl": ({"chat_prompt_completion.parquet", "trl.yaml"}, {"prompt_completion.parquet", "trl.yaml"}),
    "llamafactory": ({"messages.jsonl", "llamafactory.yaml", "dataset_info.json"}, {"prompt_completion.jsonl", "llamafactory.yaml", "dataset_info.json"}),
    "axolotl": ({"messages.jsonl", "axolotl.yaml"}, {"prompt_completion.jsonl", "axolotl.yaml"}),
    "openai": ({"openai.jsonl", "openai_validation.jsonl", "openai.json"},) * 2,
}  # fmt: skip


def export(folder: Path, tasks: list[Task] = TASKS, chat: bool = True, **settings: object) -> Path:
    stage = Export.model_validate({"validation_share": 0.2, "include_seeds": False} | settings)
    stage.make(tasks, Context(seeds=[], engine=Scripted(lambda request: "", chat=chat), folder=folder))
    return folder / "dataset"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_there_is_a_row_for_every_trainer():
    assert NEEDS.keys() == trainers().keys()


@pytest.mark.parametrize("chat", [True, False])
@pytest.mark.parametrize("name", NEEDS)
def test_each_trainer_gets_its_data_and_its_config_beside_what_is_there(name, chat, tmp_path):
    before = export(tmp_path, chat=chat, formats=("sharegpt",))
    rows = (before / "sharegpt.jsonl").read_bytes()
    dataset = export(tmp_path, chat=chat, formats=("sharegpt",), trainers=(name,))

    assert NEEDS[name][not chat] <= names(dataset)
    assert (dataset / "sharegpt.jsonl").read_bytes() == rows


def test_formats_do_not_delete_each_others_files(tmp_path):
    for name in ("alpaca", "sharegpt", "openai"):
        dataset = export(tmp_path, formats=(name,))

    assert {"alpaca.jsonl", "sharegpt.jsonl", "openai.jsonl"} <= names(dataset)
    assert json.loads((dataset / "dataset.json").read_text())["settings"]["formats"] == ["openai", "sharegpt", "alpaca"]
    assert all(f"| {name} |" in (dataset / "README.md").read_text() for name in ("alpaca", "sharegpt", "openai"))


def test_what_stays_holds_the_rows_of_now(tmp_path):
    export(tmp_path, formats=("alpaca",))
    dataset = export(tmp_path, TASKS[:30], formats=("openai",))

    assert len(lines(dataset / "alpaca.jsonl")) == len(lines(dataset / "openai.jsonl")) < 30


def test_a_name_that_is_no_longer_asked_for_is_told_to_stay_until_its_files_are_deleted(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    export(tmp_path, formats=("messages",), trainers=("openai",))
    assert "also there" not in caplog.text
    dataset = export(tmp_path, formats=("messages",))

    assert (
        f"export: {dataset}: openai is also there and kept up to date; to drop a format, delete its files"
        in caplog.messages
    )
    assert {"openai.jsonl", "openai.json"} <= names(dataset)
    for path in dataset.glob("openai*"):
        path.unlink()
    caplog.clear()
    assert not any(name.startswith("openai") for name in names(export(tmp_path, formats=("messages",))))
    assert "also there" not in caplog.text


def test_the_same_call_again_writes_nothing(tmp_path):
    dataset = export(tmp_path, trainers=("openai", "axolotl"))
    before = {path.name: path.stat().st_mtime_ns for path in dataset.iterdir()}
    export(tmp_path, trainers=("openai", "axolotl"))

    assert {path.name: path.stat().st_mtime_ns for path in dataset.iterdir()} == before


def test_a_file_for_openai_is_chat_that_ends_with_the_assistant_and_nothing_else(tmp_path):
    dataset = export(tmp_path, trainers=("openai",))
    rows = lines(dataset / "openai.jsonl") + lines(dataset / "openai_validation.jsonl")

    assert len(rows) == 40
    for row in rows:
        assert [*row] == ["messages"]
        assert [[*message] for message in row["messages"]] == [["role", "content"]] * 2
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
        assert all(message["content"].strip() for message in row["messages"])


def test_the_job_for_openai_holds_what_its_client_knows(tmp_path):
    from openai.types.fine_tuning.job_create_params import JobCreateParams
    from openai.types.fine_tuning.supervised_hyperparameters_param import SupervisedHyperparametersParam
    from pydantic import ConfigDict, TypeAdapter, with_config

    job = json.loads((export(tmp_path, trainers=("openai",)) / "openai.json").read_text())

    assert job.keys() <= JobCreateParams.__annotations__.keys()
    hyperparameters = job["method"]["supervised"]["hyperparameters"]
    strict = with_config(ConfigDict(extra="forbid", strict=True))
    assert TypeAdapter(strict(SupervisedHyperparametersParam)).validate_python(hyperparameters) == {"n_epochs": 2}
    assert (job["training_file"], job["validation_file"]) == ("openai.jsonl", "openai_validation.jsonl")


def test_too_few_lines_for_openai_are_told_of(tmp_path, caplog):
    dataset = export(tmp_path, TASKS[:9], validation_share=0, trainers=("openai",))

    assert (
        f"export: {dataset}/openai.jsonl has 9 lines, and OpenAI takes no file with fewer than 10; grow more tasks"
        in caplog.messages
    )
    caplog.clear()
    export(tmp_path, TASKS[:10], validation_share=0, trainers=("openai",))
    assert "OpenAI" not in caplog.text
    assert "validation_file" not in json.loads((dataset / "openai.json").read_text())


@pytest.mark.parametrize(
    ("name", "said"),
    [("llama-factory", "there is no trainer 'llama-factory'; did you mean llamafactory?"), ("unsloth", "there are axolotl, llamafactory, openai, trl")],
)  # fmt: skip
def test_a_trainer_that_is_not_known_gets_one_sentence(name, said, seed_file, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(
            [
                "export",
                "--seeds",
                str(seed_file),
                "--model",
                "x",
                "--engine",
                "server",
                "--for",
                name,
                "--out",
                str(tmp_path),
            ]
        )
    assert said in capsys.readouterr().err


def test_the_option_is_repeated_and_the_folder_of_a_run_stands_for_its_settings(
    seed_file, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    toy = ["--engine", "scripted", "--set", "engine.answer=tests.conftest:answer", "--set", "instructions.num_tasks=20"]
    main(["run", "--seeds", str(seed_file), *toy, "--out", "outputs/mine"])
    stages = [path.read_bytes() for path in sorted(Path("outputs/mine").glob("?_*.jsonl"))]
    capsys.readouterr()
    main(
        [
            "export",
            "outputs/mine",
            "--for",
            "axolotl",
            "--for",
            "openai,llamafactory",
            "--format",
            "alpaca",
            "--format",
            "sharegpt",
        ]
    )
    printed = capsys.readouterr().out

    assert "for axolotl: cd outputs/mine/dataset && axolotl train axolotl.yaml" in printed
    assert "for llamafactory: cd outputs/mine/dataset && llamafactory-cli train llamafactory.yaml" in printed
    assert "for openai: upload the files that outputs/mine/dataset/openai.json names" in printed
    assert {
        "axolotl.yaml",
        "openai.json",
        "llamafactory.yaml",
        "alpaca.jsonl",
        "sharegpt.jsonl",
        "messages.jsonl",
    } <= names(Path("outputs/mine/dataset"))
    assert stages == [path.read_bytes() for path in sorted(Path("outputs/mine").glob("?_*.jsonl"))]
    config = yaml.safe_load(Path("outputs/mine/dataset/axolotl.yaml").read_text())
    assert (Path("outputs/mine/dataset") / config["datasets"][0]["path"]).is_file()


def test_trainers_are_a_list_in_the_settings(seed_file, tmp_path):
    (tmp_path / "my.toml").write_text(
        f'seeds = "{seed_file}"\nout = "{tmp_path}/run"\n[engine]\nname = "scripted"\nanswer = "tests.conftest:answer"\n'
        '[instructions]\nnum_tasks = 8\n[export]\nformats = ["alpaca"]\ntrainers = ["openai", "trl"]\n'
    )
    main(["run", str(tmp_path / "my.toml")])

    assert {"alpaca.jsonl", "openai.jsonl", "openai.json", "trl.yaml"} <= names(tmp_path / "run" / "dataset")


def test_a_folder_that_no_run_has_written_is_no_settings_file(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["export", str(tmp_path)])
    assert (
        f"{tmp_path}: is a folder without run.toml, which `sprout run` writes; give a settings file"
        in capsys.readouterr().err
    )


def test_a_refused_call_leaves_the_settings_of_the_run_as_they_were(seed_file, tmp_path, capsys):
    toy = [
        "--seeds",
        str(seed_file),
        "--engine",
        "scripted",
        "--set",
        "engine.answer=tests.conftest:answer",
        "--out",
        str(tmp_path / "run"),
    ]
    main(["run", *toy, "--set", "instructions.num_tasks=8"])
    before = (tmp_path / "run" / "run.toml").read_bytes()
    with pytest.raises(SystemExit):
        main(["run", *toy, "--set", "instructions.num_tasks=8", "--set", "instructions.num_demos=3"])
    assert (tmp_path / "run" / "run.toml").read_bytes() == before
    main(["run", str(tmp_path / "run"), "--set", "instructions.num_tasks=9"])
    assert "num_tasks = 9 " in (tmp_path / "run" / "run.toml").read_text()


def test_an_own_format_that_stays_and_cannot_be_found_is_told_of(tmp_path):
    export(tmp_path, formats=("alpaca",))
    record = json.loads((tmp_path / "dataset" / "dataset.json").read_text())
    record["settings"]["formats"] = ["no_such_module:Rows"]
    (tmp_path / "dataset" / "dataset.json").write_text(json.dumps(record))

    with pytest.raises(SproutError, match=r"no_such_module:Rows: there is no module no_such_module"):
        export(tmp_path)
