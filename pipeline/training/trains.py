"""The base class of stages that tune a model."""

from abc import abstractmethod
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline.runs.context import Context
from pipeline.stage import Product
from pipeline.training.settings import Training, TrainingSettings


class Trains(TrainingSettings, Product):
    """A product that tunes a model on a dataset; `gain` uses it to tune other models in the same way."""

    dataset: str = Field(
        default="dataset",
        description="a folder in that of the run; else a JSON, JSONL or Parquet file, a folder or a name on the hub",
    )
    model: str = Field(default="", description="a folder or a name on the hub; empty: the model of the run")

    @abstractmethod
    def place(self, folder: Path) -> Path | str:
        """The path or name of the dataset; one in the folder of the run comes first."""

    @abstractmethod
    def training(self, dataset: Path | str, context: Context, **changes: Any) -> Training:
        """The rows of a dataset and everything else a training needs; `changes` overrides settings.

        It closes the engine of the run, to free its memory.

        Raises:
            SproutError: if no model is named, or for a dataset that cannot be read.
        """
