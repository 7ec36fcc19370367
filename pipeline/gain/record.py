"""What a gain comes to, as gain.json holds it: a row for each model, or for the models of several random seeds."""

from pydantic import BaseModel, ConfigDict

from pipeline.evaluation.confidence import Difference, Figure, Unit


class Seeded(BaseModel):
    """The scores of the model of one random seed."""

    model_config = ConfigDict(frozen=True)

    missing: int  # answers, each counted as empty
    rouge_l: Figure
    exact_match: Figure
    match: Figure


class GainRow(BaseModel):
    """What a model was tuned on, what it scores, and how the dataset compares with it."""

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
    dataset: dict[str, Difference] = {}  # by metric: the dataset against this; none for the dataset itself


class Gain(BaseModel):
    """Each row on the same held-out instances."""

    model_config = ConfigDict(frozen=True)

    instances: int
    resampled: Unit  # what the intervals draw again
    random_seeds: tuple[int, ...]
    rows: tuple[GainRow, ...]
