"""What the environment says to the server engine: the key, and the proxy."""

import re
import socketserver
import threading

import pytest

from pipeline.engines.server.environment import proxy
from pipeline.errors import EngineUnreachable, SproutError
from tests.engines.conftest import Connect, Serve
from tests.engines.stand_in import Answer, StandIn
from tests.engines.test_server import requests


def set_keys(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """These keys and no others."""
    for name in ("OPENAI_API_KEY", "SPROUT_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("environment", "key"),
    [
        ({}, ""),
        ({"OPENAI_API_KEY": "a"}, "Bearer a"),
        ({"OPENAI_API_KEY": "a", "SPROUT_API_KEY": "b"}, "Bearer b"),
    ],
)
def test_the_key_comes_from_the_environment(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], key: str
) -> None:
    set_keys(monkeypatch, environment)
    stand_in = serve()
    list(connect(stand_in.url).generate(requests(1)))
    assert stand_in.calls[0][3] == key


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({}, "there is no key; set SPROUT_API_KEY, or SPROUT_API_KEY_127_0_0_1 for this server alone"),
        (
            {"OPENAI_API_KEY": "a"},
            "the key is that of OPENAI_API_KEY; set it again, or SPROUT_API_KEY_127_0_0_1 for this",
        ),
        ({"SPROUT_API_KEY": "a", "SPROUT_API_KEY_127_0_0_1": "b"}, "the key is that of SPROUT_API_KEY_127_0_0_1; set"),
    ],
)
def test_a_key_that_is_refused_is_named_by_its_variable(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], advice: str
) -> None:
    set_keys(monkeypatch, environment)
    with pytest.raises(SproutError, match=f"no such key; {advice}"):
        list(connect(serve(lambda tried, body: Answer(401, "no such key")).url).generate(requests(1)))


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_a_proxy_of_the_environment_is_used_but_for_hosts_it_is_not_for(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    through, direct = serve(), serve()
    monkeypatch.setenv(variable, through.url.removeprefix("http://").removesuffix("/v1"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    list(connect("http://somewhere.invalid/v1").generate(requests(1)))
    list(connect(direct.url).generate(requests(1)))
    assert [call[1] for call in through.calls] == ["http://somewhere.invalid/v1/completions"]
    assert [call[1] for call in direct.calls] == ["/v1/completions"]


@pytest.mark.parametrize(
    ("names", "url", "around"),
    [
        ("10.0.0.0/8, 192.168.0.0/16", "http://10.1.2.3:8000/v1", True),
        ("10.0.0.0/8", "http://11.1.2.3:8000/v1", False),
        ("fd00::/8", "http://[fd00::1]:8000/v1", True),
        ("::1", "http://[::1]:8000/v1", True),
        ("gpu-1:8000", "http://gpu-1:8000/v1", True),
        ("gpu-1:8001", "http://gpu-1:8000/v1", False),
        (".lab", "http://gpu-1.lab:8000/v1", True),
        ("10.0.0.0/99,lab/8,", "http://10.1.2.3:8000/v1", False),
        ("*", "http://10.1.2.3:8000/v1", True),
    ],
)
def test_a_server_is_reached_without_the_proxy_by_host_by_port_or_by_network(
    monkeypatch: pytest.MonkeyPatch, names: str, url: str, around: bool
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", names)
    assert (proxy(url) is None) is around


def page(status: int) -> Answer:
    return Answer(status, body=b"<html><h1>Access denied by squid</h1></html>")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (page(403), r"Access denied by squid; it may come from the proxy of http_proxy or all_proxy; no_proxy=10.0.0.1 goes"),
        (page(502), r"Access denied by squid; it may come from the proxy of http_proxy or all_proxy; no_proxy=10.0.0.1 goes"),
        (Answer(403, "no key"), r"\(403\): no key; if that is for the key"),
    ],
)  # fmt: skip
def test_a_page_that_a_proxy_answers_with_is_not_taken_for_the_server_s(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, answer: Answer, sentence: str
) -> None:
    monkeypatch.setenv("http_proxy", serve(lambda tried, body: answer).url.removesuffix("/v1"))
    with pytest.raises(SproutError, match=sentence):
        list(connect("http://10.0.0.1:8000/v1", patience=0.2).generate(requests(1)))


@pytest.mark.parametrize("status", [403, 407])
def test_a_proxy_that_lets_no_request_through_ends_it_at_once(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    class Proxy(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            self.wfile.write(f"HTTP/1.1 {status} Not here\r\nContent-Length: 0\r\n\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.server_address[1]}")
        with pytest.raises(SproutError) as caught:
            list(connect("https://api.invalid/v1").generate(requests(1)))
        server.shutdown()
    assert str(caught.value) == (
        "https://api.invalid/v1: a proxy on the way lets no request through (Not here, by the proxy of https_proxy or "
        "all_proxy; no_proxy=api.invalid goes without it); if it wants a user and a password, put them into its own url"
    )


@pytest.mark.parametrize("name", ["http", "https"])
def test_the_key_is_not_for_the_proxy(name: str, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = b""

    class Proxy(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            nonlocal heard
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                heard += line
            self.wfile.write(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv(f"{name}_proxy", f"http://user:pa55@127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("SPROUT_API_KEY", "secret")
        with pytest.raises(SproutError) as error:
            list(connect(f"{name}://somewhere.invalid/v1", patience=0.2).generate(requests(1)))
        server.shutdown()
    sent = [line for line in heard.splitlines() if b"secret" in line]
    assert sent == (
        [b"Authorization: Bearer secret"] * len(sent) if name == "http" else []
    )  # inside TLS, not before it
    assert b"Proxy-Authorization: Basic" in heard
    assert not re.search("secret|pa55", str(error.value))


@pytest.mark.parametrize("value", ["socks5://user:password@127.0.0.1:9", "http://[::1", "http://"])
def test_a_proxy_that_cannot_be_used_is_told_without_what_is_in_it(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("http_proxy", value)
    with pytest.raises(
        SproutError, match=r"^http_proxy or all_proxy names no http proxy; .* no_proxy=somewhere.invalid$"
    ):
        list(connect("http://somewhere.invalid/v1").generate(requests(1)))


def test_the_key_does_not_follow_to_another_server(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPROUT_API_KEY", "secret")
    other = serve()
    first = serve(lambda tried, body: Answer(307, headers={"Location": f"{other.url}/completions"}))
    list(connect(first.url).generate(requests(1)))
    assert ([call[3] for call in first.calls], [call[3] for call in other.calls]) == (["Bearer secret"], [""])


def test_a_proxy_that_is_not_there_is_named_and_how_to_go_without_it(
    connect: Connect, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: StandIn = serve()
    gone.die()
    monkeypatch.setenv("http_proxy", gone.url.replace("http://", "http://user:pa55@").removesuffix("/v1"))
    with pytest.raises(EngineUnreachable) as caught:
        list(connect("http://somewhere.invalid/v1", patience=0.2).generate(requests(1)))
    assert "Connection refused, to the proxy of http_proxy or all_proxy; no_proxy=somewhere.invalid" in str(
        caught.value
    )
    assert "pa55" not in str(caught.value)


@pytest.mark.parametrize("key", ['"sk-1"', "'sk-1'", "Bearer sk-1"])
def test_a_key_with_what_is_around_it_in_a_file_is_refused_before_it_is_sent(
    connect: Connect, serve: Serve, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("SPROUT_API_KEY", key)
    server = serve()
    with pytest.raises(
        SproutError, match=r"^SPROUT_API_KEY holds .*, as a space or a quotation mark; set it to the key"
    ):
        list(connect(server.url).generate(requests(1)))
    assert not server.calls
