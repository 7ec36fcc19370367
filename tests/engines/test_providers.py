"""A run with nothing but defaults, against servers that deviate: the same dataset, or the right sentence."""

from pathlib import Path

import pytest

from tests.engines.providers import HEALTHY, HEALTHY_PLAIN, PROVIDERS, Provider
from tests.engines.runs import Written, sprout, written

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
