"""The record of a training, as in the train.json of a tuned model."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Trained(BaseModel):
    """How a training went."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str  # that was tuned
    chat: bool  # whether its rows are messages
    rows: int
    validation_rows: int
    steps: int  # behind the weights that are saved
    max_steps: int
    tokens: int  # without padding, over all epochs
    tokens_per_step: int  # what a batch holds
    seconds: float  # of the last sitting, if there were several
    loss: list[tuple[int, float]]  # by step
    validation_loss: list[tuple[int, float]]


class TrainRecord(Trained):
    """The same, with what the model was made of."""

    settings: dict[str, Any]  # those that bear on the weights
    fingerprint: str
