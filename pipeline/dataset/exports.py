"""The product that is a dataset, whichever stage makes it."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pipeline.dataset.rows import Rows
from pipeline.dataset.write import Splitter
from pipeline.errors import SproutError
from pipeline.runs.files import find_stage_files
from pipeline.runs.products import read_record
from pipeline.runs.reviews import FILE, Reviews
from pipeline.stage import Product
from pipeline.task import Task

RECORD = "dataset.json"


class Exports(Product):
    """A product that turns tasks into a dataset; whoever writes other tasks in the same way asks it to."""

    @property
    @abstractmethod
    def whole(self) -> bool:
        """Whether all tasks of the run are trained on, and not its seed tasks alone."""

    @property
    @abstractmethod
    def splitter(self) -> Splitter:
        """Which tasks it holds back for validation."""

    @abstractmethod
    def seeds_alone(self) -> Self:
        """The same, with only the seed tasks to train on."""

    @abstractmethod
    def rows(self, tasks: Sequence[Task], seeds: Sequence[Task]) -> Rows:
        """The rows of tasks and seed tasks, as the settings have them."""

    @abstractmethod
    def write(self, tasks: Sequence[Task], seeds: Sequence[Task], folder: Path) -> None:
        """Write the rows of any tasks, and their figures, without a card or configs; a finished folder is kept."""


def check_reviewed(place: Path | str) -> None:
    """Refuse the dataset of a run that is older than what people have dropped and changed there since.

    Raises:
        SproutError: naming the command that makes it anew.
    """
    dataset = Path(place) / "dataset" if (Path(place) / "dataset" / RECORD).is_file() else Path(place)
    record, folder = read_record(dataset / RECORD), dataset.parent
    if record and find_stage_files(folder) and record.get("reviewed", "") != Reviews(folder).changes:
        raise SproutError(
            f"{dataset} was made before people dropped or changed tasks, or took that back, in {folder / FILE}; "
            f"run `sprout export` with the settings of the run first"
        )
