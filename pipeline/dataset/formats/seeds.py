"""Tasks with all their instances, as Self-Instruct has them: the seeds of a next run."""

from collections.abc import Sequence
from typing import Any

from pipeline.dataset.content import InstructionRow
from pipeline.dataset.formats.base import Fields, Format
from pipeline.errors import SproutError
from pipeline.seeds.read import problem_of
from pipeline.task import Instance, Task
from pipeline.text import mend


class Seeds(Format):
    meaning = "tasks with all their instances, as Self-Instruct has them: the seeds of a next run"
    of_tasks = True

    class fields(Fields):
        instruction: str
        instances: tuple[Instance, ...]
        rejected: str = ""

        def rows(self) -> Sequence[InstructionRow]:
            instances = () if self.rejected else self.instances
            return [InstructionRow(instruction=self.instruction, **dict(instance)) for instance in instances]

    def columns(self, task: Task) -> dict[str, Any]:
        if problem := problem_of(task):
            raise SproutError(f"task {task.id} cannot be exported as a seed task: {problem}")
        instances = [{"input": mend(one.input), "output": mend(one.output)} for one in task.instances]
        kept = {"id": task.id, "name": mend(task.name), "instruction": mend(task.instruction), "instances": instances}
        return kept | {"is_classification": task.is_classification}
