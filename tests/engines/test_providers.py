"""A run with nothing but defaults, against servers that deviate: the same dataset, or the right sentence."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engines.providers import HEALTHY, HEALTHY_PLAIN, PROVIDERS, Provider, ProviderServer
from tests.engines.runs import Written, run_on, sprout, written
from tests.engines.stand_in import Answer

pytestmark = pytest.mark.usefixtures("no_page")
BASE = {"vLLM with a base model"}


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_run_with_defaults_alone_ends_well_and_writes_what_it_writes_elsewhere(
    name: str, healthy: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPROUT_API_KEY", "sk-a-key")
    query = "api-version=2024-06-01" if name == "Azure, older urls" else ""
    server = sprout(PROVIDERS[name], tmp_path, query=query)
    assert written(tmp_path) == healthy[name not in BASE]
    assert all(body.keys() & {"max_tokens", "max_completion_tokens"} for _, _, body, _ in server.calls)


@pytest.mark.parametrize(("provider", "blank_line"), [(HEALTHY, False), (HEALTHY_PLAIN, True)])
def test_a_blank_line_ends_a_list_of_plain_text_only(provider: Provider, blank_line: bool, tmp_path: Path) -> None:
    asked = [body for _, _, body, _ in sprout(provider, tmp_path).calls if "\n16." in body.get("stop", ())]
    assert asked
    assert {"\n\n" in body["stop"] for body in asked} == {blank_line}


def test_a_server_that_streams_all_it_says_writes_what_a_healthy_one_writes(
    healthy: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Streaming(ProviderServer):
        def answer(self, tried: int, body: dict[str, Any], path: str, headers: dict[str, str]) -> Answer:
            found = super().answer(tried, body, path, headers)
            if found.status != 200 or not isinstance(found.body, dict):
                return found
            choice = found.body["choices"][0]
            text = choice.pop("message", {"content": choice.pop("text", "")})["content"] or ""
            texts = [text[start : start + 9] for start in range(0, len(text), 9)]
            pieces: list[dict[str, Any]] = [
                {"choices": [{"index": 0, "delta": {"content": one}, "text": one}]} for one in texts
            ]
            pieces += [{"choices": [choice | {"delta": {}}]}, {"choices": [], "usage": found.body["usage"]}]
            events = "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces)
            return Answer(body=f": PROCESSING\n\n{events}data: [DONE]\n\n".encode())

    with ProviderServer(HEALTHY) as server:
        run_on(server, tmp_path / "one")
    with Streaming(HEALTHY) as streaming:
        run_on(streaming, tmp_path / "other")
    assert written(tmp_path / "other") == healthy[True]
    ways = [{frozenset(body) for *_, body, _ in one.calls} for one in (server, streaming)]
    assert ways[0] == ways[1]
    assert "unreadable" not in capsys.readouterr().err
