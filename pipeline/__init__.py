"""Sprout grows a handful of seed tasks into an instruction-tuning dataset (Self-Instruct, Wang et al. 2022)."""

from pipeline.engines import Completion, Engine, Request, Sampling
from pipeline.errors import SproutError
from pipeline.run import run
from pipeline.seeds import read_seeds
from pipeline.stage import Product, Run, Stage
from pipeline.task import Instance, Task, read_tasks

__version__ = "0.1.0"

__all__ = [
    "Completion", "Engine", "Instance", "Product", "Request", "Run", "Sampling", "SproutError", "Stage", "Task",
    "read_seeds", "read_tasks", "run",
]  # fmt: skip
