"""What every stage promises, in runs of all kinds: the same bytes however they go, nothing asked twice, all counted."""

import shutil
from collections import Counter
from itertools import product

import pytest

from pipeline import Context, read_tasks
from pipeline.report import stats
from pipeline.report.record import read_run
from pipeline.runs.journal import FILE
from pipeline.runs.redecide import redecide
from tests.runs import answering, rewriting, sources
from tests.runs.toys import Toys, files, go

RUNS = [
    *(pytest.param(stages, answering.toys, id=name) for name, stages in answering.RUNS.items()),
    *(pytest.param(stages, lambda window: Toys(rewriting.toy(window), {}), id=name)
      for name, stages in rewriting.RUNS.items()),
    *(pytest.param(stages, lambda window: Toys(sources.toy(window), {}), id=f"sources-{name}")
      for name, stages in sources.RUNS.items()),
]  # fmt: skip
each_run = pytest.mark.parametrize(("stages", "toys"), RUNS)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the runs go, below a folder with the files that some of them read."""
    monkeypatch.chdir(tmp_path)
    sources.write_sources(tmp_path)
    return tmp_path / "runs"


@each_run
def test_how_many_requests_are_in_flight_does_not_change_a_byte(stages, toys, seeds, folder):
    for window in (1, 8, 64):
        go(stages(), seeds, toys(window), folder / str(window))

    assert files(folder / "1") == files(folder / "8") == files(folder / "64")


@each_run
def test_a_run_killed_anywhere_in_any_stage_ends_with_the_same_bytes_and_asks_little_again(stages, toys, seeds, folder):
    go(stages(), seeds, toys(8), folder / "whole")
    names = sorted(files(folder / "whole"))
    for share, (number, name) in product((0.03, 0.5, 0.97), enumerate(names)):
        shutil.copytree(folder / "whole", killed := folder / f"killed{number}_{share}")
        data = (killed / name).read_bytes()
        (killed / name).write_bytes(data[: int(len(data) * share)])
        for later in names[number + 1 :]:
            (killed / later).unlink()
        go(stages(), seeds, there := toys(3), killed)

        assert files(killed) == files(folder / "whole"), (name, share)
        assert len(there.requests) <= 8  # what was in flight when the whole run had enough


@each_run
def test_a_killed_run_whose_journal_is_gone_asks_again_and_ends_with_the_same_bytes(stages, toys, seeds, folder):
    go(stages(), seeds, toys(8), folder / "whole")
    for number, name in enumerate(sorted(files(folder / "whole"))):
        shutil.copytree(folder / "whole", killed := folder / f"killed{number}")
        lines = (killed / name).read_bytes().splitlines(keepends=True)
        (killed / name).write_bytes(b"".join(lines[: len(lines) // 2]) + lines[-1][:9])
        for later in sorted(files(killed))[number + 1 :]:
            (killed / later).unlink()
        for file in killed.glob(f"{FILE}*"):
            file.unlink()
        go(stages(), seeds, toys(5), killed)

        assert files(killed) == files(folder / "whole"), name


@each_run
def test_a_finished_run_asks_nothing_again(stages, toys, seeds, folder):
    first = go(stages(), seeds, toys(8), folder)
    again = go(stages(), seeds, there := toys(8), folder)

    assert list(again) == list(first)
    assert not there.requests


@each_run
def test_the_same_settings_decide_the_same_without_asking(stages, toys, seeds, folder):
    go(stages(), seeds, toys(8), folder)
    before, there = files(folder), toys(8)
    redecide(stages(), Context(seeds, there.engine, folder, there.engines))

    assert files(folder) == before
    assert not there.requests


@each_run
def test_figures_and_page_count_every_decision(stages, toys, seeds, folder):
    go(stages(), seeds, toys(8), folder)
    found = stats.figures(folder)

    for stage, path in zip(stages(), sorted(folder.glob("*.jsonl")), strict=True):
        counts = Counter(task.rejected or "kept" for task in read_tasks(path))
        assert {"kept": found[stage.name].kept} | found[stage.name].rejected == dict(counts)
        assert {*found[stage.name].rejected} <= {*stage.reasons}
        assert all(isinstance(note, str) for note in stage.notes(counts))
    record = read_run(folder, seeds)
    assert record.max_rouge
    assert record.candidates >= record.kept.tasks > 0
