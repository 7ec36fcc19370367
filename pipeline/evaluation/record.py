"""The contents of evaluation.json: an entry for each model, by its name."""

import logging
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pipeline.evaluation.confidence import Difference, Figure, Unit
from pipeline.evaluation.metrics import Aggregate
from pipeline.evaluation.phrasings import Spread
from pipeline.runs.products import read_record, write_record

logger = logging.getLogger(__name__)

FILE = "evaluation.json"
Value = str | int | float | bool | None


class Harness(BaseModel):
    """The lm-evaluation-harness's figures for a model."""

    model_config = ConfigDict(frozen=True)

    version: str | None  # of the harness
    tasks: dict[str, dict[str, Value]]  # the figures of each task, by "metric,filter"
    versions: dict[str, Value]  # of the tasks


class Evaluated(BaseModel):
    """A model that was evaluated, or a file of predictions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None
    predictions: str | None = None  # the file they are from
    chat: bool | None = None  # whether it was asked by messages
    num_demos: int | None = None  # how many seed tasks it was shown


class HarnessOnly(Evaluated):
    """A model that only lm-eval has measured."""

    lm_eval: Harness


class Scored(Aggregate, Evaluated):
    """A model's scores on the held-out tasks, and its comparison with the models before it."""

    missing: int  # answers, each counted as empty
    resampled: Unit  # what the intervals draw again
    interval: dict[str, Figure]  # by metric
    against: dict[str, dict[str, Difference]]  # by the name of the other model, and by metric
    tokenizer: str | None = None  # of ROUGE-L, where it is not the published one
    lm_eval: Harness | None = None
    phrasings: dict[str, Spread] = {}  # by metric, where instances were also asked in other wordings


Evaluation = Mapping[str, Scored | HarnessOnly]
_ADAPTER: TypeAdapter[dict[str, Scored | HarnessOnly]] = TypeAdapter(dict[str, Scored | HarnessOnly])


def write_evaluation(folder: Path, evaluation: Evaluation, name: str = FILE) -> None:
    """Write `folder`/evaluation.json, or a file of another name; an entry has only what applies to its model."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = {name: entry.model_dump(mode="json", exclude_defaults=True) for name, entry in evaluation.items()}
    write_record(folder / name, entries)


def read_evaluation(folder: Path, name: str = FILE) -> Evaluation:
    """The evaluation of a folder; empty, with a warning, if it cannot be read."""
    try:
        return _ADAPTER.validate_python(read_record(folder / name))
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        logger.warning("%s: is not as this version writes it (%s), so it is passed over; evaluate again to have it "
                       "written anew", folder / name, place)  # fmt: skip
        return {}
