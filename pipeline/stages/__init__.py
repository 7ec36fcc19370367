"""The stages and products, in order. The list is the pipeline."""

from pipeline.stage import Product, Stage
from pipeline.stages.classify import Classify
from pipeline.stages.decontaminate import Decontaminate
from pipeline.stages.dedup import Dedup
from pipeline.stages.evaluate import Evaluate
from pipeline.stages.export import Export
from pipeline.stages.filter import Filter
from pipeline.stages.instances import Instances
from pipeline.stages.instructions import Instructions
from pipeline.stages.judge import Judge
from pipeline.stages.train import Train
from pipeline.stages.verify import Verify

STAGES: list[type[Stage] | type[Product]] = [
    Instructions, Classify, Instances, Filter, Verify, Dedup, Decontaminate, Export, Train, Evaluate,
    Judge,
]  # fmt: skip

__all__ = [
    "STAGES",
    "Classify",
    "Decontaminate",
    "Dedup",
    "Evaluate",
    "Export",
    "Filter",
    "Instances",
    "Instructions",
    "Judge",
    "Train",
    "Verify",
]
