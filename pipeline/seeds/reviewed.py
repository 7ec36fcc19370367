"""Rows of a stage's file as people have left its tasks, so that what they dropped does not come back by another way."""

from pathlib import Path

from pydantic import ValidationError

from pipeline.runs.reviews import FILE, Reviews
from pipeline.seeds.shapes import Record
from pipeline.task import Task


def as_reviewed(path: Path, records: list[Record]) -> list[Record]:
    """The same rows, those of dropped tasks marked as rejected; of a file that is no stage's, as they are."""
    if path.suffix != ".jsonl" or not (path.parent / FILE).is_file():
        return records
    reviews = Reviews(path.parent)
    return [_as_reviewed(record, reviews) for record in records]


def _as_reviewed(record: Record, reviews: Reviews) -> Record:
    if not isinstance(record.value, dict) or record.value.get("id") not in reviews.by_task:
        return record
    try:
        task = Task.model_validate(record.value)
    except ValidationError:  # a row of something else that has the id of a task
        return record
    left = reviews.of(task).result if task.kept else task
    return record._replace(value=left.model_dump(mode="json", exclude_defaults=True))
