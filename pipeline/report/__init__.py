"""The report of a run: one page with every figure, the map of the dataset and all its tasks, in a file of its own."""

from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import SproutError
from pipeline.report.record import read_run
from pipeline.resources import install
from pipeline.task import Task

__all__ = ["FILE", "write_report"]

FILE = "report.html"


def write_report(folder: Path, seeds: Sequence[Task] = ()) -> Path:
    """Write `folder`/report.html from the files of the run, whether it is finished or not, and return its path.

    Args:
        seeds: The seed tasks of the run, if they are at hand: for family trees and for the distance to the seeds.

    Raises:
        SproutError: if the folder holds no run, or if Bokeh or scikit-learn is not installed.
    """
    from pipeline.report.page import render

    record = read_run(folder, seeds)
    try:
        page = render(record)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("bokeh", "sklearn"):
            raise
        raise SproutError(f"the report needs one more package ({error}): {install('report')}") from None
    path = folder / FILE
    partial = path.with_suffix(".partial")
    try:
        partial.write_text(page, encoding="utf-8", newline="\n")
        partial.replace(path)
    except OSError as error:
        raise SproutError(f"{path}: cannot be written ({error.strerror}); free some space and go on") from None
    return path
