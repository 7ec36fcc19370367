"""The products of a run that its gain is measured with."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.dataset.exports import Exports
from pipeline.errors import SproutError
from pipeline.evaluation.evaluate import Evaluates
from pipeline.resources import located
from pipeline.runs.context import Context
from pipeline.stage import Product, Stage
from pipeline.training.trains import Trains


class GainProducts(NamedTuple):
    """The products that export the dataset of a run, tune on it, and evaluate."""

    export: Exports
    train: Trains
    evaluate: Evaluates

    def base(self, context: Context) -> str:
        """The model that is tuned."""
        return located(self.train.model or context.engine.model)


def products_of(stages: Sequence[Stage | Product]) -> GainProducts:
    """The products that a gain needs, among the stages of a run.

    Raises:
        SproutError: if one of them is missing.
    """
    trains = [stage for stage in stages if isinstance(stage, Trains)]
    evaluate = next((stage for stage in stages if isinstance(stage, Evaluates)), None)
    if not trains or evaluate is None or not evaluate.heldout:
        raise SproutError(
            "the gain is what tuning on the dataset is worth; add a table [train], and [evaluate] with heldout, to the "
            "settings"
        )
    if any(train.objective != "sft" for train in trains):
        raise SproutError(
            "the gain is measured for tuning on answers, since tuning by preference has no controls; set "
            'train.objective = "sft"'
        )
    exports = {stage.written: stage for stage in stages if isinstance(stage, Exports)}
    for train in trains:
        if (export := exports.get(train.dataset)) and export.whole:
            return GainProducts(export, train, evaluate)
    raise SproutError(
        "the gain is measured on the run's own dataset, and no stage is tuned on it; leave out train.dataset"
    )
