"""The contents of gain.json: a row for each model, or for the models of several random seeds."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.evaluation.confidence import Difference, Figure, Unit

FILE = "gain.json"
PAGE = "gain.md"  # the same as a table to read


class Seeded(BaseModel):
    """The scores of one random seed's model."""

    model_config = ConfigDict(frozen=True)

    missing: int  # answers, each counted as empty
    rouge_l: Figure
    exact_match: Figure
    match: Figure


class ModelRow(BaseModel):
    """What a model was tuned on, and its scores."""

    model_config = ConfigDict(frozen=True)

    name: str
    tuned_on: str  # in words
    num_demos: tuple[int, ...] = ()  # seed tasks shown in each prompt, for each random seed
    rows: tuple[int, ...] = ()  # of the training, for each random seed; none for the base model
    steps: tuple[int, ...] = ()
    tokens: tuple[int, ...] = ()
    rouge_l: Figure  # over all random seeds
    exact_match: Figure
    match: Figure
    by_random_seed: dict[str, Seeded]


class GainRow(ModelRow):
    """A model of a run, and its comparison with the dataset."""

    dataset: dict[str, Difference] = {}  # by metric: the dataset against this; none for the dataset itself


class Gain(BaseModel):
    """All rows, on the same held-out instances."""

    model_config = ConfigDict(frozen=True)

    instances: int
    resampled: Unit  # what the intervals draw again
    random_seeds: tuple[int, ...]
    rows: tuple[GainRow, ...]


class RecipeRow(ModelRow):
    """A dataset, or the base model, and its comparison with each of the others."""

    dataset: str = ""  # where it is
    num_overlaps: int = 0  # rows left out because they overlap with held-out tasks
    against: dict[str, dict[str, Difference]]  # by the name of the other row, and by metric


class RecipeGain(BaseModel):
    """All rows, on the same held-out instances, tuned on equal amounts of data for the same number of steps."""

    model_config = ConfigDict(frozen=True)

    instances: int
    resampled: Unit
    random_seeds: tuple[int, ...]
    same: Literal["rows", "tokens"]  # what was taken as much of from each dataset
    number: int
    rows: tuple[RecipeRow, ...]
