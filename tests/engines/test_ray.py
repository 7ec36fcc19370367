"""Replicas on a Ray cluster: one journal, the bytes of a serial run, whatever becomes of a replica."""

import itertools
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import Request, Sampling, Task, run
from pipeline.engines.base import Completion, ScoreRequest
from pipeline.engines.ray import Ray
from pipeline.engines.scripted import Scripted
from pipeline.errors import EngineUnreachable, SproutError
from pipeline.resources import NANO
from pipeline.runs.journal import FILE, Journal
from pipeline.stages import Classify, Instances, Instructions
from tests.conftest import answer
from tests.engines.tiny_engines import TOY

Start = Callable[..., Ray]
WINDOW = 16
SLOTS = 6


@pytest.fixture
def start(connected: None, tmp_path: Path) -> Iterator[Start]:
    """Opens an engine with toy replicas, which note what they are asked in `asked.log`."""
    engines: list[Ray] = []

    def make(num_replicas: int, **options: Any) -> Ray:
        options = {"log": str(tmp_path / "asked.log"), "slots": SLOTS, "window": WINDOW, "chat": False} | options
        engines.append(Ray(str(NANO), num_replicas=num_replicas, replica=TOY, **options))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def notes(folder: Path) -> list[tuple[int, str]]:
    """Which process was asked what."""
    path = folder / "asked.log"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [(int(line.split(" ", 1)[0]), line.split(" ", 1)[1]) for line in lines]


def of_requests(folder: Path) -> list[tuple[int, str]]:
    return [(process, note) for process, note in notes(folder) if note not in ("loads", "closed", "aborted")]


def requests(count: int, first: int = 0) -> list[Request]:
    return [
        Request(id=f"r{number}", prompt=f"{number}.", sampling=Sampling()) for number in range(first, first + count)
    ]


class Strike(threading.Thread):
    """Sends a signal to a replica as soon as so many requests were asked."""

    def __init__(self, folder: Path, blows: dict[int, signal.Signals]) -> None:
        super().__init__(daemon=True)
        self.folder, self.blows, self.struck = folder, blows, list[int]()
        self.start()

    def run(self) -> None:
        for count, blow in self.blows.items():
            while len(of_requests(self.folder)) < count:
                time.sleep(0.02)
            process = next(one for one, _ in reversed(of_requests(self.folder)) if one not in self.struck)
            os.kill(process, blow)
            self.struck.append(process)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.jsonl")}


def asked_again(caplog: pytest.LogCaptureFixture) -> list[int]:
    """How many requests each replica held that was lost, by the log."""
    return [int(found[1]) for found in re.finditer(r"; (\d+) requests are asked again", caplog.text)]


def test_a_run_with_a_replica_killed_and_one_frozen_writes_the_bytes_of_the_serial_run(
    start: Start, seeds: list[Task], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stages = [Instructions(num_tasks=150), Classify(), Instances()]
    run(stages, seeds, Scripted(answer, model=str(NANO), window=WINDOW), tmp_path / "serial")
    strike = Strike(tmp_path, {60: signal.SIGKILL, 180: signal.SIGSTOP})

    run(stages, seeds, start(3, step=0.03, silence=4), tmp_path / "spread")

    assert files(tmp_path / "spread") == files(tmp_path / "serial")
    assert len(strike.struck) == 2
    with Journal(tmp_path / "spread" / FILE) as journal:
        (kept,) = journal.db.execute("SELECT count(*) FROM completions").fetchone()
    asked = of_requests(tmp_path)
    assert max(asked_again(caplog)) <= SLOTS
    # The window of the first stage is dropped once there are enough tasks.
    assert kept <= len(asked) <= kept + sum(asked_again(caplog)) + WINDOW


def test_each_answer_arrives_once_and_is_handed_out_in_order(start: Start, tmp_path: Path) -> None:
    engine, there = start(2, step=0.02, window=1, slots=30), list[str]()  # it reads ahead for two
    Strike(tmp_path, {20: signal.SIGKILL})

    found = [one.id for one in engine.generate(requests(200), lambda request, _: there.append(request.id))]

    assert found == [request.id for request in requests(200)]
    assert sorted(there) == sorted(found)


def test_what_is_asked_twice_was_with_the_replica_that_died(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    strike = Strike(tmp_path, {20: signal.SIGKILL})

    assert len(list(start(2, step=0.02).generate(requests(60)))) == 60

    (again,) = asked_again(caplog)
    assert 0 < again <= SLOTS
    assert re.search(r"the replica on \S+ \(process \d+\) has died; ", caplog.text)
    counts = Counter(note for _, note in of_requests(tmp_path))
    assert sum(counts.values()) - 60 <= again
    (dead,) = strike.struck
    assert {note for note, count in counts.items() if count > 1} <= {
        note for process, note in of_requests(tmp_path) if process == dead
    }


def test_likelihoods_come_from_replicas_too(start: Start) -> None:
    asked = [ScoreRequest(id=f"s{number}", prompt="a", continuation="b" * number) for number in range(1, 20)]

    assert [(one.id, one.num_tokens) for one in start(2).score(asked)] == [(f"s{n}", n) for n in range(1, 20)]


def test_a_request_that_cannot_succeed_stops_no_other(start: Start) -> None:
    bad = Request(id="bad", prompt="too long", sampling=Sampling())

    found = list(start(1).generate([*requests(3), bad, *requests(3, first=3)]))

    assert [one.finish_reason for one in found] == ["stop"] * 3 + ["error"] + ["stop"] * 3
    assert found[3].text == "the prompt is too long"


def test_a_request_that_kills_every_replica_is_given_up(start: Start) -> None:
    engine = start(2, poison="r5", slots=2)

    found = {one.id: one for one in engine.generate(requests(12))}

    assert found["r5"].finish_reason == "error"
    assert "5 replicas died" in found["r5"].text
    assert sum(one.finish_reason == "stop" for one in found.values()) >= 8


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({"fails_after": 8}, "has failed: the GPU fell off the bus"),
        ({"hangs_after": 8}, "has computed for 1 s without"),
    ],
    ids=["fails", "hangs"],
)
def test_a_replica_whose_model_stops_is_replaced(
    trouble: dict[str, int], said: str, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    found = list(start(2, silence=1, **trouble).generate(requests(30)))

    assert [one.id for one in found] == [one.id for one in requests(30)]
    assert said in caplog.text


def test_a_model_that_no_replica_can_load_ends_the_run_with_the_first_error(start: Start) -> None:
    engine = start(3, broken="holds no weights")

    with pytest.raises(
        EngineUnreachable, match=r"no replica of .* starts: .* cannot load the model: .*holds no weights"
    ):
        list(engine.generate(requests(1)))


def test_a_replica_for_which_there_is_no_room_is_waited_for_and_then_given_up(start: Start) -> None:
    engine = start(1, tensor_parallel_size=1000, patience=1)

    with pytest.raises(EngineUnreachable, match="no room for a replica of 1000 CPUs: it has 8 CPUs on 1 machine"):
        list(engine.generate(requests(1)))


def test_without_a_number_there_are_as_many_replicas_as_there_is_room_for(start: Start, tmp_path: Path) -> None:
    engine = start(None, tensor_parallel_size=3, step=0.05)  # type: ignore[arg-type]

    assert len(list(engine.generate(requests(60)))) == 60
    assert len({process for process, _ in of_requests(tmp_path)}) == 2


def test_requests_that_nobody_waits_for_any_more_are_dropped_and_the_replicas_stay(
    start: Start, tmp_path: Path
) -> None:
    engine = start(2, step=0.2, slots=40)
    completions = engine.generate(itertools.cycle(requests(5)))
    first = [next(completions).id for _ in range(3)]
    completions.close()

    assert first == ["r0", "r1", "r2"]
    assert [one.id for one in engine.generate(requests(4, first=100))] == ["r100", "r101", "r102", "r103"]
    assert "aborted" in {note for _, note in notes(tmp_path)}
    assert len({process for process, _ in of_requests(tmp_path)}) <= 2


def test_a_closed_engine_gives_back_what_it_holds_and_starts_again_when_asked(start: Start, tmp_path: Path) -> None:
    engine = start(2)
    before = list(engine.generate(requests(4)))
    engine.close()
    engine.close()

    assert "closed" in [note for _, note in notes(tmp_path)]
    assert list(engine.generate(requests(4))) == before


def test_a_journal_that_cannot_be_written_ends_the_run(start: Start) -> None:
    def full(request: Request, completion: Completion) -> None:
        raise SproutError("the disk is full")

    with pytest.raises(SproutError, match="the disk is full"):
        list(start(1).generate(requests(3), full))


@pytest.mark.parametrize(
    ("address", "said"),
    [("10.1.2.3:6379", "this process is connected to the cluster at"), ("ray://here:10001", "can use only one")],
)
def test_another_cluster_than_that_of_the_process_is_refused(address: str, said: str, start: Start) -> None:
    with pytest.raises(SproutError, match=said):
        list(start(1, address=address).generate(requests(1)))
