"""The product of other scores."""

import math
from typing import Annotated

from pydantic import Field

from pipeline.scorers.base import NoNumber, Number
from pipeline.task import Task

Of = Annotated[tuple[str, ...], Field(min_length=1, description="the names of the scores")]


def product(task: Task, *, of: Of) -> Number:
    """The task's other scores, multiplied: DEITA's is complexity times quality (arXiv 2312.15685, section 3.1)."""
    if missing := [name for name in of if name not in task.scores]:
        raise NoNumber(f"it has no {', '.join(missing)}")
    return math.prod(task.scores[name] for name in of)
