"""What the environment says to the server engine: the key, and the proxy."""

import pytest

from tests.engines.conftest import Connect, Serve
from tests.engines.stand_in import Answer
from tests.engines.test_server import requests


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
    for name in ("OPENAI_API_KEY", "SPROUT_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stand_in = serve()
    list(connect(stand_in.url).generate(requests(1)))
    assert stand_in.calls[0][3] == key


def test_a_proxy_of_the_environment_is_used_but_for_hosts_it_is_not_for(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    through, direct = serve(), serve()
    monkeypatch.setenv("http_proxy", through.url.removesuffix("/v1"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    list(connect("http://somewhere.invalid/v1").generate(requests(1)))
    list(connect(direct.url).generate(requests(1)))
    assert [call[1] for call in through.calls] == ["http://somewhere.invalid/v1/completions"]
    assert [call[1] for call in direct.calls] == ["/v1/completions"]


def test_the_key_does_not_follow_to_another_server(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPROUT_API_KEY", "secret")
    other = serve()
    first = serve(lambda tried, body: Answer(307, headers={"Location": f"{other.url}/completions"}))
    list(connect(first.url).generate(requests(1)))
    assert ([call[3] for call in first.calls], [call[3] for call in other.calls]) == (["Bearer secret"], [""])
