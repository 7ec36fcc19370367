"""The walk of a new user, from a CSV file to a tuned model and its report, by commands alone."""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.cli.main import main
from tests.report.browser import CHROMIUM, chromium, new_page
from tests.report.review_browser import Seen, screen
from tests.test_readme import ToyServer, serving

__all__ = ["chromium", "new_page", "screen"]

SEEDS = """\
instruction,input,output
Answer the question about opening hours.,Are you open on Sunday?,"No, from Monday to Saturday."
Is the message about a repair or a purchase? Answer repair or purchase.,My brakes squeak.,repair
Is the message about a repair or a purchase? Answer repair or purchase.,Do you have a red helmet?,purchase
Write a subject line for the message.,"Hello, my new light does not switch on.",The new light does not work
Name the part that the customer needs.,The chain slips on the smallest cog.,A new cassette
Is the customer angry? Answer yes or no.,It still rattles!,yes
Is the customer angry? Answer yes or no.,Thank you for the quick repair.,no
Turn the note into a friendly reply.,ready friday,Your bicycle will be ready on Friday.
"""
HELDOUT = """\
instruction,input,output
Name the tool for the work.,take off a tyre,a tyre lever
Is the part for the brake or the light? Answer brake or light.,a pad,brake
"""
DOMAIN = "support for a bicycle shop"
Sprout = Callable[..., str]


class Counting(ToyServer):
    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        super().do_POST()


@pytest.fixture
def url() -> Iterator[str]:
    Counting.asked = 0
    with serving(Counting) as port:
        yield f"http://127.0.0.1:{port}/v1"


@pytest.fixture
def sprout(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sprout:
    """Type a command in a folder of one's own, and read what it prints."""
    monkeypatch.chdir(tmp_path)

    def typed(line: str) -> str:
        capsys.readouterr()
        name, *args = shlex.split(line)
        assert name == "sprout"
        main(args)
        return capsys.readouterr().out

    return typed


def test_from_a_csv_file_to_a_tuned_model_and_its_report(
    sprout: Sprout, url: str, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("trl", reason="needs the extra `train`")
    pytest.importorskip("bokeh", reason="needs the extra `report`")
    Path("shop.csv").write_text(SEEDS)
    Path("tests.csv").write_text(HELDOUT)
    said = sprout(f"sprout init --seeds shop.csv --url {url} --domain '{DOMAIN}' --num-tasks 24")
    first, second, third = [line.strip() for line in said.partition("Next:\n")[2].splitlines()]

    assert "5 of 5 tasks would be kept" in sprout(first)
    assert not Path("outputs").exists()
    assert "outputs/mine/report.html" in sprout(second)
    assert "output  " in sprout(third)
    assert DOMAIN in sprout(f"sprout why {some_task()} outputs/mine --full")

    bad = some_task()
    if CHROMIUM:
        judge_three(request.getfixturevalue("screen")())
        verdicts = [json.loads(line) for line in Path("outputs/mine/review.jsonl").read_text().splitlines()]
        assert [one["did"] for one in verdicts].count("judge") >= 3
    sprout(f"sprout drop outputs/mine {bad} --reason off_topic")

    asked = Counting.asked
    said = sprout("sprout export outputs/mine --for axolotl --for openai")
    assert "axolotl train axolotl.yaml" in said
    assert "openai.json" in said
    dataset = Path("outputs/mine/dataset")
    config = yaml.safe_load((dataset / "axolotl.yaml").read_text())
    rows = [json.loads(line) for line in (dataset / "openai.jsonl").read_text().splitlines()]
    assert (dataset / config["datasets"][0]["path"]).is_file()
    assert len(rows) > 24
    assert all(row["messages"][-1]["role"] == "assistant" for row in rows)
    assert bad not in (dataset / "messages.jsonl").read_text()

    tiny = "--set train.model=nano --set train.max_steps=2 --set train.batch_size=2 --set train.max_length=64"
    assert "outputs/mine/model" in sprout(f"sprout train outputs/mine {tiny}")
    models = "--models base=nano tuned=outputs/mine/model"
    said = sprout(f"sprout evaluate outputs/mine --heldout tests.csv {models}")
    assert "tuned against base" in said
    answers = Path("outputs/mine/predictions")
    assert {path.stem for path in answers.glob("*.jsonl")} == {"base", "tuned"}
    assert Counting.asked == asked, "what asks no model asked the server"

    page = Path(sprout("sprout report outputs/mine --seeds shop.csv").strip())
    assert page.stat().st_size > 100_000
    assert '<section id="tasks">' in page.read_text("utf-8")
    assert "off_topic" in page.read_text("utf-8")


def some_task() -> str:
    """One that the run has kept."""
    with Path("outputs/mine/4_filter.jsonl").open() as file:
        return str(json.loads(next(file))["id"])


def judge_three(seen: Seen) -> None:
    """By keyboard: all good, the output is wrong, all good."""
    command = [sys.executable, "-m", "pipeline", "review", "outputs/mine", "--reviewer", "anna"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        seen.open_printed(server)
        seen.at(0)
        seen.press(" ", "3", " ", " ")
        seen.at(3)
        server.send_signal(signal.SIGINT)
        server.wait()
    assert seen.trouble == []
