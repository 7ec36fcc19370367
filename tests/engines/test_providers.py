"""A run with nothing but defaults, against servers that deviate: the same dataset, or the right sentence."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli.main import main
from tests.engines.providers import HEALTHY, HEALTHY_PLAIN, PROVIDERS, Provider, ProviderServer

BASE = {"vLLM with a base model"}


def sprout(provider: Provider, folder: Path, *options: str, query: str = "") -> ProviderServer:
    """A run of 12 tasks; what the server was asked is in the server."""
    with ProviderServer(provider) as server:
        url = server.url.replace("/v1", f"/openai/deployments/tiny?{query}") if query else server.url
        settings = ["--set", "instructions.num_tasks=12", "--set", f"engine.url={url}", "--set", "engine.pause=0.01"]
        main(["run", "--engine", "server", "--model", "tiny", "--out", str(folder), *settings, *options])
    return server


def written(folder: Path) -> dict[str, bytes]:
    """The stage files and the dataset."""
    files = [*folder.glob("*.jsonl"), *folder.glob("dataset/*.jsonl")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(files)}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, dict[str, bytes]]:
    """What a run against a healthy server writes, by whether the model is a chat model."""
    found = {}
    for chat, provider in ((True, HEALTHY), (False, HEALTHY_PLAIN)):
        folder = tmp_path_factory.mktemp("healthy")
        sprout(provider, folder)
        found[chat] = written(folder)
        assert len(found[chat]["1_instructions.jsonl"].splitlines()) >= 12
        assert len(found[chat]) >= 5
        assert b"never write this" not in b"".join(found[chat].values())
    return found


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SPROUT_API_KEY", "sk-a-key")
    yield
    logging.getLogger("pipeline").handlers.clear()


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_run_with_defaults_alone_ends_well_and_writes_what_it_writes_elsewhere(
    name: str, healthy: dict[bool, dict[str, bytes]], tmp_path: Path
) -> None:
    query = "api-version=2024-06-01" if name == "Azure, older urls" else ""
    server = sprout(PROVIDERS[name], tmp_path, query=query)
    assert written(tmp_path) == healthy[name not in BASE]
    assert all(body.keys() & {"max_tokens", "max_completion_tokens"} for _, _, body, _ in server.calls)
