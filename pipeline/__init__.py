"""Sprout grows a handful of seed tasks into an instruction-tuning dataset (Self-Instruct, Wang et al. 2022)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.engines.base import Completion, Engine, Likelihood, Request, Sampling, ScoreRequest
    from pipeline.errors import EngineUnreachable, SproutError
    from pipeline.runs.budget import Budget, Prices
    from pipeline.runs.context import Context
    from pipeline.runs.run import Progress, RunOptions, run
    from pipeline.seeds.read import read_seeds
    from pipeline.stage import Product, Stage
    from pipeline.task import Instance, Task, read_tasks

__version__ = "0.1.0"

# Imported when first used, so that `import pipeline` and `sprout --help` are instant.
_MODULES = {
    "pipeline.engines.base": ["Completion", "Engine", "Likelihood", "Request", "Sampling", "ScoreRequest"],
    "pipeline.errors": ["EngineUnreachable", "SproutError"],
    "pipeline.runs.budget": ["Budget", "Prices"],
    "pipeline.runs.context": ["Context"],
    "pipeline.runs.run": ["Progress", "RunOptions", "run"],
    "pipeline.seeds.read": ["read_seeds"],
    "pipeline.stage": ["Product", "Stage"],
    "pipeline.task": ["Instance", "Task", "read_tasks"],
}

__all__ = [
    "Budget",
    "Completion",
    "Context",
    "Engine",
    "EngineUnreachable",
    "Instance",
    "Likelihood",
    "Prices",
    "Product",
    "Progress",
    "Request",
    "RunOptions",
    "Sampling",
    "ScoreRequest",
    "SproutError",
    "Stage",
    "Task",
    "read_seeds",
    "read_tasks",
    "run",
]


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            value = getattr(import_module(module), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
