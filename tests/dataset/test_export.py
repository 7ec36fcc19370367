"""The rows of a dataset: the thirteen encodings of the paper, no duplicates, always the same, and no more than needed."""

import json
import random
import tracemalloc
import weakref
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.asking.converse import question
from pipeline.dataset.encodings import ENCODINGS, WITH_INPUT, WITHOUT_INPUT, add_noise, draw, encode, zero_shot
from pipeline.dataset.formats.find import shipped_formats
from pipeline.dataset.rows import Row, Rows, RowSettings, held_back
from pipeline.engines.scripted import Scripted
from pipeline.runs.context import Context
from pipeline.stages.export import Export
from pipeline.task import Instance, Task
from pipeline.text import hash_of, mend

# Self-Instruct's encodings, written out for the instruction I, the input X and the output Y.
PAPER_WITH_INPUT = [
    ("I\nInput: X\nOutput:", " Y"),
    ("I\n\nInput: X\n\nOutput:", " Y"),
    ("Task: I\nInput: X\nOutput:", " Y"),
    ("I\n\nX\n\nOutput:", " Y"),
    ("I\n\nX\n\n", "Y"),
    ("I\nX\n\n", "Y"),
    ("Task: I\n\nX\n\n", "Y"),
]
PAPER_WITHOUT_INPUT = [
    ("I Output:", " Y"),
    ("I\nOutput:", " Y"),
    ("I\n\nOutput:", " Y"),
    ("I\n", "Y"),
    ("I\n\n", "Y"),
    ("Task: I\n\n", "Y"),
]


def task(number: int, *instances: tuple[str, str], instruction: str = "") -> Task:
    made = tuple(Instance(input=given, output=output) for given, output in instances)
    return Task(id=f"task_{number}", instruction=instruction or f"Do {number}.", instances=made)


def rows(tasks: Sequence[Task], seeds: Sequence[Task] = (), **settings: Any) -> list[Row]:
    return list(Rows(tasks, seeds, RowSettings(**settings)))


@pytest.mark.parametrize(("input", "paper"), [("X", PAPER_WITH_INPUT), ("", PAPER_WITHOUT_INPUT)])
def test_an_instance_is_put_in_each_encoding_of_the_paper_and_about_equally_often(input, paper):
    found = Counter(encode("I", input, "Y", draw(input, hash_of(f"0:{number}"))) for number in range(2000))

    assert set(found) == set(paper)
    assert all(2000 / len(paper) * 0.75 < count < 2000 / len(paper) * 1.25 for count in found.values())


def test_there_are_thirteen_encodings():
    assert len(set(ENCODINGS)) == len(WITH_INPUT) + len(WITHOUT_INPUT) == 13


def test_the_plain_encoding_is_the_same_for_every_instance_and_in_evaluation():
    assert encode("I", "X", "Y") == ("I\n\nX\n\n", "Y")
    assert encode("I", "", "Y") == ("I\n\n", "Y")
    assert zero_shot("I", "X") == "I\n\nX\n\n"
    assert zero_shot("I", "X", "output") == "I\n\nInput: X\n\nOutput:"
    assert zero_shot("I", "", "output") == "I\n\nOutput:"
    assert question("I", "X") == "I\n\nX"
    assert question("I") == "I"


def test_braces_in_a_text_are_just_braces():
    assert encode("{input} {0}", "{instruction}", "{}") == ("{input} {0}\n\n{instruction}\n\n", "{}")


def test_the_encoding_depends_on_the_instance_alone_not_on_what_else_is_exported():
    tasks = [task(number, ("a", "b"), ("", "c")) for number in range(30)]
    alone = {row.id: row for one in tasks for row in rows([one])}

    assert {row.id: row for row in rows(tasks)} == alone
    assert len({row.prompt.replace(row.instruction, "I") for row in alone.values()}) == 13


def test_another_seed_gives_other_encodings_and_another_order():
    tasks = [task(number, ("a", "b")) for number in range(30)]

    assert rows(tasks) == rows(tasks)
    assert [row.id for row in rows(tasks)] != [row.id for row in rows(tasks, random_seed=1)]
    assert {row.prompt for row in rows(tasks)} != {row.prompt for row in rows(tasks, random_seed=1)}
    assert [row.id for row in rows(tasks)] != sorted(row.id for row in rows(tasks))


def test_an_instance_that_is_there_twice_is_exported_once_whatever_its_encoding():
    twice = [task(number, ("a", "b"), ("a", "b"), ("a", "c"), instruction="Do.") for number in range(8)]

    assert sorted((row.input, row.output) for row in rows(twice)) == [("a", "b"), ("a", "c")]


def test_two_instances_that_become_the_same_prompt_and_completion_are_exported_once():
    tasks = [task(1, ("B", "Y"), instruction="A"), task(2, ("", "Y"), instruction="A\n\nB")]

    assert [row.task for row in rows(tasks, encoding="plain")] == ["task_1"]


def test_a_row_knows_the_instance_it_was_made_from():
    assert {row.id for row in rows([task(1, ("a", "b"), ("c", "d"))])} == {"task_1:0", "task_1:1"}


@pytest.mark.parametrize(
    ("input", "noisy"),
    [
        ("Sentence: The sky is blue.", "The sky is blue."),
        ("Sentence 1: The sky is blue.", "The sky is blue."),
        ("Text:\nA.\n\nB.", "A.\nB."),
        (" A.\n\n\n\nB. ", "A.\nB."),
        ("Premise: A.\nHypothesis: B.", "Premise: A.\nHypothesis: B."),
        ("Sentence: A.\nSentence: B.", "Sentence: A.\nSentence: B."),
        ("Meet me at 10:30, will you?", "Meet me at 10:30, will you?"),
        ("10:30 is fine", "10:30 is fine"),
        ("https://example.org/a", "https://example.org/a"),
        ("She said so.\nAnswer: no", "She said so.\nAnswer: no"),
        ("Sentence:", "Sentence:"),
    ],
)
def test_input_noise_drops_the_only_field_name_and_blank_lines_and_nothing_else(input, noisy):
    class Heads(random.Random):
        def random(self) -> float:
            return 0.0

    assert add_noise(input, Heads()) == noisy


def test_input_noise_changes_about_every_other_input_and_no_encoding():
    tasks = [task(number, ("Text: a", "b")) for number in range(400)]
    clear = {row.id: row for row in rows(tasks)}
    noisy = {row.id: row for row in rows(tasks, input_noise=True)}
    changed = [id for id in clear if noisy[id].input == "a"]

    assert 160 < len(changed) < 240
    assert all(noisy[id].prompt == clear[id].prompt.replace("Text: a", noisy[id].input) for id in clear)


def test_lone_surrogates_are_replaced_and_pairs_joined():
    assert mend("a\ud800b") == "a\ufffdb"
    assert mend("\ud83d\ude00 é") == "😀 é"
    assert rows([task(1, ("", "b\udfff")).update(instruction="\ud800")])[0].output == "b\ufffd"


def test_rows_of_tasks_that_have_none_or_lose_them_are_those_of_the_others():
    tasks = [
        task(0), task(1, ("a", "b")), task(2), task(3), task(4, ("c", "d"), ("e", "f")),
        task(5, ("a", "b"), instruction="Do 1."), task(6),
    ]  # fmt: skip
    seeds = [task(7), task(8, ("g", "h"))]
    found = Rows(tasks, seeds)

    assert len(found) == 4
    assert {(which, one.id, row.id) for which, one, row in found.items()} == {
        (1, "task_1", "task_1:0"), (4, "task_4", "task_4:0"), (4, "task_4", "task_4:1"), (8, "task_8", "task_8:0"),
    }  # fmt: skip
    assert [which for which in range(9) if found.used[which]] == [1, 4, 8]
    assert list(found) == list(found) == rows([*tasks, *seeds])
    assert not list(Rows([]))


def test_rows_come_in_the_order_of_a_shuffled_list():
    """As in every dataset that was exported before rows were read one at a time."""
    tasks = [task(number, ("a", "b"), ("", "c")) for number in range(50)]
    ids = [f"task_{number}:{part}" for number in range(50) for part in range(2)]
    random.Random("7:shuffle").shuffle(ids)

    assert [row.id for row in rows(tasks, random_seed=7)] == ids


def test_rows_that_are_not_shuffled_are_the_seeds_and_then_the_tasks_in_their_order():
    tasks = [task(number, ("a", "b"), ("", "c")) for number in (3, 1, 2)]
    seeds = [task(9, ("g", "h")), task(8, ("i", "j"))]
    ordered = rows(tasks, seeds, shuffle=False)

    assert [row.id for row in ordered] == [
        "task_9:0", "task_8:0", "task_3:0", "task_3:1", "task_1:0", "task_1:1", "task_2:0", "task_2:1",
    ]  # fmt: skip
    assert {row.id: row for row in ordered} == {row.id: row for row in rows(tasks, seeds)}
    assert [row.id for row in rows(tasks, shuffle=False)] == [row.id for row in ordered[2:]]
    assert Rows(tasks).fingerprint != Rows(tasks, settings=RowSettings(shuffle=False)).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"instruction": "Other."},
        {"name": "x"},
        {"is_classification": True},
        {"id": "other"},
        {"instances": (Instance(input="a", output="B"),)},
        {"instances": ()},
    ],
)
def test_other_rows_have_another_fingerprint(change):
    tasks = [task(0, ("x", "y")), task(1, ("a", "b"))]

    assert Rows(tasks).fingerprint == Rows(list(tasks)).fingerprint
    assert Rows([tasks[0], tasks[1].update(**change)]).fingerprint != Rows(tasks).fingerprint
    assert Rows(tasks, settings=RowSettings(random_seed=1)).fingerprint != Rows(tasks).fingerprint
    assert Rows(tasks[:1], tasks[1:]).fingerprint != Rows(tasks).fingerprint


def test_about_the_share_is_held_back_by_the_id_alone():
    ids = [f"task_{number:x}" for number in range(5000)]
    held = {id for id in ids if held_back(id, 0.1, 0)}

    assert 400 < len(held) < 600
    assert held == {id for id in reversed(ids) if held_back(id, 0.1, 0)}
    assert held < {id for id in ids if held_back(id, 0.2, 0)}  # a larger share adds to a smaller one
    assert held != {id for id in ids if held_back(id, 0.1, 1)}
    assert not any(held_back(id, 0, 0) for id in ids)


class Alive:
    """How many of the objects it is shown are there at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def count(self, thing: object) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        weakref.finalize(thing, self.gone)

    def gone(self) -> None:
        self.now -= 1


class Lazy(Sequence[Task]):
    """Tasks that are made when they are looked at, as those of a file are."""

    def __init__(self, count: int, alive: Alive | None = None) -> None:
        self.num_tasks, self.alive = count, alive

    def __len__(self) -> int:
        return self.num_tasks

    def __getitem__(self, which: int) -> Task:
        if which >= self.num_tasks:
            raise IndexError
        made = task(which, (f"in {which}", f"out {which}"), ("", f"more {which}")).update(is_classification=True)
        if self.alive:
            self.alive.count(made)
        return made


@pytest.mark.parametrize(
    ("names", "most"),
    [([name for name in shipped_formats() if name != "seeds"], 3), (["seeds"], 3 * 50 + 1)],
    ids=["rows", "seeds"],
)
def test_an_export_holds_no_more_tasks_and_rows_the_more_there_are(tmp_path: Path, monkeypatch, names, most):
    tasks, rows = Alive(), Alive()
    made = Rows._row

    def watched(self: Rows, *of: object) -> Row:
        row = made(self, *of)
        rows.count(row)
        return row

    monkeypatch.setattr("pipeline.dataset.write.BATCH", 50)
    monkeypatch.setattr(Rows, "_row", watched)
    run = Context(seeds=[], engine=Scripted(lambda request: ""), folder=tmp_path)
    Export(formats=names, validation_share=0.3).make(Lazy(400, tasks), run)

    assert 1 <= tasks.most <= most  # a task that is a seed is written itself, in batches too
    assert rows.most <= 3 * 50 + 2  # one of each split that waits, and one that is being written
    assert json.loads((tmp_path / "dataset" / "dataset.json").read_text("utf-8"))["instances"] == 800


def test_of_a_row_less_than_60_bytes_are_held():
    def most(count: int) -> int:
        tracemalloc.start()
        for _ in Rows(Lazy(count)):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    few, many = 200, 3000
    most(few)
    assert (most(many) - most(few)) / (2 * (many - few)) < 60
