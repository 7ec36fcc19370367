"""What else a wire reads, as tables: urls, dates, metrics, broken connections."""

import errno
import socket
import ssl
import time
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from pipeline.engines.server.address import Address
from pipeline.engines.server.sender import broken
from pipeline.engines.server.waiting import retry_after
from pipeline.engines.server.wire import queue


@pytest.mark.parametrize(
    ("url", "chat", "beside", "header"),
    [
        ("http://h:8000/v1", "http://h:8000/v1/chat/completions", "http://h:8000/metrics", ""),
        ("http://h/v1/", "http://h/v1/chat/completions", "http://h/metrics", ""),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions", "http://h/metrics", ""),
        ("https://r.openai.azure.com/openai/v1", "https://r.openai.azure.com/openai/v1/chat/completions",
         "https://r.openai.azure.com/openai/metrics", ""),
        ("https://r.azure.com/openai/deployments/d?api-version=2024-06-01",
         "https://r.azure.com/openai/deployments/d/chat/completions?api-version=2024-06-01",
         "https://r.azure.com/openai/deployments/d/metrics?api-version=2024-06-01", "api-key"),
        ("https://r.azure.com/openai/deployments/d/chat/completions?api-version=2024-06-01&x=%20y",
         "https://r.azure.com/openai/deployments/d/chat/completions?api-version=2024-06-01&x=%20y",
         "https://r.azure.com/openai/deployments/d/metrics?api-version=2024-06-01&x=%20y", "api-key"),
    ],
)  # fmt: skip
def test_paths_lie_where_the_url_says_and_keep_its_query(url: str, chat: str, beside: str, header: str) -> None:
    address = Address(url)
    assert (address.at("/chat/completions"), address.beside("/metrics")) == (chat, beside)
    assert address.key_header == header


def refused(cause: OSError) -> aiohttp.ClientConnectorError:
    key: Any = SimpleNamespace(host="h", port=9, ssl=True, is_ssl=True)
    return aiohttp.ClientConnectorError(key, cause)


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
    assert retry_after({"retry-after-ms": "1500", "retry-after": "2"}) == 1.5


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
