"""One writer for a folder: a second one is told who the first is, and one that was killed is no obstacle."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline import RunOptions, SproutError, run
from pipeline.runs.lock import only_writer
from tests.runs.test_run import stages
from tests.runs.toys import files

HOLD = """
import sys, time
from pathlib import Path
from pipeline.runs.lock import only_writer

with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_refused_with_the_number_of_the_first_and_changes_nothing(model, seeds, tmp_path):
    run(stages(), seeds, model, tmp_path)
    before = files(tmp_path) | {"settings": (tmp_path / "settings.json").read_bytes()}
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(
            SproutError, match=rf"process {holder.pid} is at work in it; wait until it ends, or stop it"
        ):
            run(stages(30), seeds, model, tmp_path)
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()

    assert files(tmp_path) | {"settings": (tmp_path / "settings.json").read_bytes()} == before
    assert len(run(stages(30), seeds, model, tmp_path)) == 30  # the lock went with the process


TRY = """
import sys
from pathlib import Path
from pipeline.runs.lock import only_writer

with only_writer(Path(sys.argv[1])):
    pass
"""


def free_for_another_process(folder):
    return not subprocess.run([sys.executable, "-c", TRY, folder], capture_output=True, check=False).returncode


@pytest.mark.parametrize("where", ["a thread", "this thread"])
def test_a_second_writer_of_the_same_process_is_refused_and_takes_nothing_from_the_first(tmp_path, where):
    def second():
        with only_writer(tmp_path / "x" / ".."):
            pass

    def in_a_thread():
        with ThreadPoolExecutor() as pool:
            pool.submit(second).result()

    (tmp_path / "x").mkdir()
    with only_writer(tmp_path):
        with pytest.raises(SproutError, match="this process is already at work in it; let it finish first"):
            in_a_thread() if where == "a thread" else second()
        (tmp_path / ".lock").read_text()  # whoever looks at it
        assert not free_for_another_process(tmp_path)
        with only_writer(tmp_path / "other"):
            pass
    assert free_for_another_process(tmp_path)


def test_a_run_started_while_another_is_at_work_in_the_same_process_is_refused(model, seeds, tmp_path):
    def again(now):
        with pytest.raises(SproutError, match="this process is already at work in it"):
            run(stages(), seeds, model, tmp_path)

    tasks = run(stages(), seeds, model, tmp_path, RunOptions(progress=again))
    assert len(tasks) == len(run(stages(), seeds, model, tmp_path))


FORK = """
import multiprocessing, sys, time
from pathlib import Path
from pipeline.runs.lock import only_writer

with only_writer(Path(sys.argv[1])):
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    worker.start()
    print(worker.pid, flush=True)
    time.sleep(60)
"""


def test_a_forked_worker_that_outlives_the_writer_does_not_hold_the_lock(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", FORK, tmp_path], stdout=subprocess.PIPE, text=True)
    worker = int(holder.stdout.readline())
    try:
        assert not free_for_another_process(tmp_path)
        holder.kill()
        holder.wait()
        assert free_for_another_process(tmp_path)
    finally:
        os.kill(worker, signal.SIGKILL)
        holder.communicate()


def test_the_lock_of_a_run_that_failed_is_free(tmp_path):
    with pytest.raises(ZeroDivisionError), only_writer(tmp_path):
        1 / 0  # noqa: B018
    with only_writer(tmp_path):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_folder_that_is_a_file_is_told(model, seeds, tmp_path):
    (tmp_path / "run").write_text("")

    with pytest.raises(SproutError, match=r"run: cannot be written .*; choose another folder"):
        run(stages(), seeds, model, tmp_path / "run")
