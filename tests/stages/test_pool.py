"""What the pool of a stage holds of each task: little besides its text, and the id as it was."""

import tracemalloc

import pytest

from pipeline.stages._pool import Shown, Written
from pipeline.task import bits, new_id, spelled


@pytest.mark.parametrize(
    "id",
    ["task_00000000000000ff", "task_FF00000000000000", "task_ff", "ff00000000000000", "task_-1", "task_0x0", "ü", ""],
)
def test_a_task_that_was_written_is_shown_with_its_id_whatever_that_is(id):
    written = Written()
    for one in (new_id("first"), id, new_id("last")):
        written.append(one, f"text of {one}")
    assert [written[place] for place in range(len(written))] == [
        Shown(one, f"text of {one}") for one in (new_id("first"), id, new_id("last"))
    ]


def test_an_id_is_its_64_bits():
    made = [new_id("a", number) for number in range(1000)]
    assert [spelled(number) for id in made if (number := bits(id)) is not None] == made
    assert bits("task_10000000000000000") is None
    assert bits("task_1_000000000000ab") is None


def test_a_written_task_takes_few_bytes_besides_its_text():
    ids, texts = ([f"{kind} {number}" for number in range(20_000)] for kind in ("id", "text"))
    ids = list(map(new_id, ids))
    tracemalloc.start()
    written = Written()
    for id, text in zip(ids, texts, strict=True):
        written.append(id, text)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held / len(written) < 24
