"""One process of a training, started by `torchrun`; see `distributed.train_in_processes`."""

import logging
import os
import sys
import threading
from pathlib import Path

from pipeline.errors import SproutError
from pipeline.runs.products import write_record
from pipeline.training.settings import Training
from pipeline.training.trainer import train


def main() -> None:
    """Train as `training.json` in the folder says; the first process writes the record, or the error."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    partial = Path(sys.argv[1])
    first = os.environ["RANK"] == "0"
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    logging.getLogger("pipeline").setLevel(logging.INFO if first else logging.ERROR)
    training = Training.model_validate_json((partial / "training.json").read_bytes())
    try:
        record = train(training, partial)
    except SproutError as error:
        if first:
            write_record(partial / "error.json", {"error": str(error)})
        sys.exit(1)
    if first:
        write_record(partial / "record.json", record.model_dump())


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
