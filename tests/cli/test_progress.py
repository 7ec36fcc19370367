"""Where a run stands is said once a minute, or in a live display if there is a terminal."""

import os
import pty
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import Completion, Request, RunOptions, run
from pipeline.cli.progress import shown_progress, spelled
from pipeline.engines.scripted import Scripted
from pipeline.runs.budget import Budget, Prices
from pipeline.runs.journal import FILE, Journal
from tests.conftest import answer
from tests.runs.test_run import stages

LINE = re.compile(
    r"^instructions: ([\d,]+) decided, ([\d,]+) kept \((\d+)%\), ([\d,]+) tokens/s, cost ([\d.]+), about (.+) left$"
)


def counted(request: Request) -> Completion:
    return Completion(id=request.id, text=answer(request), prompt_tokens=1000, completion_tokens=600)


def steps(seconds: float) -> Callable[[], float]:
    """A clock that is that much further each time it is read."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += seconds
        return now

    return clock


def lines(seeds, folder, capsys, seconds: float, quiet: bool = False, prices: Prices | None = None) -> list[str]:
    budget = Budget(prices=prices)
    with shown_progress(quiet, budget, steps(seconds)) as progress:
        run(stages(100), seeds, Scripted(counted), folder, RunOptions(progress=progress, budget=budget))
    return capsys.readouterr().err.splitlines()


def test_without_a_terminal_there_is_a_plain_line_a_minute(seeds, tmp_path, capsys):
    said = lines(seeds, tmp_path, capsys, 10, prices=Prices(prompt=1, completion=2))
    found = [match for line in said if (match := LINE.match(line))]

    assert len(found) > 3
    decided, kept, share = (int(found[-1][n].replace(",", "")) for n in (1, 2, 3))
    assert 0 < kept <= decided
    assert share == round(100 * kept / decided)
    assert 5 < int(found[-1][4]) < 600  # 600 tokens come with four tasks, in 40 s and what is read between
    costs = [float(match[5]) for match in found]
    assert costs == sorted(costs)
    assert re.fullmatch(r"\d+ min|\d+ h \d+ min|\d+ s", found[0][6])
    assert any(re.match(r"classify: \d+ decided, \d+ kept \(100%\), \d+ tokens/s, cost", line) for line in said)


def test_the_time_left_comes_closer(seeds, tmp_path, capsys):
    said = lines(seeds, tmp_path, capsys, 10)
    minutes = [int(m[1]) for line in said if (m := re.match(r"classify: .* about (\d+) min left", line))]

    assert len(minutes) > 5
    assert minutes == sorted(minutes, reverse=True)
    assert minutes[-1] <= 2
    assert "cost" not in "".join(said)  # no prices are set


def test_nothing_is_said_before_a_minute_has_passed(seeds, tmp_path, capsys):
    said = lines(seeds, tmp_path, capsys, 0.001)

    assert len(said) == len(stages())
    assert all(" kept" in line and "left" not in line for line in said)


def test_quiet_says_nothing(seeds, tmp_path, capsys):
    assert lines(seeds, tmp_path, capsys, 10, quiet=True) == []


def test_what_an_earlier_sitting_did_is_no_speed_of_this_one(seeds, tmp_path, capsys):
    lines(seeds, tmp_path, capsys, 10, prices=Prices(completion=1))
    with Journal(tmp_path / FILE) as journal:
        spent = sum(stage.completion_tokens for stage in journal.usage().values())
    for path in tmp_path.glob("*.jsonl"):
        path.unlink()  # what is in the journal is not asked again
    again = lines(seeds, tmp_path, capsys, 10, prices=Prices(completion=1000))

    assert re.match(rf"instructions: [^/]*, cost {spent / 1000:,.2f}, about", again[0])
    assert "tokens/s" not in again[0]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (29, "29 s"), (45, "1 min"), (3540, "59 min"), (3590, "1 h 0 min"), (7800, "2 h 10 min"), (190_000, "2 d 4 h")],
)  # fmt: skip
def test_a_time_is_spelled_as_one_would_say_it(seconds, text):
    assert spelled(seconds) == text


SCRIPT = """
    import sys, time
    from pathlib import Path
    from pipeline import RunOptions, run, read_seeds
    from pipeline.runs.budget import Budget, Prices
    from pipeline.engines.scripted import Scripted
    from pipeline.cli.progress import shown_progress
    from tests.cli.test_progress import counted
    from tests.runs.test_run import stages

    def slowly(request):
        time.sleep(0.03)
        return counted(request)

    budget = Budget(prices=Prices(completion=100))
    with shown_progress(False, budget) as progress:
        run(stages(40), list(read_seeds(sys.argv[1])), Scripted(slowly), sys.argv[2],
            RunOptions(progress=progress, budget=budget))
"""


def test_in_a_terminal_there_is_a_live_display(seed_file, tmp_path):
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "80", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(seed_file), str(tmp_path / "run")]
    process = subprocess.Popen(command, stderr=slave, env=environment)
    os.close(slave)
    seen = b""
    try:
        while block := os.read(master, 4096):
            seen += block
    except OSError:  # the other end is closed
        pass
    os.close(master)
    assert process.wait(timeout=30) == 0, seen.decode()

    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", seen.decode())
    assert re.search(r"instructions\s+[━╸╺ ]+ \d+ of 40 \d+% of \d+ kept 0:00:0\d", text)
    assert re.search(r"[\d,]+ tokens/s · cost \d+\.\d\d · about \d+ s left", text)
    assert "· – left" in text or "cost 0" in text
    assert "instructions: " in text  # the log's line stays above
