"""The server engine against a small server of our own."""

import gc
import os
import socket
import threading
import time
from typing import Any

import pytest

from pipeline.engines.base import Completion, Request, Sampling
from pipeline.engines.server import Server
from pipeline.errors import EngineUnreachable, SproutError
from tests.engines.conftest import Connect, Serve
from tests.engines.stand_in import Answer

NO_TEMPLATE = (
    "As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template if the "
    "tokenizer does not define one."
)


def requests(count: int) -> list[Request]:
    return [Request(id=f"r{number}", prompt=f"p{number}", sampling=Sampling(seed=number)) for number in range(count)]


def echoes(count: int) -> list[Completion]:
    return [
        Completion(id=f"r{number}", text=f"echo p{number}", prompt_tokens=3, completion_tokens=2)
        for number in range(count)
    ]


def test_failures_that_pass_leave_the_same_completions_in_the_same_order(serve: Serve, connect: Connect) -> None:
    def plan(tried: int, body: dict[str, Any]) -> Answer:
        trouble = [Answer(500), Answer(429, headers={"Retry-After": "0.1"}), Answer(0), Answer(503), Answer(408)]
        trouble += [Answer(body={"hello": "world"}), Answer(body=b"<html>"), Answer(cut_at=0.5), Answer(drop_at=0.5)]
        number = int(body["prompt"][1:])
        return Answer(seconds=0.01 * (number % 3)) if tried else trouble[number % len(trouble)]

    assert list(connect(serve(plan).url).generate(requests(25))) == echoes(25)


def test_the_wait_the_server_asks_for_is_kept(serve: Serve, connect: Connect) -> None:
    stand_in = serve(lambda tried, body: Answer() if tried else Answer(429, headers={"Retry-After": "0.6"}))
    assert list(connect(stand_in.url).generate(requests(1))) == echoes(1)
    first, second = (when for when, *_ in stand_in.calls)
    assert second - first >= 0.6


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


@pytest.mark.parametrize("chat", [False, True])
def test_more_tokens_than_fit_are_asked_for_again_with_as_many_as_do(
    serve: Serve, connect: Connect, chat: bool
) -> None:
    refusal = "max_tokens=1024 cannot be greater than max_model_len=256. Please request fewer output tokens."
    stand_in = serve(lambda tried, body: Answer() if body["max_tokens"] == 256 else Answer(400, refusal))
    (request,) = requests(1)
    put = request.model_copy(update={"prompt": ({"role": "user", "content": "p0"},) if chat else "p0"})
    assert list(connect(stand_in.url).generate([put])) == echoes(1)
    assert len(stand_in.calls) == 2


def test_a_prompt_that_is_too_long_is_asked_once(serve: Serve, connect: Connect) -> None:
    refusal = (
        "This model's maximum context length is 256 tokens. However, your prompt contains at least 257 input tokens, "
        "which exceeds this limit even without any output tokens. Please reduce the length of the input prompt. "
        "(parameter=input_tokens, value=257)"
    )
    stand_in = serve(lambda tried, body: Answer(400, refusal))
    (completion,) = connect(stand_in.url).generate(requests(1))
    assert completion == Completion(id="r0", text=refusal, finish_reason="error")
    assert len(stand_in.calls) == 1


@pytest.mark.parametrize("reason", ["abort", "error"])
def test_a_text_the_server_broke_off_is_asked_for_again(serve: Serve, connect: Connect, reason: str) -> None:
    stand_in = serve(lambda tried, body: Answer(finish_reason="stop" if tried else reason))
    assert list(connect(stand_in.url).generate(requests(1))) == echoes(1)


@pytest.mark.parametrize(("status", "what"), [(401, "the API key for"), (403, "access to")])
def test_a_refused_key_ends_it_at_once(serve: Serve, connect: Connect, status: int, what: str) -> None:
    stand_in = serve(lambda tried, body: Answer(status))
    with pytest.raises(
        SproutError, match=rf"{stand_in.url}: refuses {what} tiny \({status}\): sorry; .*SPROUT_API_KEY"
    ):
        list(connect(stand_in.url).generate(requests(5)))


def test_an_unknown_model_ends_it_at_once_and_the_known_ones_are_named(serve: Serve, connect: Connect) -> None:
    stand_in = serve(lambda tried, body: Answer(404))
    with pytest.raises(SproutError, match="does not serve large at /v1/completions; it serves tiny"):
        list(connect(stand_in.url, model="large").generate(requests(5)))


def test_a_url_that_leads_elsewhere_is_told(serve: Serve, connect: Connect) -> None:
    with pytest.raises(SproutError, match="localhost:8000/v1: is not the url of a server"):
        connect("localhost:8000/v1")
    with pytest.raises(SproutError, match="the url of host holds a user, a password") as caught:
        connect("https://me:secret@host/v1")
    assert "secret" not in str(caught.value)
    with pytest.raises(SproutError, match="window 0: from 1 to 1000 requests can be in flight"):
        connect("http://host/v1", window=0)
    with pytest.raises(SproutError, match="pause 0: some time must pass"):
        connect("http://host/v1", pause=0)


@pytest.mark.parametrize("body", [b"<html>Welcome</html>", {"hello": "world"}, [1], {"choices": [{}]}])
def test_a_url_that_never_answers_as_it_should_is_told(serve: Serve, connect: Connect, body: Any) -> None:
    stand_in = serve(lambda tried, _: Answer(body=body))
    with pytest.raises(SproutError, match=r"answers, but not as an OpenAI server does: .*; is the url right?"):
        list(connect(stand_in.url, pause=0.01).generate(requests(2)))
    assert max(stand_in.tries.values()) == 6


@pytest.mark.parametrize("answer", [Answer(404), Answer(401), Answer(body={"hello": "world"})])
def test_what_would_end_it_at_once_is_waited_out_once_there_were_answers(
    serve: Serve, connect: Connect, answer: Answer
) -> None:
    stand_in = serve(lambda tried, body: answer if body["prompt"] == "p1" and tried < 5 else Answer())
    assert list(connect(stand_in.url, window=1, pause=0.01).generate(requests(3))) == echoes(3)


def test_a_server_that_is_not_there_is_waited_for(serve: Serve, connect: Connect) -> None:
    port = free_port()
    timer = threading.Timer(0.4, lambda: serve(port=port))
    timer.start()
    assert list(connect(f"http://127.0.0.1:{port}/v1").generate(requests(3))) == echoes(3)


def test_a_server_that_stays_away_ends_it_when_patience_is_over(connect: Connect) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    start = time.monotonic()
    with pytest.raises(EngineUnreachable, match=rf"{url}: no completion for 1 s \(cannot connect: Connection refused"):
        list(connect(url, patience=1).generate(requests(5)))
    assert time.monotonic() - start < 15


def test_the_end_of_a_run_is_not_held_up_by_a_request_that_takes_long(serve: Serve, connect: Connect) -> None:
    stand_in = serve(lambda tried, body: Answer(401) if body["prompt"] == "p1" else Answer(seconds=20))
    start = time.monotonic()
    with pytest.raises(SproutError, match="refuses the API key"):
        list(connect(stand_in.url).generate(requests(2)))
    assert time.monotonic() - start < 15


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


def test_a_prompt_that_no_wire_carries_is_an_error_that_stops_no_other(serve: Serve, connect: Connect) -> None:
    made = requests(2)
    made[0] = made[0].model_copy(update={"prompt": "half a pair: \ud83d"})
    completions = list(connect(serve().url).generate(made))
    assert (completions[0].finish_reason, completions[1]) == ("error", echoes(2)[1])


def test_sampling_and_prompt_go_over_the_wire_as_they_are(serve: Serve, connect: Connect) -> None:
    stand_in = serve()
    sampling = Sampling(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        presence_penalty=1.5,
        max_tokens=7,
        min_tokens=2,
        stop=("\n", "###"),
        seed=11,
    )
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
    stand_in = serve(lambda tried, body: Answer(400, "bad weather" if "messages" in body else "bad light"))
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


def test_an_engine_that_nobody_closes_leaves_nothing_behind(serve: Serve, recwarn: pytest.WarningsRecorder) -> None:
    engine = Server("tiny", serve().url, chat=False)
    assert list(engine.generate(requests(3))) == echoes(3)
    connection = engine._connect()
    del engine
    gc.collect()
    assert not connection.thread.is_alive()
    assert connection.loop.is_closed()
    assert not list(recwarn)


def test_an_engine_may_be_dropped_in_its_own_thread(serve: Serve) -> None:
    engine = Server("tiny", serve().url, chat=False)
    assert list(engine.generate(requests(3))) == echoes(3)
    connection = engine._connect()
    held = [engine]
    del engine
    connection.loop.call_soon_threadsafe(held.clear)
    connection.thread.join(10)
    assert connection.loop.is_closed()


def test_a_process_that_forks_ends_as_any_other(serve: Serve, connect: Connect) -> None:
    engine = connect(serve().url)
    assert list(engine.generate(requests(3))) == echoes(3)
    if not (child := os.fork()):
        try:
            engine.close()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("url", ["http://a..b/v1", f"http://{'a' * 64}/v1"])
def test_a_host_that_can_be_none_is_a_server_that_is_gone(connect: Connect, url: str) -> None:
    with pytest.raises(EngineUnreachable, match=r"no completion for \d+ s"):
        list(connect(url, patience=0.1).generate(requests(1)))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
