"""Tasks are taken from datasets of any seed format, so many of each, and the same ones every time."""

import gzip
import json
import logging
from collections import Counter

import pytest
from pydantic import ValidationError

from pipeline import SproutError, Task, read_tasks, run
from pipeline.engines.scripted import Scripted
from pipeline.seeds.draw import Draw
from pipeline.stages import Export, Filter, Mix
from pipeline.stages.mix import in_parts
from tests.runs.toys import files

ROWS = [{"instruction": f"Name the colour number {n}.", "input": "", "output": f"colour {n}"} for n in range(40)]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.jsonl").write_text(lines(ROWS))
    (tmp_path / "two.jsonl").write_text(
        lines({**row, "instruction": row["instruction"].replace("colour", "tree")} for row in ROWS[:20])
    )
    return tmp_path


def mixed(folder="run", given=(), **settings):
    run([Mix(**settings)], given, Scripted(lambda request: ""), folder)
    return [*read_tasks(f"{folder}/1_mix.jsonl")]


def counts(tasks):
    return dict(Counter(task.meta["dataset"] for task in tasks))


def test_all_is_taken_unless_there_is_a_cap_and_each_task_says_where_it_is_from(shelf):
    tasks = mixed(datasets={"mine": "one.jsonl", "trees": {"path": "two.jsonl", "max_tasks": 5}})

    assert counts(tasks) == {"mine": 40, "trees": 5}
    for task in tasks[:40]:
        assert task.instruction == f"Name the colour number {task.meta['row'] - 1}."
        assert [(one.input, one.output) for one in task.instances] == [("", f"colour {task.meta['row'] - 1}")]


def test_what_is_taken_is_drawn_by_the_seed_and_a_larger_cap_takes_the_same_ones_too(shelf):
    few, more, other = (
        {
            task.instruction
            for task in mixed(f"run{n}", datasets={"a": {"path": "one.jsonl", "max_tasks": most}}, random_seed=seed)
        }
        for n, (most, seed) in enumerate([(10, 0), (20, 0), (10, 1)])
    )

    assert few < more
    assert few != other
    assert few != {row["instruction"] for row in ROWS[:10]}


@pytest.mark.parametrize(
    ("shares", "settings", "found"),
    [
        ((1, 1), {}, {"one": 20, "two": 20}),
        ((0.75, 0.25), {}, {"one": 40, "two": 13}),
        ((3, 1), {"num_tasks": 20}, {"one": 15, "two": 5}),
        ((1, 2), {"num_tasks": 20}, {"one": 7, "two": 13}),
        ((2, 1), {"num_tasks": 60}, {"one": 40, "two": 20}),
    ],
)
def test_shares_are_met(shelf, shares, settings, found):
    datasets = {
        name: {"path": f"{name}.jsonl", "share": share} for name, share in zip(("one", "two"), shares, strict=True)
    }

    assert counts(mixed(datasets=datasets, **settings)) == found


def test_shares_that_cannot_be_met_are_refused_with_the_numbers(shelf):
    datasets = {"one": {"path": "one.jsonl", "share": 1}, "two": {"path": "two.jsonl", "share": 1, "max_tasks": 15}}

    with pytest.raises(
        SproutError, match=r"mix: two has 15 tasks, and its share of 50 is 25; set mix.num_tasks to 30 at most"
    ):
        mixed(datasets=datasets, num_tasks=50)


def test_parts_are_whole_and_add_up():
    assert in_parts(10, {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert in_parts(0, {"a": 1}) == {"a": 0}
    assert sum(in_parts(9_999, {"a": 0.1, "b": 0.2, "c": 0.7}).values()) == 9_999


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"datasets": {"a": "x", "b": {"path": "y", "share": 1}}}, "a has no share, and others have one"),
        ({"datasets": {"a": "x"}, "num_tasks": 5}, "num_tasks is for datasets that have a share"),
        (
            {"datasets": {"a": {"path": "x", "fields": {"inputs": "y"}}}},
            "datasets.a.fields: inputs is not a field of a task",
        ),
        ({"datasets": {"a": {"path": "x", "share": 0}}}, "greater than 0"),
        ({"datasets": {"a": {"path": ""}}}, "at least 1 character"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        Mix(**settings)


PLAIN = {"instruction": "Name it.", "input": "a mill", "output": "mill"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jsonl", lines([PLAIN, PLAIN | {"input": "rye"}])),
        ("x.jsonl.gz", gzip.compress(lines([PLAIN, PLAIN | {"input": "rye"}]).encode(), mtime=0)),
        ("x.json", json.dumps([PLAIN, PLAIN | {"input": "rye"}])),
        ("x.json", json.dumps({"data": [PLAIN, PLAIN | {"input": "rye"}]})),
        ("x.csv", "instruction,input,output\nName it.,a mill,mill\nName it.,rye,mill\n"),
        ("x.jsonl", lines([{"id": "a", "instruction": "Name it.", "is_classification": False, "instances": [{"input": "a mill", "output": "mill"}]},
                           {"id": "b", "instruction": "Name it.", "instances": [{"input": "rye", "output": "mill"}], "meta": {"x": 1}}])),
    ],
)  # fmt: skip
def test_seed_formats_are_known_and_rows_of_one_instruction_are_tasks_of_their_own(shelf, name, content):
    (shelf / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    tasks = mixed(datasets={"x": name})

    assert [(task.instruction, task.instances[0].input, task.instances[0].output) for task in tasks] == [
        ("Name it.", "a mill", "mill"),
        ("Name it.", "rye", "mill"),
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [
            {"messages": [{"role": "user", "content": f"Say {n}."}, {"role": "assistant", "content": f"{n}."}]}
            for n in (1, 2)
        ],
        [
            {"conversations": [{"from": "human", "value": f"Say {n}."}, {"from": "gpt", "value": f"{n}."}]}
            for n in (1, 2)
        ],
        [{"prompt": f"Say {n}.", "completion": f" {n}."} for n in (1, 2)],
    ],
)
def test_conversations_and_completions_are_tasks(shelf, rows):
    (shelf / "x.jsonl").write_text(lines(rows))

    assert [(task.instruction, task.instances[0].output) for task in mixed(datasets={"x": "x.jsonl"})] == [
        ("Say 1.", "1."),
        ("Say 2.", "2."),
    ]


def test_tasks_of_another_run_are_taken_with_the_output_that_it_chose(shelf):
    answers = [{"text": "red", "model": "a"}, {"text": "blue", "model": "b", "scores": {"votes": 2}}]
    instance = {"input": "the sky", "output": "blue", "answers": answers}
    (shelf / "answered.jsonl").write_text(
        lines([{"id": "t", "instruction": "Name the colour.", "instances": [instance]}])
    )

    assert [one.model_dump() for one in mixed(datasets={"a": "answered.jsonl"})[0].instances] == [
        {"input": "the sky", "output": "blue", "answers": ()}
    ]


def test_parquet_and_data_sets_with_a_split_are_read(shelf):
    import datasets

    rows = datasets.Dataset.from_list(ROWS)
    rows.to_parquet(shelf / "x.parquet")
    datasets.DatasetDict(train=rows, test=rows.select(range(7))).save_to_disk(shelf / "saved")

    assert counts(mixed(datasets={"a": "x.parquet"})) == {"a": 40}
    assert counts(mixed("other", datasets={"b": "saved@test"})) == {"b": 7}


def test_a_dataset_may_have_other_names_for_its_fields(shelf):
    (shelf / "dolly.jsonl").write_text(
        lines([{"instruction": "Who?", "context": "Ada", "response": "Ada.", "category": "qa"}])
    )
    fields = {"instruction": "instruction", "input": "context", "output": "response"}
    (task,) = mixed(datasets={"dolly": {"path": "dolly.jsonl", "fields": fields}})

    assert (task.instances[0].input, task.instances[0].output) == ("Ada", "Ada.")
    with pytest.raises(
        SproutError,
        match=r"dolly.jsonl: there is no task in it \(dolly.jsonl:1: there is no field reply; there are instruction, context",
    ):
        mixed("other", datasets={"dolly": {"path": "dolly.jsonl", "fields": {"output": "reply"}}})


def test_rows_that_are_no_tasks_are_counted_and_the_others_taken(shelf, caplog):
    (shelf / "x.jsonl").write_text(
        lines([ROWS[0], {"instruction": "No output."}, {"instruction": "Blank.", "output": " "}, ROWS[1], ROWS[0]])
    )
    with caplog.at_level(logging.WARNING):
        assert len(mixed(datasets={"x": "x.jsonl"})) == 2

    assert "mix: x: rows that say what an earlier one does, and are taken once: 1" in caplog.messages
    (said,) = (one for one in caplog.messages if "rows that are no task, left out: 2 " in one)
    assert "x.jsonl:2: output is missing" in said


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("gone.jsonl", None, "gone.jsonl: cannot be read"),
        ("x.jsonl", "", "x.jsonl: there is no task in it; give a file, a folder or a data set"),
        (
            "x.jsonl",
            '{"a": 1}\n{"a": 2}\n',
            r"there is no task in it \(x.jsonl:1: there are 'a'; name them instruction, input and output\)",
        ),
        ("x.jsonl", '{"instruction": "a", "output": "b"}\n{"instruction": \n', "x.jsonl:2: not JSON"),
    ],
)
def test_a_dataset_that_cannot_be_read_stops_the_run_before_it_begins(shelf, path, content, message):
    if content is not None:
        (shelf / path).write_text(content)

    with pytest.raises(SproutError, match=message):
        mixed(datasets={"x": path})


def test_the_gate_rejects_what_is_like_the_pool(shelf):
    seeds = [Task(id="s", instruction="Name the colour number 7.", is_classification=False)]
    tasks = mixed(given=seeds, datasets={"one": "one.jsonl", "two": "two.jsonl"}, max_rouge=0.75)

    assert Counter(task.rejected for task in tasks) == {"not_new": 59, None: 1}
    assert tasks[0].meta["nearest"] == "Name the colour number 7."
    assert tasks[40].kept
    assert tasks[41].meta["nearest"] == tasks[40].instruction


def test_a_row_in_two_datasets_is_taken_once_and_that_is_said(shelf, caplog):
    (shelf / "more.jsonl").write_text(lines([*ROWS[:3], PLAIN]))
    tasks = mixed(datasets={"one": "one.jsonl", "more": "more.jsonl"})

    assert counts(tasks) == {"one": 40, "more": 1}
    assert "mix: 3 tasks of more are also in an earlier dataset; each is taken once" in caplog.messages


def test_datasets_that_moved_go_on_and_changed_ones_are_refused(shelf):
    mixed(datasets={"one": {"path": "one.jsonl", "max_tasks": 10}})
    before = files(shelf / "run")
    (shelf / "one.jsonl").rename(shelf / "moved.jsonl")
    mixed(datasets={"one": {"path": "moved.jsonl", "max_tasks": 10, "licence": "mit"}})
    assert files(shelf / "run") == before
    (shelf / "moved.jsonl").write_text(lines(row | {"output": "blue"} for row in ROWS))

    with pytest.raises(SproutError, match="was begun with different settings: tasks in mix"):
        mixed(datasets={"one": {"path": "moved.jsonl", "max_tasks": 10}})


def test_the_card_names_each_dataset_with_its_licence(shelf):
    stages = [
        Mix(
            datasets={
                "one": {"path": "one.jsonl", "share": 2, "licence": "cc-by-4.0"},
                "two": {"path": "two.jsonl", "share": 1},
            }
        ),
        Filter(),
        Export(),
    ]
    run(stages, [], Scripted(lambda request: ""), "run")
    card = (shelf / "run/dataset/README.md").read_text("utf-8")

    assert "| the dataset one | cc-by-4.0 |" in card
    assert "| the dataset two | not stated" in card
    assert "- mix: takes tasks from one, 2 parts of the mix; `meta` of each names the dataset and the row." in card


def test_a_large_dataset_is_streamed(shelf):
    import tracemalloc

    row = json.dumps({"instruction": "Name {} of them.", "input": "x" * 2000, "output": "y"})
    with (shelf / "large.jsonl").open("w") as file:
        file.writelines(row.replace("{}", str(n)) + "\n" for n in range(3000))  # 6 MB
    tracemalloc.start()
    draw = Draw("large.jsonl", {}, 0)
    taken = sum(1 for _ in draw.take(100))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (len(draw), taken) == (3000, 100)
    assert most < 1_500_000
