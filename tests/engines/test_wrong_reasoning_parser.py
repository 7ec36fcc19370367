"""A server that hands out all text as thoughts, as one with the wrong parser of reasoning does."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.engines.server import wire
from pipeline.stages import _pool
from tests.engines.providers import HEALTHY, ProviderServer
from tests.engines.runs import run_on

pytestmark = pytest.mark.usefixtures("no_page")
MUTE = replace(HEALTHY, thoughts=10, content=lambda text: None)


def test_a_run_on_it_ends_soon_says_why_and_pays_for_no_answer_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProviderServer(MUTE) as server, pytest.raises(SystemExit):
        run_on(server, tmp_path, "--set", "engine.window=8")
    *said, last = capsys.readouterr().err.splitlines()
    assert last.startswith(
        "sprout: instructions: 30 requests in a row brought no new task; stuck at 0 of 12 (rejected: "
    )
    assert "if a server hands out all text as thoughts, turn its reasoning parser off" in last
    assert sum("gave thoughts and no text, with stop strings and without" in line for line in said) == 1
    asked = [body for _, path, body, _ in server.calls if body["max_tokens"] == 1024]
    again = [body for body in asked if "stop" not in body]
    assert len(again) <= wire.MAX_MUTE + 8  # those in flight at the time
    assert len(asked) - len(again) <= _pool.MAX_EMPTY + 4 * 8 + 8


def test_a_model_that_is_mute_now_and_then_is_asked_for_longer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speaks = iter([True] * 6)  # a few of these to requests that find out what the server can do
    some = replace(MUTE, content=lambda text: "1. Name a cold sea." if next(speaks, False) else None)
    with ProviderServer(some) as server, pytest.raises(SystemExit):
        run_on(server, tmp_path, "--set", "engine.window=1", "--set", "instructions.patience=40")
    assert "instructions: 40 requests in a row brought no new task; stuck at 1 of 12" in capsys.readouterr().err
