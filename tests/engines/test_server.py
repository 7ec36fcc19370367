"""The server engine against a small server of our own."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline.engines import Completion, Request, Sampling
from pipeline.engines.server import Server
from pipeline.errors import EngineUnreachable, SproutError
from tests.engines.stand_in import Answer, Plan, StandIn

NO_TEMPLATE = (
    "As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template if the "
    "tokenizer does not define one."
)


@pytest.fixture
def serve() -> Iterator[Callable[..., StandIn]]:
    running: list[StandIn] = []

    def start(plan: Plan = lambda tried, body: Answer(), port: int = 0) -> StandIn:
        running.append(StandIn(plan, port))
        return running[-1]

    yield start
    for stand_in in running:
        stand_in.shutdown()
        stand_in.server_close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Server]]:
    open_ones: list[Server] = []

    def make(url: str, **settings: Any) -> Server:
        all_settings: dict[str, Any] = {"model": "tiny", "url": url, "chat": False} | settings
        open_ones.append(Server(**all_settings))
        return open_ones[-1]

    yield make
    for server in open_ones:
        server.close()


def requests(count: int) -> list[Request]:
    return [Request(id=f"r{number}", prompt=f"p{number}", sampling=Sampling(seed=number)) for number in range(count)]


def echoes(count: int) -> list[Completion]:
    return [
        Completion(id=f"r{number}", text=f"echo p{number}", prompt_tokens=3, completion_tokens=2)
        for number in range(count)
    ]


Serve = Callable[..., StandIn]
Connect = Callable[..., Server]


def test_failures_that_pass_leave_the_same_completions_in_the_same_order(serve: Serve, connect: Connect) -> None:
    def plan(tried: int, body: dict[str, Any]) -> Answer:
        trouble = [Answer(500), Answer(429, headers={"Retry-After": "0.1"}), Answer(0), Answer(503), Answer(408)]
        number = int(body["prompt"][1:])
        return Answer(seconds=0.01 * (number % 3)) if tried else trouble[number % 5]

    assert list(connect(serve(plan).url).generate(requests(25))) == echoes(25)


def test_the_wait_the_server_asks_for_is_kept(serve: Serve, connect: Connect) -> None:
    stand_in = serve(lambda tried, body: Answer() if tried else Answer(429, headers={"Retry-After": "1.5"}))
    assert list(connect(stand_in.url).generate(requests(1))) == echoes(1)
    first, second = (when for when, *_ in stand_in.calls)
    assert second - first >= 1.5


def test_a_timeout_is_tried_again(serve: Serve, connect: Connect) -> None:
    stand_in = serve(lambda tried, body: Answer(seconds=0 if tried else 1))
    assert list(connect(stand_in.url, timeout=0.3).generate(requests(2))) == echoes(2)


@pytest.mark.parametrize("window", [1, 4])
def test_no_more_than_a_window_is_in_flight(serve: Serve, connect: Connect, window: int) -> None:
    stand_in = serve(lambda tried, body: Answer(seconds=0.02))
    assert list(connect(stand_in.url, window=window).generate(requests(20))) == echoes(20)
    assert stand_in.most_at_once == window


def test_a_straggler_does_not_stall_the_others(serve: Serve, connect: Connect) -> None:
    stand_in = serve(lambda tried, body: Answer(seconds=1 if body["prompt"] == "p0" else 0.01))
    completions = connect(stand_in.url, window=4).generate(requests(16))
    assert next(completions) == echoes(1)[0]
    assert len(stand_in.calls) == 16


def test_a_request_the_server_refuses_is_an_error_that_stops_no_other(serve: Serve, connect: Connect) -> None:
    stand_in = serve(lambda tried, body: Answer(400, "too odd") if body["prompt"] == "p1" else Answer())
    expected = echoes(3)
    expected[1] = Completion(id="r1", text="too odd", finish_reason="error")
    assert list(connect(stand_in.url).generate(requests(3))) == expected
    assert stand_in.tries["p1"] == 1


def test_more_tokens_than_fit_are_asked_for_again_without_a_number(serve: Serve, connect: Connect) -> None:
    refusal = "max_tokens=1024 cannot be greater than max_model_len=256. Please request fewer output tokens."
    stand_in = serve(lambda tried, body: Answer(400, refusal) if body["max_tokens"] else Answer())
    assert list(connect(stand_in.url).generate(requests(1))) == echoes(1)


def test_a_request_that_only_fails_becomes_an_error_when_others_succeed(serve: Serve, connect: Connect) -> None:
    def plan(tried: int, body: dict[str, Any]) -> Answer:
        return Answer(500, "a bug") if body["prompt"] == "p1" else Answer(seconds=0.3)

    completions = list(connect(serve(plan).url, window=2, patience=1).generate(requests(5)))
    assert completions[1] == Completion(id="r1", text="a bug", finish_reason="error")
    assert [*completions[:1], *completions[2:]] == [*echoes(5)[:1], *echoes(5)[2:]]


@pytest.mark.parametrize("reason", ["abort", "content_filter"])
def test_a_text_the_server_ended_early_is_not_taken_for_whole(serve: Serve, connect: Connect, reason: str) -> None:
    stand_in = serve(lambda tried, body: Answer(finish_reason=reason))
    (completion,) = connect(stand_in.url).generate(requests(1))
    assert (completion.finish_reason, completion.text) == ("error", f"the server ended it early: {reason}")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_ends_it_at_once(serve: Serve, connect: Connect, status: int) -> None:
    stand_in = serve(lambda tried, body: Answer(status))
    with pytest.raises(SproutError, match=rf"{stand_in.url}: refuses the API key for tiny \({status}\)"):
        list(connect(stand_in.url).generate(requests(5)))


def test_an_unknown_model_ends_it_at_once_and_the_known_ones_are_named(serve: Serve, connect: Connect) -> None:
    stand_in = serve(lambda tried, body: Answer(404))
    with pytest.raises(SproutError, match="does not serve large at /v1/completions; it serves tiny"):
        list(connect(stand_in.url, model="large").generate(requests(5)))


def test_a_url_that_leads_elsewhere_is_told(serve: Serve, connect: Connect) -> None:
    with pytest.raises(SproutError, match="localhost:8000/v1: is no url of a server"):
        connect("localhost:8000/v1")
    stand_in = serve(lambda tried, body: Answer(body={"hello": "world"}))
    with pytest.raises(SproutError, match="answers, but not as an OpenAI server does"):
        list(connect(stand_in.url).generate(requests(2)))


def test_a_server_that_is_not_there_is_waited_for(serve: Serve, connect: Connect) -> None:
    port = free_port()
    timer = threading.Timer(1.0, lambda: serve(port=port))
    timer.start()
    assert list(connect(f"http://127.0.0.1:{port}/v1").generate(requests(3))) == echoes(3)


def test_a_server_that_stays_away_ends_it_when_patience_is_over(connect: Connect) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    start = time.monotonic()
    with pytest.raises(EngineUnreachable, match=rf"{url}: no answer for 1 s \(Connection error"):
        list(connect(url, patience=1).generate(requests(5)))
    assert time.monotonic() - start < 5


def test_an_iterator_that_is_closed_drops_what_is_in_flight(serve: Serve, connect: Connect) -> None:
    slow = {f"p{number}" for number in range(1, 8)}
    stand_in = serve(lambda tried, body: Answer(seconds=30 if body["prompt"] in slow else 0))
    server = connect(stand_in.url, window=4)
    completions = server.generate(requests(8))
    assert next(completions) == echoes(1)[0]
    completions.close()  # type: ignore[attr-defined]
    slow.clear()
    start = time.monotonic()
    assert list(server.generate(requests(8))) == echoes(8)
    assert time.monotonic() - start < 20


def test_sampling_and_prompt_go_over_the_wire_as_they_are(serve: Serve, connect: Connect) -> None:
    stand_in = serve()
    sampling = Sampling(temperature=0.5, top_p=0.9, presence_penalty=1.5, max_tokens=7, stop=("\n", "###"), seed=11)
    messages = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "p1"})
    server = connect(stand_in.url)
    both = [
        Request(id="r0", prompt="p0", sampling=sampling),
        Request(id="r1", prompt=messages, sampling=Sampling(temperature=0)),
    ]
    assert list(server.generate(both)) == echoes(2)
    (text, plain), (chat, put) = sorted((path, body) for _, path, body, _ in stand_in.calls)[::-1]
    assert (text, chat) == ("/v1/completions", "/v1/chat/completions")
    assert plain == sampling.model_dump() | {"model": "tiny", "prompt": "p0", "stop": ["\n", "###"]}
    assert put["messages"] == list(messages)
    assert "seed" not in put
    assert "stop" not in put


@pytest.mark.parametrize(
    ("answer", "chat"),
    [(Answer(), True), (Answer(400, NO_TEMPLATE), False)],
    ids=["a model with a template", "a model without"],
)
def test_chat_is_found_out_by_asking(serve: Serve, connect: Connect, answer: Answer, chat: bool) -> None:
    stand_in = serve(lambda tried, body: answer)
    server = connect(stand_in.url, chat=None)
    assert stand_in.calls == []
    assert server.chat is chat
    assert server.chat is chat
    assert len(stand_in.calls) == 1


def test_chat_that_cannot_be_found_out_must_be_told(serve: Serve, connect: Connect) -> None:
    stand_in = serve(lambda tried, body: Answer(400, "bad weather"))
    with pytest.raises(SproutError, match=r"cannot tell whether tiny is a chat model \(bad weather\)"):
        _ = connect(stand_in.url, chat=None).chat


def test_a_model_that_is_a_folder_here_is_looked_at_instead(connect: Connect, chat_model: str, base_model: str) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    assert connect(url, model=chat_model, chat=None).chat is True
    assert connect(url, model=base_model, chat=None).chat is False


def test_messages_for_a_model_without_a_template_end_it_at_once(serve: Serve, connect: Connect) -> None:
    stand_in = serve(lambda tried, body: Answer(400, NO_TEMPLATE))
    messages = Request(id="r0", prompt=({"role": "user", "content": "p0"},), sampling=Sampling())
    with pytest.raises(SproutError, match="tiny has no chat template there"):
        list(connect(stand_in.url, chat=True).generate([messages]))


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ({}, "Bearer none"),
        ({"OPENAI_API_KEY": "a"}, "Bearer a"),
        ({"OPENAI_API_KEY": "a", "SPROUT_API_KEY": "b"}, "Bearer b"),
    ],
)
def test_the_key_comes_from_the_environment(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], key: str
) -> None:
    for name in ("OPENAI_API_KEY", "SPROUT_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stand_in = serve()
    list(connect(stand_in.url).generate(requests(1)))
    assert stand_in.calls[0][3] == key


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
