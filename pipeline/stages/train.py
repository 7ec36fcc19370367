"""Tune the model on the dataset."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from pipeline.dataset import rows as export
from pipeline.dataset.presets import PRESETS
from pipeline.dataset.rows import Row
from pipeline.engines.model_folder import check_model, load_tokenizer
from pipeline.gain.controls import Control, control_tasks, count_tokens
from pipeline.resources import shown
from pipeline.runs.context import Context
from pipeline.stage import Product
from pipeline.task import Task
from pipeline.training.sft import Training
from pipeline.training.trainer import tune


class Train(Product):
    """A Hugging Face model folder, with the training's figures in train.json; with LoRA also the adapter in adapter/.

    Base models are tuned on prompt and completion, chat models on messages; the loss is on the completion alone. A
    share of the generated tasks is held back, to measure the loss on: all models of a run on the same.
    """

    path: ClassVar[str] = "model"
    growable: ClassVar[frozenset[str]] = frozenset({"checkpoint_steps", "controls", "num_processes"})

    optional: ClassVar[bool] = True
    caption: ClassVar[str] = "the tuned model, a Hugging Face folder"

    model: str = ""  # a folder or a name on the hub; empty: the model of the run
    chat: bool | None = None  # unset: as the run asks the model; for another model, if it has a chat template
    method: Literal["full", "lora"] = "full"
    learning_rate: float | None = Field(default=None, gt=0)  # unset: 2e-5, with LoRA 2e-4
    num_epochs: float = Field(default=2, gt=0)  # Self-Instruct, its fine-tuning script
    max_steps: int | None = Field(default=None, ge=1)  # in place of num_epochs
    batch_size: int | None = Field(default=None, ge=1)  # rows per step, over all processes; unset: 32, with LoRA 16
    gradient_accumulation: int = Field(default=1, ge=1)  # parts a batch is cut into, where memory is short
    num_processes: int | None = Field(default=None, ge=1)  # unset: one for each GPU, as far as they divide a batch
    max_length: int = Field(default=1024, ge=2)  # tokens; a longer row loses its end
    padding_free: bool = False  # batches without padding: faster; on a GPU with the package flash-attn
    warmup_ratio: float = Field(default=0.03, ge=0, lt=1)  # Alpaca and QLoRA
    lr_scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"  # Alpaca
    lora_rank: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=32, ge=1)  # twice the rank: Biderman et al. 2024, arXiv 2405.09673
    random_seed: int = 0
    encoding: export.Encoding = "random"
    input_noise: bool = False
    include_seeds: bool = True
    validation_share: float = Field(default=0.02, ge=0, lt=1)  # of the generated tasks, held back for the loss
    num_validations: int = Field(default=10, ge=1)  # how often that loss is measured
    patience: int | None = Field(default=None, ge=1)  # measures without a better one, then it stops; the best is kept
    controls: tuple[Control, ...] = ()  # what else to tune on, for as many steps: model_seeds beside model, …
    checkpoint_steps: int = Field(default=100, ge=1)  # how often a killed training can go on from

    @model_validator(mode="after")
    def _check(self) -> "Train":
        parts = self.gradient_accumulation * (self.num_processes or 1)
        if self.rows_per_step % parts:
            raise ValueError(f"a batch of {self.rows_per_step} cannot be cut into {parts} parts")
        if self.model:
            check_model(self.model)
        return self

    @property
    def rows_per_step(self) -> int:
        return self.batch_size or PRESETS[self.method].batch_size

    def needs(self) -> dict[str, str]:
        return {"trl": "train", "peft": "train"}

    def make(self, tasks: Sequence[Task], context: Context) -> None:
        self.tune_all(
            tasks, context, lambda name: context.folder / (self.path if name == "dataset" else f"{self.path}_{name}")
        )

    def tune_all(self, tasks: Sequence[Task], context: Context, place: Callable[[str], Path]) -> None:
        """Tune on the tasks, and on each of the controls; `place` says where the model of each is saved."""
        model = self.model or context.engine.model
        chat = context.engine.chat if self.chat is None and model == context.engine.model else self.chat
        settings = self.model_copy(update={"model": shown(model), "chat": chat})
        seeds = context.seeds if self.include_seeds else ()
        context.engine.close()
        rows, validation = self.split(self.rows([*tasks, *seeds]), seeds)
        record = tune(Training(model, rows, settings, validation), place("dataset"))
        same_steps = settings.model_copy(update={"max_steps": record["max_steps"], "patience": None})
        for control in self.controls:
            chosen = control_tasks(control, tasks, context, self.random_seed, lambda some: self.sizes(some, model))
            rows = self.rows(chosen if control == "seeds" else [*chosen, *seeds])
            rows, _ = self.split(rows, context.seeds)
            tune(Training(model, rows, same_steps, validation, record["steps"]), place(control))

    def split(self, rows: Sequence[Row], seeds: Sequence[Task]) -> tuple[list[Row], list[Row]]:
        """The rows to tune on, and those of the tasks held back; a seed task never is."""
        kept = {task.id for task in seeds}
        held = {
            row.task
            for row in rows
            if row.task not in kept and export.held_back(row.task, self.validation_share, self.random_seed)
        }
        return [row for row in rows if row.task not in held], [row for row in rows if row.task in held]

    def sizes(self, tasks: Sequence[Task], model: str) -> dict[str, int]:
        tokenizer = load_tokenizer(model)
        return count_tokens(self.rows(tasks), lambda text: len(tokenizer(text)["input_ids"]))

    def rows(self, tasks: Sequence[Task]) -> list[Row]:
        return export.rows(tasks, encoding=self.encoding, random_seed=self.random_seed, input_noise=self.input_noise)
