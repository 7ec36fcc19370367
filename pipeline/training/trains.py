"""The product that is a tuned model, whichever stage makes it."""

from abc import abstractmethod
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.runs.context import Context
from pipeline.stage import Product
from pipeline.training.settings import Training, TrainingSettings


class Trains(TrainingSettings, Product):
    """A product that tunes a model on a dataset; whoever tunes others in the same way asks it how."""

    dataset: str = Field(
        default="dataset",
        description="a folder in that of the run; else a JSON, JSONL or Parquet file, a folder or a name on the hub",
    )
    model: str = Field(default="", description="a folder or a name on the hub; empty: the model of the run")

    @abstractmethod
    def place(self, folder: Path) -> Path | str:
        """Where the dataset is that this is tuned on; one in the folder of the run comes first."""

    @abstractmethod
    def training(self, dataset: Path | str, context: Context, **changes: Any) -> Training:
        """The rows of a dataset and all that a training needs besides, with other settings where `changes` has them.

        The engine of the run gives back the memory it holds.

        Raises:
            SproutError: if no model is named, or for a dataset that cannot be read.
        """
