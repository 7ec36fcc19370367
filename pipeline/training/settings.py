"""How a model is tuned, and on which rows."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.dataset.content import ChatRow, PreferenceRow, TextRow
from pipeline.strict import Strict
from pipeline.training.presets import PRESETS, Preset

Scheduler = Literal["cosine", "linear", "constant", "constant_with_warmup"]


class TrainingSettings(Strict):
    """How a model is tuned, whatever it is tuned on.

    Example:
        >>> TrainingSettings(method="lora", num_epochs=3)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    growable: ClassVar[frozenset[str]] = frozenset({"checkpoint_steps", "num_processes"})  # the result is the same

    objective: Literal["sft", "dpo"] = Field(
        default="sft", description="sft: the answers; dpo: to prefer the better of two (arXiv 2305.18290)"
    )
    method: Literal["full", "lora", "half"] = Field(
        default="full",
        description="full tunes all weights; lora an adapter, which is merged into them; half only half of them, so "
        "that the model forgets less (HFT, arXiv 2404.18466)",
    )
    beta: float = Field(
        default=0.1, gt=0, description="of dpo: a higher one keeps the model closer to what it was; DPO"
    )
    mask_input: float = Field(
        default=0.0, ge=0, lt=1,
        description="share of an answer's tokens that are hidden from the model while it learns them (Masked Thought, "
        "arXiv 2403.02178: 0.4 for GSM8K, 0.2 for MATH)",
    )  # fmt: skip
    mask_ramp: float = Field(
        default=0.67, gt=0, le=1, description="of all steps, those in which that share rises from 0; Masked Thought"
    )
    learning_rate: float | None = Field(
        default=None, gt=0, description="unset: 2e-5, with lora 2e-4; for dpo 1e-6, with lora 5e-6"
    )
    num_epochs: float = Field(default=2, gt=0, description="passes over the rows; Self-Instruct, its training script")
    max_steps: int | None = Field(default=None, ge=1, description="steps to train for, in place of num_epochs")
    batch_size: int | None = Field(
        default=None, ge=1, description="rows per step, over all processes; unset: 32, for dpo 64, with lora 16"
    )
    gradient_accumulation: int = Field(default=1, ge=1, description="parts that a batch is split into, to save memory")
    num_processes: int | None = Field(
        default=None, ge=1, description="unset: one for each GPU, as far as they divide a batch"
    )
    max_length: int = Field(default=1024, ge=2, description="in tokens; longer rows are cut")
    padding_free: bool = Field(
        default=False, description="batches without padding: faster, on a GPU with the package flash-attn"
    )
    warmup_ratio: float = Field(default=0.03, ge=0, lt=1, description="a share of all steps; Alpaca and QLoRA")
    lr_scheduler: Scheduler = Field(default="cosine", description="how the learning rate falls; Alpaca")
    lora_rank: int = Field(default=16, ge=1, description="rank of the adapter's matrices")
    lora_alpha: int = Field(default=32, ge=1, description="twice the rank: Biderman et al. 2024, arXiv 2405.09673")
    shuffle: bool = Field(
        default=True, description="false: in the order of the dataset, epoch by epoch, for a curriculum"
    )
    random_seed: int = Field(default=0, description="of the order of the rows and of the adapter")
    num_validations: int = Field(default=10, ge=1, description="how often the loss on the validation split is measured")
    patience: int | None = Field(
        default=None,
        ge=1,
        description="stop after this many measurements without improvement; keep the best weights",
    )
    checkpoint_steps: int = Field(
        default=100, ge=1, description="steps between checkpoints, from which a killed training continues"
    )

    @model_validator(mode="after")
    def _check_objective(self) -> "TrainingSettings":
        if self.objective == "dpo":
            for name in ("mask_input", "padding_free"):
                if getattr(self, name):
                    raise ValueError(f'{name} has no effect with objective = "dpo"; delete it')
        elif self.beta != type(self).model_fields["beta"].default:
            raise ValueError('beta is for objective = "dpo"; delete it, or set that')
        if not self.mask_input and self.mask_ramp != type(self).model_fields["mask_ramp"].default:
            raise ValueError("mask_ramp has no effect without mask_input; set that too")
        return self

    @model_validator(mode="after")
    def _check_parts(self) -> "TrainingSettings":
        parts = self.gradient_accumulation * (self.num_processes or 1)
        if self.rows_per_step % parts:
            raise ValueError(f"a batch of {self.rows_per_step} cannot be cut into {parts} parts")
        return self

    @property
    def preset(self) -> Preset:
        return PRESETS[self.objective][self.method]

    @property
    def rows_per_step(self) -> int:
        return self.batch_size or self.preset.batch_size

    @property
    def of_ours(self) -> list[str]:
        """The settings that have an effect and that no other trainer knows."""
        return ["method"] * (self.method == "half") + ["mask_input"] * bool(self.mask_input)

    def of_result(self) -> dict[str, Any]:
        """The settings that affect the weights."""
        names = TrainingSettings.model_fields.keys() - TrainingSettings.growable
        return self.model_dump(mode="json", include=names)


class Training(BaseModel):
    """A model, the rows it is tuned on, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="a folder, or a name on the hub")
    rows: Sequence[TextRow] | Sequence[ChatRow] | Sequence[PreferenceRow]
    settings: TrainingSettings = TrainingSettings()
    validation: Sequence[TextRow] | Sequence[ChatRow] | Sequence[PreferenceRow] = Field(
        default=(), description="to measure the loss on a few times during training"
    )
    last_step: int | None = Field(
        default=None, description="stop after this step, with the learning rate of the whole training"
    )

    @property
    def chat(self) -> bool:
        """Whether its rows are messages, which go through the chat template."""
        return any(isinstance(row, ChatRow) or (isinstance(row, PreferenceRow) and row.chat) for row in self.rows[:1])
