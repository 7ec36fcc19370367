"""Tunes a model on rows: never half done, and the same result however often it is interrupted."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from pipeline.dataset.content import ChatRow, PreferenceRow, TextRow
from pipeline.engines.model_folder import TRAIN_RECORD, check_model
from pipeline.errors import SproutError
from pipeline.resources import shown
from pipeline.runs.products import digest, put_in_place, read_record, write_record
from pipeline.training.distributed import num_processes, train_in_processes
from pipeline.training.record import TrainRecord
from pipeline.training.settings import Training
from pipeline.training.trainer import train


def tune(training: Training, folder: Path) -> TrainRecord:
    """Tune a model, save it as `folder`, and return its train.json.

    A folder made from the same rows, model and settings is kept. A killed training continues from its last checkpoint,
    in `folder`.partial, to the same result.

    Raises:
        SproutError: for no rows, a model that cannot be loaded, or rows that do not fit it.
    """
    if not training.rows:
        raise SproutError(f"{folder}: nothing to train on: the dataset has no row with an answer")
    settings = training.settings.of_result()
    before = read_record(Path(training.model) / TRAIN_RECORD).get("fingerprint")  # if it was tuned here itself
    rows = map(_digest, (training.rows, training.validation))
    fingerprint = digest(settings, shown(training.model), before, *rows, training.last_step)
    record = read_record(folder / TRAIN_RECORD)
    if record.get("fingerprint") == fingerprint:
        return TrainRecord.model_validate(record)
    check_model(training.model)
    partial = folder.with_name(f"{folder.name}.partial")
    if read_record(partial / "started.json").get("fingerprint") != fingerprint:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write_record(partial / "started.json", {"fingerprint": fingerprint})
    processes = num_processes(training.settings)
    trained = train_in_processes(training, partial, processes) if processes > 1 else train(training, partial)
    made = TrainRecord(**dict(trained), settings=settings, fingerprint=fingerprint)
    write_record(partial / "model" / TRAIN_RECORD, made.model_dump())
    put_in_place(partial / "model", folder)
    shutil.rmtree(partial)
    return made


def _digest(rows: Iterable[TextRow | ChatRow | PreferenceRow]) -> str:
    hashed = hashlib.sha256()
    for row in rows:
        hashed.update(row.model_dump_json().encode() + b"\n")
    return hashed.hexdigest()
