"""Every format is read by what it is made for, and gives back what was put in."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.asking.converse import question
from pipeline.dataset.formats.base import SPLITS, Split
from pipeline.dataset.formats.find import find_format, shipped_formats
from pipeline.engines.scripted import Scripted
from pipeline.errors import SproutError
from pipeline.runs.context import Context
from pipeline.seeds.read import read_seeds
from pipeline.stages.export import Export
from pipeline.task import Instance, Task

OF_ROWS = [name for name, kind in shipped_formats().items() if not kind.of_answers]
FORMATS = ("prompt_completion", *(name for name in OF_ROWS if name != "prompt_completion"))
TEXTS = [
    "é 猫 😀",
    "a\nb\n\nc",
    'say "x"\t\\n',
    "",
    "a\u2028b\x85c",
    "{input} {{ 7 }}",
    " x ",
    "https://a/b",
    "null",
    "0",
]
SEEDS = [Task(id="seed_1", instruction="Add.", is_classification=False, instances=(Instance(input="1 1", output="2"),))]
TASKS = [
    Task(
        id=f"task_{n}",
        name=f"n{n}",
        instruction=f"Do {n}: {TEXTS[n % len(TEXTS)]}",
        is_classification=n % 3 == 0,
        instances=tuple(Instance(input=TEXTS[(n + k) % len(TEXTS)], output=f"y{n} {TEXTS[k]}") for k in range(3)),
        parents=("seed_1",),
        scores={"rouge_l": 0.25},
    )
    for n in range(40)
]
TRIPLES = {
    f"{task.id}:{number}": (task.instruction, one.input, one.output)
    for task in [*TASKS, *SEEDS]
    for number, one in enumerate(task.instances)
}
JOINED = sorted((question(instruction, input), output) for instruction, input, output in TRIPLES.values())


def file_name(name: str, split: Split) -> str:
    return find_format(name).file(split)


Load = Callable[..., list[dict]]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    stage = Export(formats=FORMATS, validation_share=0.25, encoding="plain")
    stage.make(TASKS, Context(seeds=SEEDS, engine=Scripted(lambda request: ""), folder=folder))
    return folder / "dataset"


@pytest.fixture(scope="module")
def load(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Load:
    import datasets

    datasets.disable_progress_bars()
    cache = str(tmp_path_factory.mktemp("cache"))

    def read(name: str, split: str | None = None) -> list[dict]:
        found = datasets.load_dataset(str(dataset), name, cache_dir=cache)
        assert set(found) == set(SPLITS)
        return [row for one in ([split] if split else SPLITS) for row in found[one]]

    return read


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "datasets"])
@pytest.mark.parametrize("split", SPLITS)
def test_load_dataset_reads_each_format_and_split_as_its_jsonl_says(dataset, load, name, split):
    rows = load(name, split)

    assert rows == lines(dataset / file_name(name, split))
    assert len(rows) > 5


def test_without_a_name_the_first_format_is_loaded(dataset, tmp_path):
    import datasets

    found = datasets.load_dataset(str(dataset), cache_dir=str(tmp_path))

    assert found["train"].column_names == ["id", "prompt", "completion"]


def test_every_format_has_the_same_instances_in_each_split(dataset, load):
    ids = {split: [row["id"] for row in load("alpaca", split)] for split in SPLITS}

    assert not set(ids["train"]) & set(ids["validation"])
    for split in SPLITS:
        for name in ("prompt_completion", "chat_prompt_completion", "messages", "sharegpt"):
            assert [row["id"] for row in load(name, split)] == ids[split]
        assert load("openai", split) == [{"messages": row["messages"]} for row in load("messages", split)]
        assert {row["id"] for row in load("seeds", split)} == {id.split(":")[0] for id in ids[split]}


def test_alpaca_gives_back_every_instance(load):
    assert {row["id"]: (row["instruction"], row["input"], row["output"]) for row in load("alpaca")} == TRIPLES


def test_formats_with_one_text_for_instruction_and_input_give_back_both_joined(load):
    messages = [tuple(one["content"] for one in row["messages"]) for row in load("messages")]
    sharegpt = [tuple(one["value"] for one in row["conversations"]) for row in load("sharegpt")]
    openai = [tuple(one["content"] for one in row["messages"]) for row in load("openai")]
    prompts = [(row["prompt"].removesuffix("\n\n"), row["completion"]) for row in load("prompt_completion")]

    assert sorted(messages) == sorted(sharegpt) == sorted(openai) == sorted(prompts) == JOINED


def test_a_folder_of_datasets_gives_back_every_instance(dataset, load):
    import datasets

    found = datasets.load_from_disk(str(dataset / "datasets"))
    rows = [row for split in SPLITS for row in found[split]]

    assert {row["id"]: (row["instruction"], row["input"], row["output"]) for row in rows} == TRIPLES
    for split in SPLITS:
        messages = found[split].select_columns(["id", "messages"])
        assert list(messages) == load("messages", split)
        assert {path.name for path in (dataset / "datasets" / split).iterdir()} == {
            "data-00000-of-00001.arrow", "dataset_info.json", "state.json",
        }  # fmt: skip


def test_the_folder_of_datasets_has_the_same_bytes_each_time(dataset, tmp_path):
    stage = Export(formats=("datasets",), validation_share=0.25, encoding="plain")
    stage.make(TASKS, Context(seeds=SEEDS, engine=Scripted(lambda request: ""), folder=tmp_path))
    files = [path.relative_to(dataset) for path in (dataset / "datasets").rglob("*") if path.is_file()]

    assert len(files) == 7
    assert all((tmp_path / "dataset" / path).read_bytes() == (dataset / path).read_bytes() for path in files)


def test_seeds_are_the_tasks_again_and_can_start_a_run(dataset):
    read = [read_seeds(dataset / file_name("seeds", split)) for split in SPLITS]
    kept = [task.update(parents=(), scores={}) for task in [*TASKS, *SEEDS]]

    assert read == [[task for task in kept if task in some] for some in read]
    assert len(read[0]) + len(read[1]) == len(kept)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"is_classification": None}, "task task_3 cannot be exported as a seed task: is_classification is missing"),
        ({"instances": (Instance(output=" "),)}, "task task_3 .*: instances.0.output is empty"),
    ],
)
def test_a_task_that_can_be_no_seed_is_told_and_other_formats_take_it(tmp_path, change, problem):
    tasks = [TASKS[3].update(**change)]

    def export(name: str) -> None:
        Export(formats=(name,)).make(tasks, Context(seeds=SEEDS, engine=Scripted(lambda request: ""), folder=tmp_path))

    with pytest.raises(SproutError, match=problem):
        export("seeds")
    export("alpaca")


def test_sharegpt_has_the_turns_its_readers_expect(load):
    """As LLaMA-Factory's and axolotl's defaults: `conversations`, `from`, `value`, human and gpt in turn."""
    for row in load("sharegpt"):
        assert [one["from"] for one in row["conversations"]] == ["human", "gpt"]
        assert all(set(one) == {"from", "value"} and isinstance(one["value"], str) for one in row["conversations"])


def test_openai_takes_every_line(dataset):
    """What its guide to fine-tuning asks of a file: UTF-8, an object a line, known keys and roles, an answer to learn."""
    for split in SPLITS:
        for row in lines(dataset / file_name("openai", split)):
            assert set(row) == {"messages"}
            assert [one["role"] for one in row["messages"]] == ["user", "assistant"]
            assert all(set(one) == {"role", "content"} for one in row["messages"])
            assert all(isinstance(one["content"], str) and one["content"] for one in row["messages"])


def test_the_types_of_the_openai_client_take_every_message(load):
    from openai.types.chat import ChatCompletionAssistantMessageParam, ChatCompletionUserMessageParam
    from pydantic import ConfigDict, TypeAdapter, with_config

    kinds = {"user": ChatCompletionUserMessageParam, "assistant": ChatCompletionAssistantMessageParam}
    checks = {role: TypeAdapter(with_config(ConfigDict(extra="forbid"))(kind)) for role, kind in kinds.items()}
    for row in load("openai"):
        for message in row["messages"]:
            assert checks[message["role"]].validate_python(message) == message


def test_trl_takes_each_format_for_what_it_is(dataset, load):
    import datasets
    from trl import is_conversational, is_conversational_from_value, maybe_convert_to_chatml

    saved = datasets.load_from_disk(str(dataset / "datasets"))["train"]

    assert not any(is_conversational(row) for row in load("prompt_completion"))
    assert all(is_conversational(row) for row in [*load("messages"), *load("openai"), *saved])
    sharegpt = load("sharegpt", "train")
    assert all(is_conversational_from_value(row) for row in sharegpt)
    roles = {"human": "user", "gpt": "assistant"}
    converted = [
        [one | {"role": roles[one["role"]]} for one in maybe_convert_to_chatml(row)["messages"]] for row in sharegpt
    ]
    assert converted == [row["messages"] for row in load("messages", "train")]
