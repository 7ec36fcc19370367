"""Which servers an engine asks: their urls, in a list or a file, their keys, and that they have the same model."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SproutError
from tests.engines.conftest import Connect, Serve
from tests.engines.stand_in import MODELS, Answer
from tests.engines.test_fleet import QUICK, slow
from tests.engines.test_server import echoes, requests


def serving(serve: Serve, monkeypatch: pytest.MonkeyPatch, **told: dict[str, Any]) -> list[str]:
    """The urls of servers, each with what it tells of its models."""
    servers = {name: serve() for name in told}
    by_port = {one.server_address[1]: told[name] for name, one in servers.items()}

    def send(self: Any, given: Answer, body: object) -> None:
        port = self.server.server_address[1]
        original(self, given, {"data": [by_port[port]]} if body is MODELS and port in by_port else body)

    handler = next(iter(servers.values())).RequestHandlerClass
    original = handler.send  # type: ignore[attr-defined]
    monkeypatch.setattr(handler, "send", send)
    return [one.url for one in servers.values()]


@pytest.mark.parametrize(
    ("one", "other", "problem"),
    [
        (
            {"id": "tiny"},
            {"id": "large"},
            "does not serve tiny, it serves large; all servers of a run have the same model",
        ),
        (
            {"id": "tiny", "root": "/a/Llama-8B"},
            {"id": "tiny", "root": "/b/Qwen-7B"},
            "has tiny from /., and http.* all servers of a run have the same model",
        ),
        (
            {"id": "tiny", "max_model_len": 4096},
            {"id": "tiny", "max_model_len": 8192},
            r"takes (4,096|8,192) tokens, and http.* start all servers of a run with the same context",
        ),
    ],
)
def test_servers_of_different_models_are_refused_before_anything_is_asked(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, one: Any, other: Any, problem: str
) -> None:
    urls = serving(serve, monkeypatch, one=one, other=other)
    with pytest.raises(SproutError, match=problem.replace("/.,", "/.*,")):
        list(connect(urls, **QUICK).generate(requests(3)))


def test_the_same_model_in_folders_of_two_machines_is_one_model(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {"id": "tiny", "root": "/data/models/Llama-8B", "max_model_len": 4096}
    other = {"id": "tiny", "root": "/mnt/Llama-8B", "max_model_len": 4096}
    urls = serving(serve, monkeypatch, one=one, other=other)
    assert list(connect(urls, **QUICK).generate(requests(30))) == echoes(30)


def test_each_server_gets_its_own_key_and_the_others_the_common_one(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = serve(slow(0.01)), serve(slow(0.01))
    monkeypatch.setenv("SPROUT_API_KEY", "common")
    monkeypatch.setenv(f"SPROUT_API_KEY_127_0_0_1_{one.server_address[1]}", "own")
    list(connect([one.url, other.url], **QUICK).generate(requests(40)))
    assert {call[3] for call in one.calls} == {"Bearer own"}
    assert {call[3] for call in other.calls} == {"Bearer common"}
    monkeypatch.setenv("SPROUT_API_KEY_127_0_0_1", "of the host")
    with pytest.raises(SproutError, match="SPROUT_API_KEY_127_0_0_1 holds characters that no key can have"):
        list(connect(other.url).generate(requests(1)))


def test_a_key_that_one_server_refuses_leaves_it_aside_and_one_that_all_refuse_ends_it(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    good, refuses = serve(slow(0.01)), serve(lambda tried, body: Answer(401, "no such key"))
    assert list(connect([refuses.url, good.url], **QUICK).generate(requests(30))) == echoes(30)
    assert f"server {refuses.url}: left aside: no such key" in caplog.text
    other = serve(lambda tried, body: Answer(403, "nor this"))
    with pytest.raises(SproutError, match=r"refuses (?:the API key for|access to) tiny \(40[13]\)"):
        list(connect([refuses.url, other.url], **QUICK).generate(requests(5)))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "lists no server"),
        ("# none\n\n", "lists no server"),
        ("http://host/v1\nhost:8000\n", ":2: host:8000: is not the url of a server"),
        ("https://me:pa55@host/v1\n", ":1: the url of host holds a user, a password or a key"),
        ("\xff", "is not UTF-8"),
    ],
)
def test_a_file_of_servers_with_a_mistake_is_told(connect: Connect, tmp_path: Path, text: str, problem: str) -> None:
    listed = tmp_path / "servers.txt"
    listed.write_bytes(text.encode("latin-1"))
    with pytest.raises(SproutError, match=f"servers.txt.*{problem}"):
        connect(str(listed))


def test_what_is_neither_a_url_nor_a_file_is_told(connect: Connect) -> None:
    with pytest.raises(SproutError, match=r"servers\.txt: is neither the url of a server nor a file here"):
        connect("servers.txt")
    with pytest.raises(SproutError, match="lists no server"):
        connect([])
    with pytest.raises(SproutError, match="nonsense: is not the url of a server"):
        connect(["http://host/v1", "nonsense"])


def test_the_window_is_the_same_for_any_number_of_servers_unless_it_is_set(connect: Connect) -> None:
    urls = [f"http://host{number}/v1" for number in range(64)]
    assert connect(urls).window == connect(urls[0]).window == connect([urls[0]]).window
    assert connect(urls, window=4096).window == 4096
    with pytest.raises(SproutError, match="window 4096: from 1 to 1000"):
        connect(urls[:1], window=4096)
