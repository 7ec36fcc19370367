"""An answer is on disk as soon as it has arrived, and in the journal a moment later."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from pipeline import Completion, Request, Sampling, SproutError, run
from pipeline.engines.base import ScoreRequest
from pipeline.engines.scripted import Scripted
from pipeline.runs import arrivals
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.known import Known
from tests.conftest import answer
from tests.runs.test_run import stages
from tests.runs.toys import files

ROOT = Path(__file__).parents[2]
LATE = f"{FILE}-arrived"


def asked(number: int) -> Request:
    return Request(id=f"r{number}", prompt=f"prompt {number} é", sampling=Sampling(seed=number))


def record(journal: Journal, *numbers: int) -> None:
    for number in numbers:
        completion = Completion(id=f"r{number}", text=f"said\r\n{number}\u2028", completion_tokens=number)
        journal.record("classify", "m", asked(number), completion)


def known(journal: Journal, *numbers: int) -> list[str | None]:
    found = [journal.find("m", asked(number)) for number in numbers]
    return [completion and completion.text for completion in found]


def committed(folder: Path) -> int:
    """How many completions another process sees."""
    with closing(sqlite3.connect(folder / FILE)) as db:
        return int(db.execute("SELECT count(*) FROM completions").fetchone()[0])


RECORDS = """
import os, sys
from pathlib import Path
from pipeline.runs.journal import Journal
from tests.runs.test_arrivals import record

journal = Journal(Path(sys.argv[1]))
record(journal, *range(int(sys.argv[2])))
os.kill(os.getpid(), 9)
"""


def killed(program: str, *arguments: str) -> None:
    env = {"PYTHONPATH": str(ROOT), "PATH": "", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", program, *arguments], check=False, env=env, capture_output=True)
    assert done.returncode == -9, done.stderr.decode()


def test_what_a_killed_process_was_answered_is_in_the_journal_when_it_is_opened_again(tmp_path):
    killed(RECORDS, str(tmp_path / FILE), "40")
    assert committed(tmp_path) == 0

    with Journal(tmp_path / FILE) as journal:
        assert journal.usage()["classify"].requests == 40
        assert known(journal, 39, 40) == ["said\r\n39\u2028", None]
    assert not (tmp_path / LATE).exists()


SCORES = RECORDS.replace(
    "record(journal, *range(int(sys.argv[2])))",
    """
from pipeline.engines.base import Likelihood, ScoreRequest
for number in range(int(sys.argv[2])):
    request = ScoreRequest(id=f"r{number}", prompt="prompt", continuation=f"end {number}")
    journal.record_likelihood("score", "m", request, Likelihood(id=request.id, per_token=(-number / 3, float("-inf"))))
""",
)


def test_likelihoods_that_a_killed_process_was_told_are_kept_to_the_bit(tmp_path):
    killed(SCORES, str(tmp_path / FILE), "40")
    for _ in range(2):
        with Journal(tmp_path / FILE) as journal:
            assert journal.usage()["score"].requests == 40
            request = ScoreRequest(id="again", prompt="prompt", continuation="end 7")
            assert journal.find_likelihood("m", request).per_token == (-7 / 3, float("-inf"))
            assert journal.recorded_likelihood("score", "r39").per_token == (-13.0, float("-inf"))
            assert journal.scored({"score": ["r2"]})["score"][0].mean == float("-inf")
    assert not list(tmp_path.glob("*-scored"))


def test_a_row_that_a_kill_has_cut_off_is_left_out(tmp_path):
    killed(RECORDS, str(tmp_path / FILE), "9")
    os.truncate(tmp_path / LATE, (tmp_path / LATE).stat().st_size - 3)

    with Journal(tmp_path / FILE) as journal:
        assert journal.requests("classify") == {f"r{number}" for number in range(8)}


@pytest.mark.parametrize("recent", [2, 1 << 16])  # keys that wait to be sorted in
def test_an_answer_is_found_before_and_after_it_is_committed(tmp_path, monkeypatch, recent):
    monkeypatch.setattr(arrivals, "SIZE", 1000)
    monkeypatch.setattr("pipeline.runs.known.RECENT", recent)
    with Journal(tmp_path / FILE) as journal:
        for number in range(30):
            record(journal, number)
            assert known(journal, number, 0, number + 1) == [f"said\r\n{number}\u2028", "said\r\n0\u2028", None]
        assert 0 < committed(tmp_path) < 30
    assert committed(tmp_path) == 30


def test_a_later_answer_to_the_same_request_takes_the_place_of_the_earlier_one(tmp_path, monkeypatch):
    for size in (1 << 18, 0):  # it waits, or it is committed at once
        monkeypatch.setattr(arrivals, "SIZE", size)
        with Journal(tmp_path / str(size) / FILE) as journal:
            record(journal, *range(6))
            for text in ("second", "third"):
                journal.record("classify", "m", asked(3), Completion(id="r3", text=text))
                assert known(journal, 3, 4) == [text, "said\r\n4\u2028"]
                assert journal.usage()["classify"].requests == 6
        with Journal(tmp_path / str(size) / FILE) as journal:
            record(journal, 5)
            assert known(journal, 3, 5) == ["third", "said\r\n5\u2028"]
            assert journal.usage()["classify"].requests == 6


def test_a_kill_between_a_commit_and_the_end_of_the_file_doubles_nothing(tmp_path):
    killed(RECORDS, str(tmp_path / FILE), "9")
    waiting = (tmp_path / LATE).read_bytes()
    for _ in range(2):
        with Journal(tmp_path / FILE) as journal:
            assert journal.usage()["classify"].requests == 9
            assert known(journal, 0, 8) == ["said\r\n0\u2028", "said\r\n8\u2028"]
        (tmp_path / LATE).write_bytes(waiting)


def indexes(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / FILE)) as db:
        return [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE tbl_name = 'completions'")]


def test_an_index_is_made_for_whoever_looks_for_requests_and_dropped_by_whoever_writes(tmp_path):
    with Journal(tmp_path / FILE) as journal:
        record(journal, *range(20))
    assert indexes(tmp_path) == ["completions"]
    with Journal(tmp_path / FILE) as journal:
        assert journal.entry("classify", "r7").completion.text == "said\r\n7\u2028"
    assert indexes(tmp_path) == ["completions", "completions_by_request"]
    with Journal(tmp_path / FILE) as journal:
        assert known(journal, 3) == ["said\r\n3\u2028"]
    assert indexes(tmp_path) == ["completions", "completions_by_request"]
    with Journal(tmp_path / FILE) as journal:
        record(journal, 20)
    assert indexes(tmp_path) == ["completions"]


def test_requests_are_found_while_another_process_writes_which_does_not_wait_for_an_index(tmp_path):
    with Journal(tmp_path / FILE) as one:
        record(one, *range(20))
        one.usage()  # so that they are committed
        with Journal(tmp_path / FILE) as other:
            searches: list[str] = []
            other.db.set_trace_callback(searches.append)
            found = other.entries({"classify": ["r7", "r8", "r"], "instances": ["r7"]})
            assert {stage: [entry.request for entry in of] for stage, of in found.items()} == {
                "classify": ["r7", "r8"], "instances": [],
            }  # fmt: skip
            assert sum("FROM completions" in search for search in searches) == 1
        assert indexes(tmp_path) == ["completions"]


def test_the_row_of_a_key_is_that_which_was_added_last(monkeypatch):
    monkeypatch.setattr("pipeline.runs.known.RECENT", 3)
    rng, found, rows = Random(0), Known(), dict[str, int]()
    for row in range(3000):
        key = f"{rng.randrange(1000) << 54 | rng.randrange(2):016x}{0:016x}"
        found.add(key, row)
        rows[key] = row
        assert found.row(key) == row
    assert all(found.row(key) == row for key, row in rows.items())
    assert found.row("f" * 32) is found.row(f"{3:016x}{0:016x}") is None


def test_other_processes_see_answers_soon_while_the_run_waits(tmp_path):
    with Journal(tmp_path / FILE) as journal:
        record(journal, 1, 2, 3)
        deadline = time.monotonic() + 20
        while committed(tmp_path) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_two_that_write_at_once_lose_nothing(tmp_path):
    with Journal(tmp_path / FILE) as one:
        record(one, 1, 2)
        with Journal(tmp_path / FILE) as other:
            record(other, 3)
            record(one, 4)
        record(one, 5)
    with Journal(tmp_path / FILE) as journal:
        assert journal.requests("classify") == {"r1", "r2", "r3", "r4", "r5"}
    assert not (tmp_path / LATE).exists()


def test_a_full_disk_is_told_and_keeps_what_was_there(tmp_path):
    with Journal(tmp_path / FILE) as journal:
        record(journal, 1)
        journal.completions.file = FullDisk(journal.completions.file)
        with pytest.raises(SproutError, match="No space left on device; the run can go on once it can be written"):
            record(journal, 2)
        assert known(journal, 1, 2) == ["said\r\n1\u2028", None]
    with Journal(tmp_path / FILE) as journal:
        assert journal.requests("classify") == {"r1"}


class FullDisk:
    """A file on a disk with room for five more bytes."""

    def __init__(self, file):
        self.file = file

    def write(self, line):
        return self.file.write(line[:5])

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()


DIES = """
import os, sys
from pathlib import Path
from pipeline import read_tasks, run
from pipeline.engines.scripted import Scripted
from tests.conftest import answer
from tests.runs.test_run import stages

asked = []

def dies(request):
    asked.append(request.id)
    if len(asked) == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
    return answer(request)

run(stages(), list(read_tasks("seeds.jsonl")), Scripted(dies), Path(sys.argv[1]))
"""


def test_a_killed_run_asks_nothing_again_that_was_answered(seeds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("seeds.jsonl").write_text("".join(f"{seed.model_dump_json()}\n" for seed in seeds))
    killed(DIES, "killed", "29")
    answered: dict[str, list[str]] = {"whole": [], "killed": []}
    for name, ids in answered.items():
        run(stages(), seeds, Scripted(lambda request, ids=ids: ids.append(request.id) or answer(request)), Path(name))

    assert files(Path("killed")) == files(Path("whole"))
    assert len(answered["killed"]) == len(answered["whole"]) - 28
