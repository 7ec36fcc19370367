"""The file of a stage: appended to, never rewritten."""

import pytest

from pipeline import Instance, SproutError, Task
from pipeline.store import Store

TASKS = [Task(id=str(n), instruction=f"Task {n}") for n in range(3)]


def test_what_is_written_is_read_back(tmp_path):
    store = Store(tmp_path / "new" / "1_x.jsonl")
    assert store.load() == []
    list(store.extend(TASKS))

    assert store.load() == TASKS


@pytest.mark.parametrize("torn", [b"{", b'{"id":"9","instruction":"half', b"x" * 200_000])
def test_a_torn_last_line_is_not_done(tmp_path, torn):
    store = Store(tmp_path / "1_x.jsonl")
    list(store.extend(TASKS))
    with open(store.path, "ab") as file:
        file.write(torn)

    assert store.load() == TASKS
    list(store.extend([Task(id="4", instruction="Task 4")]))
    assert len(store.load()) == 4


def test_a_file_of_half_a_line_is_empty(tmp_path):
    store = Store(tmp_path / "1_x.jsonl")
    store.path.write_bytes(b'{"id":')

    assert store.load() == []
    assert store.path.read_bytes() == b""


def test_half_a_surrogate_pair_does_not_break_the_file(tmp_path):
    store = Store(tmp_path / "1_x.jsonl")
    list(store.extend([Task(id="1", instruction="a\ud83d", instances=(Instance(output="\udc00 \x00 \u2028"),))]))

    assert store.load()[0].instruction == "a\ufffd"
    assert store.load()[0].instances[0].output == "\ufffd \x00 \u2028"


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(SproutError, match="cannot be written"):
        list(Store(tmp_path / "file" / "1_x.jsonl").extend(TASKS))
