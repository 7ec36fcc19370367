"""How likely a model finds the outputs, given the task."""

from pipeline.scorers.base import Scoring, pooled
from pipeline.scorers.wording import Wording
from pipeline.task import Task


def likelihood(task: Task, wording: Wording) -> Scoring:
    """The mean log-probability of the outputs' tokens after the task; GRAPE keeps the highest (arXiv 2502.04194).

    In nats, so never above 0.
    """
    return pooled((yield [wording.output(task, instance) for instance in task.instances]))
