"""A disk that is full stops a run with one sentence; nothing that was finished is lost."""

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline import SproutError, run
from pipeline.cli import commands
from pipeline.cli.main import main
from pipeline.engines.scripted import Scripted
from pipeline.report.stats import figures
from pipeline.runs.safe import Safe
from pipeline.runs.store import Store
from tests.conftest import answer
from tests.runs.test_run import stages
from tests.runs.toys import files

ROOT = Path(__file__).parents[2]

# No file may grow beyond the limit: for the process that is a full disk.
LIMITED = """
import resource, signal, sys
from pipeline import SproutError, read_seeds, run
from pipeline.engines.scripted import Scripted
from tests.conftest import answer
from tests.runs.test_run import stages

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    run(stages(60), read_seeds(sys.argv[1]), Scripted(answer), sys.argv[2])
except SproutError as error:
    sys.exit(f"sprout: {error}")
"""


@pytest.mark.parametrize("limit", [100, 3_000, 20_000, 60_000, 100_000])
def test_a_full_disk_stops_a_run_that_goes_on_once_there_is_room(seeds, seed_file, tmp_path, limit):
    run(stages(60), seeds, Scripted(answer), tmp_path / "whole")
    command = [sys.executable, "-c", LIMITED, str(seed_file), str(tmp_path / "full"), str(limit)]
    stopped = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert stopped.returncode == 1
    assert stopped.stderr.startswith(f"sprout: {tmp_path / 'full'}/")
    assert stopped.stderr.count("\n") == 1
    assert len(run(stages(60), seeds, Scripted(answer), tmp_path / "full")) == 60
    assert files(tmp_path / "full") == files(tmp_path / "whole")


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("disk I/O error", "not full, over a quota or gone; if that is a network file system"),  # EDQUOT, ESTALE, EIO
        ("locking protocol", "see where it is; if that is a network file system"),  # NFS
        ("database is locked", "no other process is at work on it; if that is a network file system"),
        ("database or disk is full", "the run can go on once it can be written"),
    ],
)
def test_what_sqlite_says_of_a_disk_comes_with_what_may_be_behind_it(tmp_path, words, advice):
    with pytest.raises(SproutError, match=f"journal: {words}; .*{advice}"), Safe(tmp_path / "journal"):
        raise sqlite3.OperationalError(words)


@pytest.mark.parametrize(("number", "advice"), [(errno.ESTALE, "mount it anew"), (errno.EDQUOT, "make room")])
def test_a_disk_that_is_gone_gets_one_sentence(monkeypatch, capsys, number, advice):
    def gone(args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(commands, "run_command", gone)
    with pytest.raises(SystemExit):
        main(["recipes"])
    said = capsys.readouterr().err
    assert said.startswith(f"sprout: the disk: cannot be read or written ({os.strerror(number)}); {advice}")
    assert said.count("\n") == 1


def test_what_has_ended_a_run_is_said_also_if_its_settings_cannot_be_written(seed_file, tmp_path, capsys):
    (tmp_path / "run.toml").symlink_to("/dev/full")
    (tmp_path / "completions.sqlite").write_bytes(b"no journal " * 100)
    with pytest.raises(SystemExit):
        main(["run", "--seeds", str(seed_file), "--out", str(tmp_path), "--engine", "scripted", "--set",
              "engine.answer=tests.conftest:answer"])  # fmt: skip
    assert "completions.sqlite: file is not a database; it is damaged" in capsys.readouterr().err


def test_a_line_that_was_half_written_is_done_again(seeds, tmp_path):
    run(stages(), seeds, Scripted(answer), tmp_path)
    whole = files(tmp_path)
    path = tmp_path / "4_filter.jsonl"
    path.write_bytes(path.read_bytes()[:-7])

    assert len(Store(path).load()) == 19
    run(stages(), seeds, Scripted(answer), tmp_path)
    assert files(tmp_path) == whole


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    folder.chmod(0o500)
    try:
        yield
    finally:
        folder.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_run_that_may_not_be_written_can_be_looked_at(seeds, tmp_path):
    run(stages(), seeds, Scripted(answer), tmp_path)
    used = figures(tmp_path)
    with read_only(tmp_path):
        assert figures(tmp_path) == used


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(seeds, tmp_path):
    run(stages(), seeds, Scripted(answer), tmp_path)
    before = files(tmp_path)
    with read_only(tmp_path), pytest.raises(SproutError, match="cannot be written"):
        run(stages(30), seeds, Scripted(answer), tmp_path)
    assert files(tmp_path) == before
