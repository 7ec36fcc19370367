"""The file of a stage: appended to, never rewritten."""

import gzip
import tracemalloc

import pytest

from pipeline import Instance, SproutError, Task
from pipeline.runs.store import Store, Stored, read_kept, to_line

TASKS = [Task(id=str(n), instruction=f"Task {n}") for n in range(3)]


def test_what_is_written_is_read_back(tmp_path):
    store = Store(tmp_path / "new" / "1_x.jsonl")
    assert list(store.load()) == []
    list(store.extend(TASKS))

    assert list(store.load()) == TASKS


def test_a_task_is_written_as_json_once():
    class Counted(Task):
        def model_dump_json(self, **options):
            written.append(self.id)
            return super().model_dump_json(**options)

    written = []
    assert to_line(Counted(id="1", instruction="Go")) == '{"id":"1","instruction":"Go"}\n'
    assert written == ["1"]
    assert "half �" in to_line(Task(id="1", instruction="half \ud83d", meta={"\ud83d": ["\ud83d"]}))


@pytest.mark.parametrize("torn", [b"{", b'{"id":"9","instruction":"half', b"x" * 200_000])
def test_a_torn_last_line_is_not_done(tmp_path, torn):
    store = Store(tmp_path / "1_x.jsonl")
    list(store.extend(TASKS))
    with open(store.path, "ab") as file:
        file.write(torn)

    assert list(store.load()) == TASKS
    list(store.extend([Task(id="4", instruction="Task 4")]))
    assert len(store.load()) == 4


def test_a_last_line_that_an_editor_left_without_its_end_is_kept(tmp_path):
    store = Store(tmp_path / "1_x.jsonl")
    list(store.extend(TASKS))
    whole = store.path.read_bytes()
    store.path.write_bytes(whole.rstrip(b"\n"))

    assert list(store.load()) == TASKS
    assert store.path.read_bytes() == whole


def test_a_file_of_half_a_line_is_empty(tmp_path):
    store = Store(tmp_path / "1_x.jsonl")
    store.path.write_bytes(b'{"id":')

    assert list(store.load()) == []
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


def test_tasks_in_a_file_are_looked_at_one_by_one(tmp_path):
    store = Store(tmp_path / "1_x.jsonl")
    tasks = [Task(id=id, instruction=f"Task {id}") for id in ("a", 'quoted "b"', "ü", "d")]
    list(store.extend([tasks[0], tasks[1].reject("empty"), *tasks[2:]]))

    assert list(store.kept.ids()) == ["a", "ü", "d"]
    assert [task.id for task in store.decided[1:3]] == ['quoted "b"', "ü"]
    assert store.kept[-1] == tasks[3]
    assert list(store.decided.without({'quoted "b"', "d"})) == [tasks[0], tasks[2]]
    assert store.reasons == {"empty": 1}
    assert len(store.kept) == 3
    with pytest.raises(IndexError):
        store.kept[3]


@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf", b"\n \r\n"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_file_from_anywhere_is_read_in_place(tmp_path, begin, end):
    path = tmp_path / "tasks.jsonl"
    lines = [task.model_dump_json().encode() for task in [TASKS[0].reject("empty"), *TASKS]][1:]
    path.write_bytes(begin + end.join(lines))

    assert isinstance(read_kept(path), Stored)
    assert list(read_kept(path)) == TASKS
    path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    assert list(read_kept(path)) == TASKS


def test_a_file_that_goes_away_in_mid_run_is_named(tmp_path):
    store = Store(tmp_path / "1_x.jsonl")
    list(store.extend(TASKS))
    store.path.write_bytes(b"x" * 1000)
    with pytest.raises(SproutError, match="changed while the run was at work: not a task"):
        list(store.kept)
    store.path.unlink()
    with pytest.raises(SproutError, match="cannot be read"):
        list(store.kept)


def test_a_task_in_a_file_takes_few_bytes_of_memory(tmp_path):
    store, text = Store(tmp_path / "1_x.jsonl"), "word " * 200
    for _ in store.extend(Task(id=f"task_{n}", instruction=text, meta={"n": n}) for n in range(20_000)):
        pass
    tracemalloc.start()
    store.load()
    decided = sum(1 for task in store.kept if task.kept)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert decided == 20_000
    assert held / 20_000 < 200  # of 1,000 characters; most is the set of ids
