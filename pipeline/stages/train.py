"""Tune the model on the dataset, or on any other."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from pipeline.dataset.exports import check_reviewed
from pipeline.dataset.read import read_dataset
from pipeline.engines.model_folder import check_model, choose_chat, is_hub_name
from pipeline.errors import SproutError
from pipeline.resources import located
from pipeline.runs.context import Context
from pipeline.seeds.datasets import on_hub, place_of
from pipeline.stage import Flag, Product
from pipeline.task import Task
from pipeline.text import counted
from pipeline.training.settings import Training, TrainingSettings
from pipeline.training.trains import Trains
from pipeline.training.tune import tune

logger = logging.getLogger(__name__)


class Train(Trains):
    """Writes a Hugging Face model folder, with figures in train.json and, with LoRA, the adapter in adapter/.

    It is tuned on the dataset of the run, or on any other: base models on prompt and completion, chat models on
    messages, with the loss on the answers alone. The validation split is what the loss is measured on.

    Example:
        >>> Train(dataset="alpaca.json", model="HuggingFaceTB/SmolLM2-135M", method="lora")
    """

    path: ClassVar[str] = "model"
    of_tasks: ClassVar[bool] = False
    optional: ClassVar[bool] = True
    caption: ClassVar[str] = "the tuned model, a Hugging Face folder"
    flags: ClassVar[tuple[Flag, ...]] = (
        Flag("--dataset", "what to tune on: a JSON, JSONL or Parquet file, a folder or a name on the hub"),
    )

    chat: bool | None = Field(
        default=None, description="unset: as the run asks the model; for another model, if it has a chat template"
    )

    @model_validator(mode="after")
    def _check_model(self) -> "Train":
        if self.model:
            check_model(located(self.model))
        return self

    @property
    def uses_model(self) -> bool:
        return not self.model

    def needs(self) -> dict[str, str]:
        return {"trl": "train", "peft": "train"}

    def lack(self, context: Context) -> str | None:
        """A model with weights, or something to tune on, which an earlier product of the run may write."""
        if lack := self._lack_of_weights(context):
            return lack
        made = {one.written for one in context.stages if isinstance(one, Product)}
        if self.dataset in made or Path(self.place(context.folder)).exists() or on_hub(place_of(self.dataset).path):
            return None
        return (
            f"{self.name}.dataset: there is no {self.dataset}, and no stage before writes it; list `export`, or name a "
            "file or folder of rows"
        )

    def make(self, tasks: Sequence[Task], context: Context) -> None:
        dataset = self.place(context.folder)
        check_reviewed(dataset)
        training = self.training(dataset, context)
        rows = counted(len(training.rows), "row")
        logger.info("%s: from %s of %s to %s", self.name, rows, dataset, context.folder / self.written)
        tune(training, context.folder / self.written)

    def place(self, folder: Path) -> Path | str:
        own = folder / self.dataset
        return own if own.is_dir() or self.dataset == type(self).model_fields["dataset"].default else self.dataset

    def training(self, dataset: Path | str, context: Context, **changes: Any) -> Training:
        if lack := self._lack_of_weights(context):
            raise SproutError(lack)
        model = located(self.model or context.engine.model)
        check_model(model)
        asked = context.engine.chat if self.chat is None and model == context.engine.model else self.chat
        chat = choose_chat(model, asked)
        context.engine.close()
        settings = TrainingSettings(**{key: getattr(self, key) for key in TrainingSettings.model_fields} | changes)
        rows = read_dataset(dataset, chat, preference=settings.objective == "dpo")
        return Training(model=model, rows=rows.train, validation=rows.validation, settings=settings)

    def _lack_of_weights(self, context: Context) -> str | None:
        model = located(self.model or context.engine.model)
        if not model:
            return f"{self.name}: no model is named; give a folder, a name on the hub, or nano, with --model"
        if self.model or context.engine.loads_folders or is_hub_name(model) or Path(model).is_dir():
            return None
        return (
            f"{self.name}: the model of the run, {model}, is a name on its server, and training needs weights; set "
            f"{self.name}.model to a folder or a name on the hub"
        )
