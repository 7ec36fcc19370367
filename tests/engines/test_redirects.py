"""Servers that lead elsewhere, that nobody can trust, or whose answers are in another encoding."""

import json
import socketserver
import ssl
import threading
from typing import Any

import pytest

from pipeline.engines.server.sender import is_untrusted, keeps_key
from pipeline.errors import SproutError
from tests.engines import stand_in
from tests.engines.conftest import Connect, Serve
from tests.engines.stand_in import Answer, StandIn, completion
from tests.engines.test_server import echoes, requests
from tests.engines.test_wire import refused


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_server_that_has_moved_is_told_at_once_with_the_url_to_give(
    serve: Serve, connect: Connect, status: int
) -> None:
    place = {"Location": "https://elsewhere.invalid/api/v1/completions?key=secret"}
    stand_in = serve(lambda tried, body: Answer(status, headers=place))
    with pytest.raises(SproutError, match=rf"/v1: has moved to https://elsewhere.invalid/api/v1; .* \(answer {status}"):
        list(connect(stand_in.url).generate(requests(1)))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            Answer(302, headers={"Location": "/login"}),
            r"leads to http://127.0.0.1:\d+/login, which may be a page to log",
        ),
        (Answer(302, body={"message": "gone for lunch"}), r"gone for lunch \(answer 302\)"),
    ],
)
def test_a_server_that_leads_to_no_completion_is_told_at_once(
    serve: Serve, connect: Connect, answer: Answer, words: str
) -> None:
    with pytest.raises(SproutError, match=words):
        list(connect(serve(lambda tried, body: answer).url).generate(requests(1)))


@pytest.mark.parametrize("status", [307, 308])
def test_a_server_that_leads_requests_on_is_followed(serve: Serve, connect: Connect, status: int) -> None:
    other = serve()
    first = serve(lambda tried, body: Answer(status, headers={"Location": f"{other.url}/completions"}))
    assert list(connect(first.url).generate(requests(2))) == echoes(2)


def test_an_answer_that_will_be_elsewhere_is_fetched_there(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modal answers so what takes more than 150 s."""
    monkeypatch.setattr(stand_in, "MODELS", completion({"prompt": ""}, "echo p0", "stop"))  # what GET brings
    server = serve(lambda tried, body: Answer(303, headers={"Location": "/v1/completions?call=1"}))
    assert list(connect(server.url).generate(requests(1))) == echoes(1)
    assert len(server.calls) == 1


def test_a_key_in_a_header_of_its_own_does_not_follow_to_another_server(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPROUT_API_KEY", "secret")
    heard: list[dict[str, str]] = []

    class Other(StandIn):
        def answer(self, tried: int, body: dict[str, Any], path: str, headers: dict[str, str]) -> Answer:
            heard.append(headers)
            return Answer()

    with Other(lambda tried, body: Answer()) as other:
        first = serve(lambda tried, body: Answer(307, headers={"Location": f"{other.url}/completions"}))
        list(connect(f"{first.url}?api-version=1").generate(requests(1)))
    assert heard
    assert "secret" not in json.dumps(heard)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://a:1/w", True),
        ("https://a/v", True),
        ("http://a:2/v", False),
        ("http://b:1/v", False),
        ("ftp://a:1/v", False),
    ],
)
def test_the_key_goes_to_the_same_server_or_to_the_same_host_by_https(url: str, kept: bool) -> None:
    assert keeps_key("http://a:1/v", url) is kept
    assert not keeps_key("https://a/v", "http://a/v")


def test_a_certificate_that_is_not_trusted_never_will_be() -> None:
    assert is_untrusted(refused(ssl.SSLCertVerificationError(1, "certificate verify failed")))
    assert not is_untrusted(refused(ssl.SSLError(1, "record layer failure")))
    assert not is_untrusted(ConnectionResetError())


@pytest.mark.parametrize(("declared", "encoding"), [("iso-8859-1", "latin-1"), ("gbk", "gbk"), ("latin1", "utf-8"),
                                                    ("utf-16", "utf-16"), ("no-such", "utf-8")])  # fmt: skip
def test_a_body_is_read_in_the_encoding_of_its_headers_or_in_utf_8(
    serve: Serve, connect: Connect, declared: str, encoding: str
) -> None:
    text = "河" if encoding == "gbk" else "é"
    body = json.dumps({"choices": [{"text": text, "finish_reason": "stop"}]}, ensure_ascii=False).encode(encoding)
    headers = {"Content-Type": f"application/json; charset={declared}"}
    (completion,) = connect(serve(lambda tried, _: Answer(body=body, headers=headers)).url).generate(requests(1))
    assert completion.text == text


@pytest.mark.parametrize("status", [423, 424, 460, 498, 499])
def test_a_status_that_says_nothing_of_the_request_is_tried_again(serve: Serve, connect: Connect, status: int) -> None:
    stand_in = serve(lambda tried, body: Answer() if tried else Answer(status))
    assert list(connect(stand_in.url).generate(requests(1))) == echoes(1)


def test_a_header_may_be_long(serve: Serve, connect: Connect) -> None:
    stand_in = serve(lambda tried, body: Answer(headers={"Content-Security-Policy": "a" * 20_000}))
    assert list(connect(stand_in.url).generate(requests(1))) == echoes(1)


def test_a_prompt_before_its_completion_is_left_out_and_that_is_said_once(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    long = [one.model_copy(update={"prompt": f"{one.prompt}\n\n" * 30}) for one in requests(2)]

    def plan(tried: int, body: dict[str, Any]) -> Answer:
        return Answer(body=completion(body, f"{body['prompt']}And {body['prompt'][:2]}", "stop"))

    stand_in = serve(plan)
    stopped = [one.model_copy(update={"sampling": one.sampling.model_copy(update={"stop": ("\n\n",)})}) for one in long]
    assert [one.text for one in connect(stand_in.url).generate(stopped)] == ["And p0", "And p1"]
    assert [line for line in caplog.messages if "repeats the prompt" in line] == [
        f"server {stand_in.url}: repeats the prompt before each completion; that is left out"
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", "; the server may want TLS, and a url with https://; is the url right"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "Bad status line"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "Duplicate Content-Length"),
    ],
)
def test_what_is_no_http_is_told_within_seconds(connect: Connect, data: bytes, words: str) -> None:
    class Other(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        with pytest.raises(SproutError, match="answers, but not in HTTP as it should be: ") as caught:
            list(connect(f"http://127.0.0.1:{server.server_address[1]}/v1").generate(requests(1)))
        server.shutdown()
    assert words in str(caught.value)
