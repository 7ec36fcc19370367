"""Under fire: whatever a server does meanwhile, the same completions come in the same order."""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.asking.examples import parse_input_first, parse_output_first
from pipeline.asking.lists import parse_list
from pipeline.asking.verdicts import parse_yes_no
from pipeline.engines.base import Completion, Request, Sampling
from pipeline.engines.server import Server, connection
from pipeline.errors import EngineUnreachable, SproutError
from tests.engines import chaos_server
from tests.engines.chaos_server import FAULTS, ChaosServer, fault
from tests.engines.stand_in import Answer, StandIn

COUNT = 200
KEY = "sk-a-key-that-nobody-may-see"


def requests(count: int = COUNT) -> list[Request]:
    """Half of them the same prompt with seeds of their own; every third as messages."""
    made = []
    for number in range(count):
        text = f"p{number}" if number % 2 else "the same"
        prompt = text if number % 3 else ({"role": "user", "content": text},)
        made.append(Request(id=f"r{number}", prompt=prompt, sampling=Sampling(seed=number)))
    return made


def connect(url: str, **settings: Any) -> closing[Server]:
    options: dict[str, Any] = {"model": "tiny", "url": url, "chat": False, "pause": 0.01, "patience": 20} | settings
    return closing(Server(**options))


@pytest.fixture(scope="module")
def expected() -> list[Completion]:
    """What a server without faults completes, one request at a time."""
    with ChaosServer(share=0) as server, connect(server.url, window=1) as engine:
        completions = list(engine.generate(requests()))
    assert len({completion.text for completion in completions}) == COUNT
    return completions


@pytest.mark.parametrize(("share", "window"), [(0, 8), (0, 64), (0.2, 1), (0.2, 8), (0.2, 64)])
def test_faults_change_no_completion_and_no_order(expected: list[Completion], share: float, window: int) -> None:
    with ChaosServer(share=share, delay=0.02) as server, connect(server.url, window=window) as engine:
        assert list(engine.generate(requests())) == expected
    assert server.kinds["ok"] + server.kinds["delay"] == COUNT
    assert len(server.kinds) == (len(FAULTS) + 1 if share else 1)


@pytest.mark.parametrize("window", [1, 64])
def test_a_server_that_dies_and_comes_back_changes_nothing(expected: list[Completion], window: int) -> None:
    with ChaosServer(share=0.2, delay=0.02) as server, connect(server.url, window=window) as engine:
        completions = []
        for completion in engine.generate(requests()):
            completions.append(completion)
            if len(completions) in (20, 120):
                server.die()
                threading.Timer(0.2, server.come_back).start()
        time.sleep(0.25)  # it may come back when all is done
    assert completions == expected


def test_an_answer_that_comes_too_late_is_asked_for_again(expected: list[Completion]) -> None:
    with ChaosServer(share=0.3, seed=1, delay=0.5) as server, connect(server.url, timeout=0.4) as engine:
        assert list(engine.generate(requests(60))) == expected[:60]
    assert server.kinds["delay"]


def test_a_server_that_asks_to_wait_beyond_patience_ends_it_then() -> None:
    start, later = time.monotonic(), Answer(429, "come back later", {"Retry-After": "3600"})
    with (
        StandIn(lambda tried, body: later) as stand_in,
        connect(stand_in.url, patience=0.5) as engine,
        pytest.raises(EngineUnreachable, match="come back later"),
    ):
        list(engine.generate(plain(40)))
    assert time.monotonic() - start < 15
    assert len(stand_in.calls) < 30  # not all of them: the first refusals speak for the rest


def plain(count: int) -> list[Request]:
    return [Request(id=f"r{number}", prompt=f"p{number}", sampling=Sampling()) for number in range(count)]


def test_a_request_that_only_fails_becomes_an_error_when_others_succeed() -> None:
    def plan(tried: int, body: dict[str, Any]) -> Answer:
        return Answer(500, "a bug") if body["prompt"] == "p1" else Answer(seconds=0.1)

    with StandIn(plan) as stand_in, connect(stand_in.url, window=2, patience=0.3) as engine:
        completions = list(engine.generate(plain(12)))
    assert completions.pop(1) == Completion(id="r1", text="a bug", finish_reason="error")
    assert [completion.text for completion in completions] == [
        "echo p0",
        *(f"echo p{number}" for number in range(2, 12)),
    ]


def test_the_last_request_of_a_run_is_set_aside_if_the_server_answers_another() -> None:
    def plan(tried: int, body: dict[str, Any]) -> Answer:
        return Answer(500, "a bug") if body["prompt"] == "p1" else Answer()

    with StandIn(plan) as stand_in, connect(stand_in.url, window=1, patience=0.3) as engine:
        completions = list(engine.generate(plain(3)))
    assert [completion.text for completion in completions] == ["echo p0", "a bug", "echo p2"]
    assert (stand_in.tries["Hello"], stand_in.calls[-2][2]["max_tokens"]) == (1, 1024)


def test_a_request_is_not_set_aside_for_a_server_that_is_busy() -> None:
    end = time.monotonic() + 0.8

    def plan(tried: int, body: dict[str, Any]) -> Answer:
        return Answer(429) if body["prompt"] == "p0" and time.monotonic() < end else Answer(seconds=0.02)

    with StandIn(plan) as stand_in, connect(stand_in.url, window=2, patience=0.2) as engine:
        assert [completion.finish_reason for completion in engine.generate(plain(40))] == ["stop"] * 40


def test_nothing_but_faults_ends_it_when_patience_is_over() -> None:
    with ChaosServer(share=1) as server, connect(server.url, patience=0.5) as engine, pytest.raises(EngineUnreachable):
        list(engine.generate(requests(20)))


def test_faults_are_a_function_of_request_try_and_seed_and_as_many_as_asked_for() -> None:
    met = [fault(f"{name}", tried, seed=1, share=0.2) for name in range(1000) for tried in range(2)]
    assert met == [fault(f"{name}", tried, seed=1, share=0.2) for name in range(1000) for tried in range(2)]
    counts = Counter(met)
    assert 1500 < counts[None] < 1700
    assert set(counts) == {None, *FAULTS}


def test_warnings_come_as_one_line_a_minute(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REPORT", 0.4)
    caplog.set_level(logging.INFO, logger="pipeline")

    def plan(tried: int, body: dict[str, Any]) -> Answer:
        if body["prompt"] == "p0":
            return Answer(400, "too odd")
        return [Answer(429, "slow down"), Answer(0), Answer()][min(tried, 2)]

    with StandIn(plan) as stand_in, connect(stand_in.url) as engine:
        list(engine.generate(plain(40)))
        time.sleep(0.5)
    first, *later = [record.getMessage() for record in caplog.records]
    name = f"server {re.escape(stand_in.url)}"
    assert re.match(rf"{name}: (answer 429: slow down; trying again|request set aside: too odd)$", first)
    assert 1 <= len(later) <= 5
    assert all(re.match(rf"{name}: (\d+ [\w -]+, )*\d+ [\w -]+ in the last minute, \d+ in flight$", x) for x in later)
    found = Counter({"answers 429" if "429" in first else "requests set aside": 1})
    for number, kind in re.findall(r"(\d+) (answers? 429|disconnections?|requests? set aside)", " ".join(later)):
        found[re.sub(r"^(answer|disconnection|request)\b", r"\1s", kind)] += int(number)
    assert found == {"answers 429": 39, "disconnections": 39, "requests set aside": 1}


@pytest.mark.parametrize("name", ["SPROUT_API_KEY", "OPENAI_API_KEY"])
def test_no_key_is_ever_shown(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str) -> None:
    monkeypatch.delenv("SPROUT_API_KEY", raising=False)
    monkeypatch.setenv(name, KEY)
    caplog.set_level(logging.DEBUG)
    echo = f"the key {KEY} is not welcome"
    long = "x" * 290 + KEY  # to be cut within the key
    answers = {
        "p0": [Answer(400, echo)],
        "p1": [Answer(422, long)],
        "p2": [Answer(500, echo), Answer()],
        "p3": [Answer(body=f"<html>{KEY}".encode()), Answer()],
        "p4": [Answer(413, body={"detail": [{"input": KEY}]})],
    }

    def plan(tried: int, body: dict[str, Any]) -> Answer:
        plans = answers[body["prompt"]]
        return plans[min(tried, len(plans) - 1)]

    shown = []
    made = [Request(id=prompt, prompt=prompt, sampling=Sampling()) for prompt in answers]
    with StandIn(plan) as stand_in, connect(stand_in.url) as engine:
        for completion in engine.generate(made):
            shown.append(completion.text)
        assert {key for _, _, _, key in stand_in.calls} == {f"Bearer {KEY}"}
    for answer in (Answer(401, echo), Answer(404, echo), Answer(500, echo), Answer(402, echo), Answer(body=[echo])):
        with StandIn(lambda tried, body: answer) as stand_in, connect(stand_in.url, patience=0.1, pause=0.01) as engine:  # noqa: B023
            with pytest.raises(SproutError) as caught:
                list(engine.generate(made))
            shown.append(str(caught.value))
            assert caught.value.__context__ is None or KEY not in str(caught.value.__context__)
    shown += [record.getMessage() for record in caplog.records]
    assert not [text for text in shown if "sk-a-key" in text]
    assert "the key [key] is not welcome" in shown


@pytest.mark.parametrize("key", [f"{KEY}\n{KEY}", f"{KEY} ", f"{KEY}\u2019"])
def test_a_key_that_is_none_is_not_shown_either(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SPROUT_API_KEY", key)
    with StandIn(lambda tried, body: Answer(400, KEY)) as stand_in, connect(stand_in.url) as engine:
        if key.strip() == KEY:
            (completion,) = engine.generate(requests(1))
            assert completion.text == "[key]"
            return
        with pytest.raises(SproutError, match="holds characters that no key can have"):
            list(engine.generate(requests(1)))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def start(port: int, log: Path, *options: str) -> subprocess.Popen[bytes]:
    """The server in a process of its own, once it serves."""
    command = [sys.executable, chaos_server.__file__, "--port", str(port), "--log", str(log), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline().decode().strip() == f"http://127.0.0.1:{port}/v1"
    process.stdout.close()
    return process


def test_a_server_that_is_killed_and_started_again_changes_nothing(expected: list[Completion], tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log.txt"
    process = start(port, log, "--share", "0.2", "--seed", "3", "--latency", "0.005")
    try:
        completions = []
        with connect(f"http://127.0.0.1:{port}/v1", window=16) as engine:
            for completion in engine.generate(requests()):
                completions.append(completion)
                if len(completions) == 50:
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait()
                    process = start(port, log, "--share", "0.2", "--seed", "4", "--latency", "0.005")
    finally:
        process.kill()
        process.wait()
    assert completions == expected
    lines = [line.split() for line in log.read_text().splitlines()]
    answered = Counter(name for name, kind in lines if kind in ("ok", "delay"))
    assert len(answered) == COUNT
    assert sum(answered.values()) <= COUNT + 16  # those in flight at the kill
    assert {kind for _, kind in lines} <= {"ok", *FAULTS}


@pytest.mark.parametrize(
    ("prompt", "parse"),
    [
        ("Tasks.\n1. Name a river\n2.", parse_list),
        ("Task: x\nClassification:", lambda text: parse_yes_no(text) is not None),
        ("Task: x\nExample 1", parse_input_first),
        ("Task: x\nClass label:", parse_output_first),
    ],
)
def test_the_answers_for_sprout_make_sense_to_its_stages(prompt: str, parse: Any) -> None:
    with ChaosServer(share=0, answers="sprout") as server, connect(server.url) as engine:
        (completion,) = engine.generate([Request(id="r", prompt=prompt, sampling=Sampling())])
    assert parse(completion.text)
