"""Nothing is paid for twice: not after a kill, not for a redone stage, and not because of a straggler."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import Completion, Request, Sampling, SproutError, run
from pipeline.engines.base import Engine, at_hand
from pipeline.engines.scripted import Scripted
from pipeline.runs.budget import Budget
from pipeline.runs.journal import FILE, Journal
from pipeline.runs.recorded import Recorded
from pipeline.stages import Classify, Filter, Instances, Instructions
from tests.conftest import answer
from tests.runs.test_run import stages
from tests.runs.toys import files


def requests(numbers: Iterable[int], **sampling: object) -> Iterator[Request]:
    for number in numbers:
        yield Request(id=f"r{number}", prompt=f"prompt {number}", sampling=Sampling(seed=number, **sampling))


def recorded(engine: Scripted, journal: Journal) -> Recorded:
    return Recorded(engine, journal, "classify", Budget())


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / FILE) as journal:
        yield journal


def echo(request: Request) -> Completion:
    return Completion(id=request.id, text=f"echo {request.prompt}", prompt_tokens=3, completion_tokens=2)


def test_what_was_asked_once_is_never_asked_again(journal):
    first, again = Scripted(echo), Scripted(echo)

    assert list(recorded(first, journal).generate(requests(range(9)))) == [echo(r) for r in requests(range(9))]
    assert list(recorded(again, journal).generate(requests(range(9)))) == [echo(r) for r in requests(range(9))]
    assert (len(first.requests), len(again.requests)) == (9, 0)


def test_an_engine_for_many_replicas_has_as_many_requests_in_flight_as_it_takes(journal):
    engine = Scripted(echo, window=10_000)
    with closing(recorded(engine, journal).generate(requests(range(12_000)))) as completions:
        next(completions)
        assert len(engine.requests) == 10_000


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=st.sets(st.integers(0, 29)), window=st.sampled_from([1, 2, 5, 40]))
def test_known_and_unknown_mix_in_order_while_the_source_has_none_for_now(tmp_path_factory, known, window):
    with Journal(tmp_path_factory.mktemp("mixed") / FILE) as journal:
        list(recorded(Scripted(echo), journal).generate(requests(known)))
        engine, out = Scripted(echo, window=3), 0

        def pulled() -> Iterator[Request | None]:
            for number, request in enumerate(requests(range(30))):
                while number - out >= window:
                    yield None
                yield request

        for number, completion in enumerate(recorded(engine, journal).generate(pulled())):
            assert completion == echo(next(requests([number])))
            out += 1
    assert out == 30
    assert sorted(request.id for request in engine.requests) == sorted(f"r{n}" for n in set(range(30)) - known)


def test_another_model_prompt_seed_or_temperature_is_another_request(journal):
    list(recorded(Scripted(echo), journal).generate(requests([1])))
    base = next(requests([1]))
    others = [
        base.model_copy(update={"prompt": "prompt 2"}),
        base.model_copy(update={"prompt": ({"role": "user", "content": "prompt 1"},)}),
        base.model_copy(update={"chat_template_kwargs": {"enable_thinking": False}}),
        base.model_copy(update={"sampling": base.sampling.model_copy(update={"seed": 2})}),
        base.model_copy(update={"sampling": base.sampling.model_copy(update={"temperature": 0.1})}),
    ]

    assert journal.find("scripted", base)
    assert not journal.find("another", base)
    assert not any(journal.find("scripted", other) for other in others)


def test_a_model_folder_is_known_by_what_is_in_it_and_not_by_where_it_lies(journal, tmp_path):
    same, other = bytes(10 << 20), bytes(5 << 20) + b"2" * (1 << 20) + bytes(4 << 20)  # a layer in the middle is tuned
    for name, weights in {"one": same, "moved": same, "tuned": other}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(weights)
    request = next(requests([1]))
    journal.record("classify", str(tmp_path / "one"), request, echo(request))

    assert journal.find(str(tmp_path / "moved"), request)
    assert not journal.find(str(tmp_path / "tuned"), request)


def test_more_tokens_ask_again_only_for_what_was_cut_off(journal):
    def ends(request: Request) -> Completion:
        cut = int(request.id[1:]) % 3 == 0
        return Completion(id=request.id, text="text", finish_reason="length" if cut else "stop", completion_tokens=8)

    list(recorded(Scripted(ends), journal).generate(requests(range(9), max_tokens=8)))
    more, fewer = Scripted(ends), Scripted(ends)
    list(recorded(more, journal).generate(requests(range(9), max_tokens=16)))
    list(recorded(fewer, journal).generate(requests(range(9), max_tokens=4)))

    assert [request.id for request in more.requests] == ["r0", "r3", "r6"]
    assert len(fewer.requests) == 9


def test_a_failed_request_is_not_kept(journal):
    failed = Scripted(lambda request: Completion(id=request.id, text="too long", finish_reason="error"))
    list(recorded(failed, journal).generate(requests([1])))

    assert not journal.find("scripted", next(requests([1])))


class Straggling(Engine):
    """All completions of a window arrive at once, but for the first, whose machine is lost."""

    model, chat, window = "straggling", False, 8

    def generate(self, requests, arrived=None):
        _, *others = at_hand(iter(requests))
        for request in others:
            arrived(request, echo(request))
        raise KeyboardInterrupt
        yield


def test_what_a_straggler_held_up_is_kept(journal):
    with pytest.raises(KeyboardInterrupt):
        list(recorded(Straggling(), journal).generate(requests(range(9))))

    assert [bool(journal.find("straggling", request)) for request in requests(range(9))] == [False] + [True] * 8


def test_a_stopped_run_asks_only_for_what_it_has_no_completion_of(seeds, tmp_path):
    answered: list[str] = []

    def count(request: Request) -> str:
        answered.append(request.id)
        return answer(request)

    run(stages(), seeds, Scripted(count), tmp_path / "whole")
    total = 0
    for stop_at in (3, 7, 11, 2, 30, 1000):
        left = iter(range(stop_at))

        def some(request: Request, left: Iterator[int] = left) -> str:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return answer(request)

        engine = Scripted(some)
        try:
            run(stages(), seeds, engine, tmp_path / "stopped")
        except KeyboardInterrupt:
            total += stop_at
        else:
            total += stop_at - len(list(left))

    assert files(tmp_path / "stopped") == files(tmp_path / "whole")
    assert total == len(answered)


def test_an_edited_later_stage_costs_nothing(seeds, tmp_path):
    run(stages(), seeds, Scripted(answer), tmp_path)
    for path in list(tmp_path.glob("*.jsonl"))[1:]:
        path.unlink()
    engine = Scripted(answer)
    run(
        [Instructions(num_tasks=20, window=4), Classify(), Instances(max_instances=1), Filter()],
        seeds,
        engine,
        tmp_path,
    )

    assert not engine.requests


def test_a_long_beginning_that_prompts_share_is_stored_once_and_prompts_come_back_whole(journal, tmp_path):
    shared = "Task: something, and so on.\n" * 200
    prompts = [f"{shared}Task: number {n}" for n in range(300)] + ["short", "another short one"]
    asked = [Request(id=f"r{n}", prompt=prompt, sampling=Sampling()) for n, prompt in enumerate(prompts)]
    list(recorded(Scripted(echo), journal).generate(asked))

    assert [journal.entry("classify", request.id).prompt for request in asked] == prompts
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute("SELECT sum(length(prompt)) FROM completions").fetchone()[0] < 2 * len(shared)
    db.close()


def test_beginnings_that_few_prompts_share_leave_room_for_those_of_later_stages(tmp_path):
    def asked(stage: str, beginning: str, number: int) -> Request:
        return Request(id=f"{stage}{number}", prompt=f"{beginning} {number}.", sampling=Sampling(seed=number))

    with Journal(tmp_path / FILE) as journal:
        for pair in range(200):
            for number in (2 * pair, 2 * pair + 1):
                request = asked("list", f"{pair} " * 200, number)
                journal.record("instructions", "m", request, echo(request))
    with Journal(tmp_path / FILE) as journal:
        for number in range(100):
            request = asked("task", "A demo of the stage. " * 400, number)
            journal.record("instances", "m", request, echo(request))
        assert journal.entry("instances", "task99").prompt == request.prompt
    with sqlite3.connect(tmp_path / FILE) as db:
        length = db.execute("SELECT sum(length(prompt)) FROM completions WHERE stage = 'instances'").fetchone()[0]
    db.close()
    assert length < 9000  # the first prompt, and what differs


@pytest.mark.parametrize(
    "text", ["", "\0 and \0", "half \ud83d a pair", "مرحبا 你好 🎉", "line\u2028line\r\n", "x" * 10**6]
)
def test_any_text_is_kept_as_it_is_handed_out(journal, text):
    first = list(recorded(Scripted(lambda request: text), journal).generate(requests([1])))
    again = list(recorded(Scripted(lambda request: "other"), journal).generate(requests([1])))

    assert first == again


def test_completions_may_arrive_in_many_threads(journal):
    def arrive(part: int) -> None:
        for request in requests(range(part * 50, part * 50 + 50)):
            journal.record("classify", "m", request, echo(request))

    threads = [threading.Thread(target=arrive, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert journal.usage()["classify"].requests == 400


def test_a_truncated_journal_is_told_and_destroys_nothing(seeds, tmp_path):
    run(stages(), seeds, Scripted(answer), tmp_path)
    before = files(tmp_path)
    path = tmp_path / FILE
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])

    with pytest.raises(SproutError, match=rf"{FILE}: .*damaged: move it away, the stage files keep what was decided"):
        run(stages(30), seeds, Scripted(answer), tmp_path)
    assert files(tmp_path) == before

    path.rename(tmp_path / "away.sqlite")
    assert len(run(stages(30), seeds, Scripted(answer), tmp_path)) == 30
    assert all(files(tmp_path)[name].startswith(data) for name, data in before.items())


def test_a_journal_that_is_something_else_is_told(seeds, tmp_path):
    (tmp_path / FILE).write_text("not a database, but long enough to be looked at " * 40)

    with pytest.raises(SproutError, match="file is not a database; it is damaged"):
        run(stages(), seeds, Scripted(answer), tmp_path)
