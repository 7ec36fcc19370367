"""What the tables of worked examples and of labels share."""

from pipeline import Completion, Task
from pipeline.stages.filter import Filter
from pipeline.stages.instances import Instances


def filtered(text: str, instruction: str, is_classification: bool, finish_reason: str) -> Task:
    """The task with the instances that parser and filters keep of a completion."""
    task = Task(id="1", instruction=instruction, is_classification=is_classification)
    completion = Completion.model_validate({"id": "1", "text": text, "finish_reason": finish_reason})
    return Filter().judge(task.update(instances=Instances().parse(task, completion)))
