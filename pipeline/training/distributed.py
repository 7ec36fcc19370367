"""Training in several processes, one per GPU: `torchrun` starts them, accelerate joins them."""

import logging
import os
import subprocess
import sys
from pathlib import Path

from pipeline.errors import SproutError
from pipeline.resources import PACKAGE
from pipeline.runs.products import read_record
from pipeline.training.record import Trained
from pipeline.training.settings import Training, TrainingSettings

logger = logging.getLogger(__name__)


def num_processes(settings: TrainingSettings) -> int:
    """The number in the settings; else one per GPU, as far as that divides a batch."""
    import torch

    if settings.num_processes:
        return settings.num_processes
    rows = settings.rows_per_step // settings.gradient_accumulation
    return max(count for count in range(1, max(1, torch.cuda.device_count()) + 1) if rows % count == 0)


def world_size() -> int:
    """How many processes this training has, according to `torchrun`."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def train_in_processes(training: Training, partial: Path, processes: int) -> Trained:
    """Train in separate processes and return the record; they end with this process, however it ends.

    Raises:
        SproutError: with the error of one of them, if they fail.
    """
    for name in ("record.json", "error.json"):
        (partial / name).unlink(missing_ok=True)
    (partial / "training.json").write_text(training.model_dump_json(), encoding="utf-8")
    path = os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH"))))
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // processes))
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    log = partial / "processes.log"
    with (
        open(log, "w", encoding="utf-8") as errors,
        subprocess.Popen(
            [sys.executable, *torchrun, "-m", "pipeline.training.process", str(partial)],
            stdin=subprocess.PIPE,  # never written to: when it closes, this process has ended
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": threads},
        ) as process,
    ):
        assert process.stdout
        try:
            for line in process.stdout:
                logger.info("%s", line.rstrip("\n"))
            code = process.wait()
        finally:
            process.terminate()
    record = read_record(partial / "record.json")
    if code or not record:
        said = read_record(partial / "error.json").get("error")
        raise SproutError(said or f"the training in {processes} processes failed; {log} says how")
    return Trained.model_validate(record)
