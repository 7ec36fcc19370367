"""The batch API: what is sent, what comes back, and what a run does when it does not come back as it should."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline import Completion, Request, Sampling
from pipeline.cli.main import main
from pipeline.engines.batch import Batch
from pipeline.errors import EngineUnreachable, SproutError
from tests.cli.test_cli import fails
from tests.engines.batch_server import BatchServer
from tests.engines.runs import written
from tests.engines.stand_in import Answer, prompt_of

ROOT = Path(__file__).parents[2]
Open = Callable[..., Batch]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPROUT_API_KEY", "KEY-123")


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as server:
        yield server


@pytest.fixture
def engine(server: BatchServer) -> Iterator[Open]:
    opened: list[Batch] = []

    def open_engine(**options: Any) -> Batch:
        given = {"chat": False, "smallest": 3, "poll": 0.02, "pause": 0.01, "window": 20} | options
        opened.append(Batch("tiny", server.url, **given))
        return opened[-1]

    yield open_engine
    for one in opened:
        one.close()


def requests(numbers: Iterable[int], **sampling: Any) -> list[Request]:
    return [
        Request(id=f"r{number}", prompt=f"{number} is the number.\nClassification:", sampling=Sampling(**sampling))
        for number in numbers
    ]


def ask(engine: Batch, numbers: Iterable[int], **sampling: Any) -> list[Completion]:
    return list(engine.generate(iter(requests(numbers, **sampling))))


def alone(server: BatchServer) -> list[str]:
    """The prompts that were asked one by one."""
    return [prompt_of(body) for _, path, body, _ in server.calls if path.endswith("completions")]


def in_batches(server: BatchServer) -> Counter[str]:
    return Counter(prompt_of(line["body"]) for line in server.asked_in_batches)


def arguments(server: BatchServer, folder: Path, engine: str) -> list[str]:
    batch = ["smallest=3", "poll=0.05", "window=8", "pause=0.01"] if engine == "batch" else []
    given = [f"engine.{one}" for one in [f"url={server.url}", "chat=false", *batch]]
    given += ["instructions.num_tasks=12", "instructions.window=8", "export.formats=['alpaca']"]
    words = ["run", "--engine", engine, "--model", "tiny", "--out", str(folder), "--quiet"]
    return words + [word for one in given for word in ("--set", one)]


def test_a_run_by_batches_writes_what_a_run_by_single_requests_writes(server: BatchServer, tmp_path: Path) -> None:
    main(arguments(server, tmp_path / "one by one", "server"))
    server.calls.clear()
    main(arguments(server, tmp_path / "batches", "batch"))

    assert written(tmp_path / "batches") == written(tmp_path / "one by one")
    sizes = [len(server.lines(batch)) for batch in server.batches]
    assert sum(sizes) > 2 * len(alone(server))
    assert max(sizes) <= 8
    assert {*in_batches(server)}.isdisjoint(alone(server))


def test_the_first_request_goes_ahead_alone_and_the_others_as_one_batch(server: BatchServer, engine: Open) -> None:
    completions = ask(engine(), range(9), seed=4)

    assert [one.id for one in completions] == [f"r{number}" for number in range(9)]
    assert {one.text for one in completions} <= {" Yes", " No"}
    assert all(one.prompt_tokens for one in completions)
    assert alone(server) == [requests([0])[0].prompt]
    assert [len(server.lines(batch)) for batch in server.batches] == [8]
    assert server.batches[0]["endpoint"] == "/v1/completions"
    assert server.batches[0]["completion_window"] == "24h"


def test_messages_and_plain_prompts_go_to_their_own_endpoints(server: BatchServer, engine: Open) -> None:
    plain = requests(range(6))
    chat = [
        one.model_copy(update={"prompt": ({"role": "user", "content": one.prompt},)}) for one in requests(range(6, 13))
    ]
    mixed = [one for pair in zip(plain, chat, strict=False) for one in pair] + chat[6:]
    assert [one.id for one in engine(chat=None).generate(iter(mixed))] == [one.id for one in mixed]
    assert {batch["endpoint"]: len(server.lines(batch)) for batch in server.batches} == {
        "/v1/completions": 5, "/v1/chat/completions": 6,
    }  # fmt: skip


def test_batches_of_a_deployment_on_azure_lie_beside_it(server: BatchServer) -> None:
    url = server.url.replace("/v1", "/openai/deployments/mine?api-version=2024-10-21")
    with closing(Batch("tiny", url, chat=False, smallest=1, poll=0.02, window=20)) as engine:
        assert len(ask(engine, range(6))) == 6
    assert [batch["endpoint"] for batch in server.batches] == ["/completions", "/completions"]
    assert not alone(server)


def test_equal_requests_each_get_an_answer(server: BatchServer, engine: Open) -> None:
    same = [request.model_copy(update={"id": f"s{n}"}) for n in range(6) for request in requests([1])]
    assert [one.id for one in engine().generate(iter(same))] == [f"s{number}" for number in range(6)]
    assert len({line["custom_id"] for line in server.asked_in_batches}) == 5


def test_a_parameter_that_is_refused_is_left_out_before_a_batch_is_sent(server: BatchServer, engine: Open) -> None:
    server.plan = lambda tried, body: Answer(400, "seed is not supported") if "seed" in body else Answer()

    assert len(ask(engine(), range(8), seed=7)) == 8
    assert not any("seed" in line["body"] for line in server.asked_in_batches)
    assert len(server.asked_in_batches) == 7


def test_what_fails_in_a_batch_fares_as_it_would_alone(server: BatchServer, engine: Open) -> None:
    long, broken, late = (requests([number])[0].prompt for number in (2, 3, 4))

    def outcome(body: dict[str, Any]) -> dict[str, Any] | None:
        if prompt_of(body) == long:
            error = {"message": "the maximum context length is 10 tokens", "code": "context_length_exceeded"}
            return {"response": {"status_code": 400, "body": {"error": error}}, "error": None}
        if prompt_of(body) == broken:
            return {"response": {"status_code": 500, "body": {"error": {"message": "a bug"}}}, "error": None}
        if prompt_of(body) == late:
            return {"response": None, "error": {"code": "batch_expired", "message": "not answered in time"}}
        return None

    server.outcome = outcome
    by_id = {one.id: one for one in ask(engine(), range(9))}

    assert by_id.pop("r2").text == "the maximum context length is 10 tokens"
    assert {one.finish_reason for one in by_id.values()} == {"stop"}
    assert sorted(alone(server)) == sorted([requests([0])[0].prompt, broken, late])


def test_a_batch_that_is_too_large_for_the_queue_is_halved(
    server: BatchServer, engine: Open, caplog: pytest.LogCaptureFixture
) -> None:
    server.status = lambda batch: "failed" if len(server.lines(batch)) > 5 else "completed"
    server.error = {"code": "token_limit_exceeded", "message": "Too much of sk-KEY-123 at once."}

    assert len(ask(engine(), range(17))) == 17
    assert [len(server.lines(batch)) for batch in server.batches] == [16, 8, 4, 4, 8, 4, 4]
    assert "too large for now (Too much of sk-[key] at once); trying half of it" in caplog.text


def test_a_queue_that_is_full_ends_the_run(server: BatchServer, engine: Open) -> None:
    server.status = lambda batch: "failed"
    server.error = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached."}

    with pytest.raises(
        EngineUnreachable, match=r"takes no more batches for now \(Enqueued token limit reached\); run "
    ):
        ask(engine(), range(6))


def test_a_batch_that_failed_for_good_says_why(server: BatchServer, tmp_path: Path, capsys: Any) -> None:
    server.status = lambda batch: "failed"
    server.error = {"code": "model_not_found", "message": "The model tiny takes no batches."}

    code, said = fails(capsys, *arguments(server, tmp_path / "run", "batch"))
    assert (code, said) == (1, f"sprout: {server.url}: refuses batch batch_0: The model tiny takes no batches")


@pytest.mark.parametrize("path", ["/files", "/batches"])
def test_a_server_without_batches_is_told_from_others(server: BatchServer, engine: Open, path: str) -> None:
    server.refuses = {(method, path): Answer(404, "Not Found") for method in ("GET", "POST")}

    with pytest.raises(SproutError, match=rf"has no batch API at /v1{path} \(Not Found\); use --engine server"):
        ask(engine(), range(6))


def test_what_an_expired_batch_left_is_asked_again(server: BatchServer, engine: Open) -> None:
    states = iter(["expired", "completed"])
    server.status = lambda batch: next(states)

    assert len(ask(engine(), range(9))) == 9
    assert [len(server.lines(batch)) for batch in server.batches] == [8, 4]


def test_after_a_batch_was_cancelled_what_it_answered_is_not_asked_again(server: BatchServer, tmp_path: Path) -> None:
    states = iter(["completed", "cancelled"])
    server.status = lambda batch: next(states, "completed")
    words = arguments(server, tmp_path / "run", "batch")
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 4

    main(words)
    left = server.lines(server.batches[1])[len(server.lines(server.batches[1])) // 2 :]
    again = {prompt for prompt, number in in_batches(server).items() if number > 1}
    again |= {*alone(server)} & {*in_batches(server)}
    assert again == {prompt_of(line["body"]) for line in left}


def test_a_run_that_is_stopped_finds_its_batch_again(server: BatchServer, tmp_path: Path) -> None:
    words = [*arguments(server, tmp_path / "run", "batch"), "--set", "instructions.num_tasks=40"]
    command = [sys.executable, "-m", "pipeline", *words]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    for number in range(4):  # each run is stopped while the batch after the next is on its way
        server.seconds = 60
        stopped = subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while len(server.batches) <= number and stopped.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        stopped.send_signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
        stopped.wait()
        server.batches[-1]["due"] = 0.0
    server.seconds = 0.1
    main(words)

    assert len(server.batches) > 4
    assert max(in_batches(server).values()) == 1


def test_answers_that_the_server_no_longer_keeps_are_asked_again(server: BatchServer, engine: Open) -> None:
    ask(engine(), range(9))
    server.files = {id: content for id, content in server.files.items() if id == server.batches[0]["input_file_id"]}
    assert len(ask(engine(), range(9))) == 9
    assert len(server.batches) == 2


def test_a_server_that_takes_no_metadata_gets_none(
    server: BatchServer, engine: Open, caplog: pytest.LogCaptureFixture
) -> None:
    server.takes_metadata = False
    assert len(ask(engine(), range(9))) == 9
    assert "takes no metadata with a batch (Unknown parameter: metadata), so a run that is stopped" in caplog.text


def test_a_batch_whose_making_was_not_answered_is_not_made_twice(server: BatchServer, engine: Open) -> None:
    ask(engine(), range(9))
    create = server.create

    def unheard(asked: dict[str, Any]) -> dict[str, Any]:
        server.create = create  # type: ignore[method-assign]
        create(asked)
        return {"cut": "off"}

    server.create = unheard  # type: ignore[method-assign]
    assert len(ask(engine(), range(20, 29))) == 9
    assert len(server.batches) == 2


def test_a_server_that_fails_for_a_while_is_asked_again(
    server: BatchServer, engine: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for method, path in (("GET", "/batches/batch_0"), ("POST", "/files")):
        server.refuses[(method, path)] = Answer(503, "busy")
    with closing(engine().generate(iter(requests(range(9))))) as completions:
        next(completions)
        for method, path in (("POST", "/files"), ("GET", "/batches/batch_0")):
            while server.seen.count((method, path)) < 3:
                time.sleep(0.01)
            del server.refuses[(method, path)]
        assert len(list(completions)) == 8
    assert "batch batch_0 with 8 requests is on its way" in caplog.text


def test_a_server_that_is_gone_ends_the_run_when_patience_is_over(server: BatchServer, engine: Open) -> None:
    server.refuses[("GET", "/batches/batch_0")] = Answer(502, "no upstream")
    with pytest.raises(EngineUnreachable, match=r"cannot look at batch batch_0 for 0.2 s \(no upstream\); check the "):
        ask(engine(patience=0.2), range(9))


def test_batches_go_to_one_server(tmp_path: Path, capsys: Any) -> None:
    words = ["run", "--engine", "batch", "--model", "tiny", "--out", str(tmp_path), "--set", "engine.url=['a', 'b']"]
    code, said = fails(capsys, *words)
    assert code != 0
    assert "url" in said
