"""Several servers of one model: one dies, one hangs, one comes back, one is added, and all are gone."""

import logging
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import Task, run
from pipeline.engines.base import Likelihood, ScoreRequest
from pipeline.engines.scripted import Scripted
from pipeline.engines.server import Server, fleet
from pipeline.errors import EngineUnreachable
from tests.conftest import answer
from tests.engines.chaos_server import ChaosServer
from tests.engines.conftest import Connect, Serve
from tests.engines.stand_in import Answer
from tests.engines.test_score_server import TEXT, like_vllm
from tests.engines.test_server import echoes, free_port, requests
from tests.runs.test_run import stages
from tests.runs.toys import files

QUICK = {"silence": 0.4, "pause": 0.05, "patience": 20}


def slow(seconds: float) -> Callable[[int, dict[str, Any]], Answer]:
    return lambda tried, body: Answer(seconds=seconds)


def after(number: int, then: Callable[[], Answer]) -> Callable[[int, dict[str, Any]], Answer]:
    """Answers so many requests, and does something else with all others."""
    seen = iter(range(10**9))
    return lambda tried, body: Answer(seconds=0.02) if next(seen) < number else then()


class Toy(ChaosServer):
    """A toy of Sprout that hangs from some request on."""

    def __init__(self, hangs_at: int = 10**9, model: dict[str, Any] | None = None) -> None:
        self.hangs_at, self.model = hangs_at, model
        super().__init__(share=0, answers="sprout", latency=0.01)

    def next_answer(self, tried: int, body: dict[str, Any]) -> Answer:
        found = super().next_answer(tried, body)
        if sum(self.kinds.values()) > self.hangs_at:
            found.seconds = 60
        return found


def test_of_three_servers_one_is_killed_and_one_hangs_and_a_run_writes_the_bytes_it_writes_with_one(
    seeds: list[Task], tmp_path: Path
) -> None:
    run(stages(60), seeds, Scripted(answer, model="tiny", window=32), tmp_path / "one")
    good, dies, hangs = servers = Toy(), Toy(), Toy(hangs_at=12)

    def kill() -> None:
        while sum(dies.kinds.values()) < 10:
            time.sleep(0.002)
        dies.die()

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    try:
        engine = Server("tiny", [one.url for one in servers], chat=False, window=32, **QUICK)
        run(stages(60), seeds, engine, tmp_path / "three")
        engine.close()
    finally:
        killer.join(10)
        good.die(), hangs.die()
    assert files(tmp_path / "three") == files(tmp_path / "one")
    asked = sum(sum(one.kinds.values()) for one in servers)
    with sqlite3.connect(tmp_path / "three" / "completions.sqlite") as journal:
        (rows,) = journal.execute("SELECT count(*) FROM completions").fetchone()
    journal.close()
    probes = sum(one.tries.get("Hello", 0) for one in servers)
    assert rows <= asked - probes <= rows + 2 * 32
    assert good.kinds["ok"] > 0.4 * rows


def test_a_run_goes_on_with_another_number_of_servers_and_asks_nothing_again(seeds: list[Task], tmp_path: Path) -> None:
    one, other = Toy(), Toy()
    try:
        run(stages()[:2], seeds, Server("tiny", one.url, chat=False), tmp_path)
        before = files(tmp_path)
        run(stages()[:2], seeds, Server("tiny", [one.url, other.url], chat=False), tmp_path)
        assert not other.calls
        assert files(tmp_path) == before
    finally:
        one.die(), other.die()


def test_the_server_with_the_fewest_requests_in_flight_is_next(serve: Serve, connect: Connect) -> None:
    quick, tardy = serve(slow(0.005)), serve(slow(0.1))
    engine = connect([tardy.url, quick.url], window=8, **QUICK)
    assert list(engine.generate(requests(200))) == echoes(200)
    assert len(quick.calls) > 4 * len(tardy.calls) > 0
    assert quick.most_at_once + tardy.most_at_once <= 8


def test_a_server_that_comes_back_is_asked_again(serve: Serve, connect: Connect) -> None:
    lasting, goes = serve(slow(0.02)), serve(slow(0.02))
    completions = connect([lasting.url, goes.url], window=4, **QUICK).generate(requests(300))
    for _ in range(20):
        next(completions)
    goes.die()
    for _ in range(40):
        next(completions)
    seen = len(goes.calls)
    goes.come_back()
    assert len(list(completions)) == 240
    assert len(goes.calls) > seen + 20


def test_a_server_that_hangs_is_left_aside_and_what_it_had_is_asked_of_the_others(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    good, hangs = serve(slow(0.02)), serve(after(5, lambda: Answer(seconds=30)))
    start = time.monotonic()
    assert list(connect([good.url, hangs.url], window=8, **QUICK).generate(requests(100))) == echoes(100)
    assert time.monotonic() - start < 15
    assert len(hangs.calls) < 5 + 8 + 5
    assert re.search(
        rf"server {hangs.url}: left aside: no answer for \d s, while others answer; 1 of 2 servers", caplog.text
    )


def test_a_request_that_takes_longer_than_all_others_is_answered_all_the_same(serve: Serve, connect: Connect) -> None:
    def plan(tried: int, body: dict[str, Any]) -> Answer:
        return Answer(seconds=1.5 if body["prompt"] == "p3" else 0.03)

    urls = [serve(plan).url, serve(plan).url]
    assert list(connect(urls, window=4, **QUICK).generate(requests(200))) == echoes(200)


def test_a_file_that_gets_a_line_more_brings_a_server_more(
    serve: Serve, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fleet, "READ", 0.1)
    first, second, third = serve(slow(0.02)), serve(slow(0.02)), serve(slow(0.02))
    listed = tmp_path / "servers.txt"
    listed.write_text(f"# ours\n{first.url}\n", encoding="utf-8")
    completions = connect(str(listed), window=4, **QUICK).generate(requests(400))
    next(completions)
    listed.write_text(f"{first.url}  # the old one\n\n{second.url}/\n", encoding="utf-8")
    for _ in range(120):
        next(completions)
    assert second.calls
    listed.write_text("nonsense\n", encoding="utf-8")
    for _ in range(40):
        next(completions)
    assert f"{listed}:1: nonsense: is not the url of a server" in caplog.text
    listed.write_text(f"{second.url}/\n{third.url}\n", encoding="utf-8")
    for _ in range(100):
        next(completions)
    seen = len(first.calls)
    assert len(list(completions)) == 400 - 261
    assert len(first.calls) == seen
    assert third.calls
    assert f"server {first.url}: is no longer listed" in caplog.text


@pytest.mark.parametrize("window", [2, 16])
def test_when_all_are_gone_the_words_of_each_are_told(serve: Serve, connect: Connect, window: int) -> None:
    away, broken = f"http://127.0.0.1:{free_port()}/v1", serve(lambda tried, body: Answer(500, "out of memory"))
    engine = connect([away, broken.url], window=window, **QUICK | {"patience": 0.8})
    with pytest.raises(EngineUnreachable) as caught:
        list(engine.generate(requests(20)))
    told = str(caught.value)
    assert told.startswith("no completion for 1 s from any server (")
    assert told.endswith("check the servers and run again")
    assert f"{away}: cannot connect: Connection refused; {broken.url}: out of memory" in told


def test_servers_that_are_busy_for_ever_end_it(serve: Serve, connect: Connect) -> None:
    urls = [serve(lambda tried, body: Answer(429, "no room")).url for _ in range(2)]
    with pytest.raises(EngineUnreachable, match=r"from any server .*: no room; .*: no room"):
        list(connect(urls, window=4, **QUICK | {"patience": 0.5}).generate(requests(5)))


def test_faults_that_pass_change_nothing(connect: Connect) -> None:
    servers = [ChaosServer(share=0.3, seed=seed, delay=0.01) for seed in range(3)]
    single = ChaosServer(share=0)
    try:
        found = list(connect([one.url for one in servers], window=16, **QUICK).generate(requests(200)))
        assert found == list(connect(single.url, window=16).generate(requests(200)))
    finally:
        for one in (*servers, single):
            one.die()


def test_a_request_that_is_refused_is_asked_once_and_leaves_no_server_aside(serve: Serve, connect: Connect) -> None:
    plan = lambda tried, body: Answer(400, "too odd") if body["prompt"] == "p1" else Answer()  # noqa: E731
    servers = [serve(plan), serve(plan)]
    found = list(connect([one.url for one in servers], **QUICK).generate(requests(30)))
    assert [one.finish_reason for one in found].count("error") == 1
    assert sum(one.tries.get("p1", 0) for one in servers) == 1


def test_a_request_that_no_server_can_answer_is_set_aside(serve: Serve, connect: Connect) -> None:
    plan = lambda tried, body: Answer(500, "a bug") if body["prompt"] == "p1" else Answer(seconds=0.01)  # noqa: E731
    urls = [serve(plan).url, serve(plan).url]
    found = list(connect(urls, window=4, **QUICK | {"patience": 1}).generate(requests(40)))
    assert [(one.id, one.text) for one in found if one.finish_reason == "error"] == [("r1", "a bug")]


def test_a_line_a_minute_says_how_each_server_does(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fleet, "REPORT", 0.3)
    caplog.set_level(logging.INFO)
    away, good = f"http://127.0.0.1:{free_port()}/v1", serve(slow(0.02))
    list(connect([good.url, away], window=4, **QUICK).generate(requests(150)))
    lines = [one.getMessage() for one in caplog.records if one.getMessage().startswith("servers in the last minute")]
    assert len(lines) >= 1
    assert f"{good.url} " in lines[0]
    assert "answered, " in lines[0]
    assert f"{away} 0 answered, left aside (cannot connect: Connection refused)" in lines[0]


def test_likelihoods_come_from_several_servers_as_from_one(serve: Serve, connect: Connect) -> None:
    asked = [ScoreRequest(id=f"s{number}", prompt=TEXT.prompt, continuation=f" you {number}") for number in range(40)]

    def likelihoods(url: Any) -> list[Likelihood]:
        return list(connect(url, **QUICK).score(iter(asked)))

    servers = [serve(like_vllm), serve(like_vllm)]
    assert likelihoods([one.url for one in servers]) == likelihoods(servers[0].url)
    assert all(len(one.calls) > 10 for one in servers)


def test_engines_of_several_servers_leave_nothing_behind(serve: Serve) -> None:
    engine = Server("tiny", [serve().url, serve().url], chat=False)
    assert list(engine.generate(requests(10))) == echoes(10)
    client = engine._connect()
    del engine
    client.thread.join(10)
    assert client.loop.is_closed()
