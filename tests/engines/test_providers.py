"""A run with nothing but defaults, against servers that deviate: the same dataset, or the right sentence."""

from pathlib import Path

import pytest

from tests.engines.providers import PROVIDERS
from tests.engines.runs import Written, sprout, written

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
