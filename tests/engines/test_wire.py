"""What answers of servers come to, as tables: shapes, refusals, dates, metrics."""

import errno
import json
import socket
import ssl
import time
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from pipeline.engines.base import Request, Sampling
from pipeline.engines.server.wire import NOT_OPENAI, Trouble, broken, fewer_tokens, queue, read, retry_after, said


def refused(cause: OSError) -> aiohttp.ClientConnectorError:
    key: Any = SimpleNamespace(host="h", port=9, ssl=True, is_ssl=True)
    return aiohttp.ClientConnectorError(key, cause)


PLAIN = Request(id="r", prompt="p", sampling=Sampling(max_tokens=1000))
CHAT = Request(id="r", prompt=({"role": "user", "content": "p"},), sampling=Sampling(max_tokens=1000))
VLLM_TOO_MANY = "max_tokens=1000 cannot be greater than max_model_len=256. Please request fewer output tokens. (parameter=max_tokens, value=1000)"
VLLM_TOO_LONG = "This model's maximum context length is 256 tokens. However, your prompt contains at least 257 input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input prompt. (parameter=input_tokens, value=257)"
VLLM_TOO_LONG_TEXT = "This model's maximum context length is 256 tokens. However, your prompt contains 9000 characters (more than 4096 characters, which is the upper bound for 256 input tokens). Please reduce the length of the input prompt."
VLLM_0_11 = "'max_tokens' or 'max_completion_tokens' is too large: 1000. This model's maximum context length is 256 tokens and your request has 240 input tokens (1000 > 256 - 240)."
VLLM_0_9 = "This model's maximum context length is 256 tokens. However, you requested 1240 tokens (240 in the messages, 1000 in the completion). Please reduce the length of the messages or completion."
OPENAI = "This model's maximum context length is 4097 tokens, however you requested 5000 tokens (4000 in your prompt; 1000 for the completion). Please reduce your prompt; or completion length."
SGLANG = "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of 5000 tokens: 4000 tokens from the input messages and 1000 tokens for the completion."
OTHER = "max_tokens is too large for me"


@pytest.mark.parametrize(
    ("message", "plain", "chat"),
    [
        (VLLM_TOO_MANY, 256, 256),
        (VLLM_TOO_LONG, 0, 0),
        (VLLM_TOO_LONG_TEXT, 0, 0),
        (VLLM_0_11, 16, 16),
        (VLLM_0_9, 16, 16),
        (OPENAI, 97, 97),
        (SGLANG, 96, 96),
        (OTHER, 0, None),
        ("temperature must be non-negative", 0, 0),
    ],
)
def test_a_refusal_says_how_many_tokens_to_ask_for(message: str, plain: int | None, chat: int | None) -> None:
    assert (fewer_tokens(message, PLAIN), fewer_tokens(message, CHAT)) == (plain, chat)


def text(**choice: Any) -> bytes:
    return body({"text": "a", "finish_reason": "stop"} | choice)


def message(**parts: Any) -> bytes:
    return body({"message": {"role": "assistant"} | parts, "finish_reason": "stop"})


def body(choice: dict[str, Any]) -> bytes:
    return json.dumps({"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}).encode()


@pytest.mark.parametrize(
    ("request_", "content", "expected"),
    [
        (PLAIN, text(), ("a", "stop")),
        (PLAIN, text(text=""), ("", "stop")),
        (PLAIN, text(finish_reason="length"), ("a", "length")),
        (PLAIN, text(finish_reason="eos_token"), ("a", "stop")),
        (PLAIN, text(finish_reason="content_filter"), ("the server ended it early: content_filter", "error")),
        (CHAT, message(content="a"), ("a", "stop")),
        (CHAT, message(content=None), ("", "stop")),
    ],
)
def test_an_answer_comes_to_a_completion(request_: Request, content: bytes, expected: tuple[str, str]) -> None:
    completion = read(content, request_)
    assert (completion.text, completion.finish_reason) == expected
    assert expected[1] == "error" or (completion.prompt_tokens, completion.completion_tokens) == (3, 2)


def test_token_counts_may_be_missing() -> None:
    assert read(b'{"choices": [{"text": "a", "finish_reason": "stop"}], "usage": null}', PLAIN).text == "a"


@pytest.mark.parametrize(
    ("request_", "content"),
    [
        *((PLAIN, text()[:length]) for length in range(len(text()))),
        (PLAIN, text(finish_reason=None)),
        (PLAIN, text(text=None)),
        (PLAIN, text(text=["a"])),
        (PLAIN, message(content="a")),
        (CHAT, text()),
        (CHAT, message()),
        (CHAT, message(content=[{"type": "text"}])),
        (PLAIN, b'{"choices": []}'),
        (PLAIN, b'{"choices": {"text": "a"}}'),
        (PLAIN, b'{"choices": [{"text": "a", "finish_reason": "stop"}], "usage": [1]}'),
        (PLAIN, b'{"choices": [{"text": "a", "finish_reason": "stop"}], "usage": {"prompt_tokens": "many"}}'),
        (PLAIN, b'{"object": "error", "message": "no"}'),
        (PLAIN, b"null"),
        (PLAIN, b'"text"'),
        (PLAIN, b"<html></html>"),
        (PLAIN, b'{"choices": [{"text": "\xff", "finish_reason": "stop"}]}'),
    ],
)
def test_a_body_that_is_cut_or_of_another_shape_is_no_completion(request_: Request, content: bytes) -> None:
    with pytest.raises(NOT_OPENAI):
        read(content, request_)


def test_a_text_that_was_broken_off_is_no_completion() -> None:
    with pytest.raises(Trouble, match="the server ended it early: abort"):
        read(text(finish_reason="abort"), PLAIN)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("0.5", 0.5),
        (" 3 ", 3),
        ("0", 0),
        ("", 0),
        ("-5", 0),
        ("inf", 0),
        ("Fri, 31 Dec 99999999999 23:59:59 GMT", 0),
        ("nan", 0),
        ("soon", 0),
        ("Wed, 99 Foo 2020 07:28:00 GMT", 0),
    ],
)
def test_the_wait_a_server_asks_for_is_found(value: str, seconds: float) -> None:
    assert retry_after({"retry-after": value}) == seconds


def test_it_may_be_a_date_by_the_clock_of_the_server() -> None:
    assert 90 < retry_after({"retry-after": formatdate(time.time() + 100, usegmt=True)}) <= 100
    assert retry_after({"retry-after": formatdate(time.time() - 100, usegmt=True)}) == 0
    assert retry_after({"retry-after": formatdate(1030, usegmt=True), "date": formatdate(1000, usegmt=True)}) == 30
    assert retry_after({}) == 0


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error": {"message": "too odd", "code": 400}}', "too odd"),
        (b'{"error": "too odd"}', "too odd"),
        (b'{"error": null, "message": "too odd"}', "too odd"),
        (b'{"message": "too odd", "code": 400}', "too odd"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"message": {"text": "odd"}}', "{'text': 'odd'}"),
        (b'{"code": 1}', "{'code': 1}"),
        (b"<html>\xff", "<html>\ufffd"),
        (b"[1]", "[1]"),
        (b"", "status 500"),
        (b"null", "status 500"),
        (b"[" * 100_000, "status 500"),
    ],
)
def test_what_an_error_says_is_found_in_any_shape(body: bytes, expected: str) -> None:
    assert said(body, 500) == expected


METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="tiny"} 8.0
vllm:num_requests_running{engine="1",model_name="tiny"} 4.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="tiny"} 3.0
vllm:num_requests_waiting{engine="1",model_name="tiny"} 0.0
# TYPE vllm:num_requests_waiting_by_reason gauge
vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="capacity"} 3.0
"""


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (METRICS, (12, 3)),
        ("vllm:num_requests_running 1e+03\nvllm:num_requests_waiting 0\n", (1000, 0)),
        ("vllm:num_requests_running 1\n", None),
        ("vllm:num_requests_running many\nvllm:num_requests_waiting 0\n", None),
        ("process_open_fds 12\n", None),
        ("", None),
    ],
)
def test_the_queue_of_vllm_is_read_from_its_metrics(metrics: str, expected: tuple[float, float] | None) -> None:
    assert queue(metrics) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused(OSError(errno.ECONNREFUSED, "Connect call failed ('::1', 9)")), "cannot connect: Connection refused"),
        (
            refused(socket.gaierror(8, "nodename nor servname provided")),
            "cannot connect: nodename nor servname provided",
        ),
        (refused(ssl.SSLError(1, "certificate verify failed")), "cannot connect: certificate verify failed"),
        (refused(OSError("Multiple exceptions")), "cannot connect: Multiple exceptions"),
        (refused(OSError()), "cannot connect: OSError"),
        (aiohttp.ServerDisconnectedError(), "Server disconnected"),
        (aiohttp.ServerDisconnectedError(b"half of a header"), "the connection broke"),
        (
            aiohttp.InvalidURL("http://user:password@proxy:0"),
            "the address, or that of a proxy or a redirection, is none",
        ),
        (aiohttp.ClientPayloadError("Response payload is not completed"), "Response payload is not completed"),
        (ConnectionResetError(), "the connection broke"),
    ],
)
def test_what_breaks_a_connection_is_said_without_an_address(error: Exception, expected: str) -> None:
    assert broken(error) == expected
