"""A training in several processes, one for each GPU: `torchrun` starts them, accelerate joins them."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import SproutError
from pipeline.resources import PACKAGE
from pipeline.runs.products import read_record, write_record

if TYPE_CHECKING:
    from pipeline.stages.train import Train
    from pipeline.training.sft import Training

logger = logging.getLogger("pipeline.stages.train")


def num_processes(settings: "Train") -> int:
    """As many as the settings say; else one for each GPU, as far as they divide a batch."""
    import torch

    if settings.num_processes:
        return settings.num_processes
    rows = settings.rows_per_step // settings.gradient_accumulation
    return max(count for count in range(1, max(1, torch.cuda.device_count()) + 1) if rows % count == 0)


def world_size() -> int:
    """How many processes this training runs in, as `torchrun` tells each of them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def train(training: "Training", partial: Path, processes: int) -> dict[str, Any]:
    """Do a training in processes of their own and return its record; they end with this one, however it ends.

    Raises:
        SproutError: with what one of them says, if they fail.
    """
    for name in ("record.json", "error.json"):
        (partial / name).unlink(missing_ok=True)
    job = {
        "model": training.model,
        "rows": [row.model_dump() for row in training.rows],
        "settings": training.settings.model_dump(mode="json"),
        "validation": [row.model_dump() for row in training.validation],
        "last_step": training.last_step,
    }
    write_record(partial / "job.json", job)
    path = os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH"))))
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // processes))
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    log = partial / "processes.log"
    with (
        open(log, "w", encoding="utf-8") as errors,
        subprocess.Popen(
            [sys.executable, *torchrun, "-m", "pipeline.training.distributed", str(partial)],
            stdin=subprocess.PIPE,  # never written to: its end says that this process has ended
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
    return record


def main() -> None:
    """One of the processes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from pipeline.dataset.rows import Row
    from pipeline.stages.train import Train
    from pipeline.training.sft import Training
    from pipeline.training.trainer import train

    partial = Path(sys.argv[1])
    first = os.environ["RANK"] == "0"
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    logging.getLogger("pipeline").setLevel(logging.INFO if first else logging.ERROR)
    job = read_record(partial / "job.json")
    rows, validation = ([Row(**row) for row in job[name]] for name in ("rows", "validation"))
    settings = Train.model_validate(job["settings"] | {"model": ""})  # which may be a name for other eyes
    try:
        record = train(Training(job["model"], rows, settings, validation, job["last_step"]), partial)
    except SproutError as error:
        if first:
            write_record(partial / "error.json", {"error": str(error)})
        sys.exit(1)
    if first:
        write_record(partial / "record.json", record)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
