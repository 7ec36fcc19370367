"""Tasks with all their instances, as Self-Instruct has them: the seeds of a next run."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator

from pipeline.dataset.content import Content, InstructionRow
from pipeline.dataset.files import Line
from pipeline.dataset.formats.base import Format, RowFields
from pipeline.errors import SproutError
from pipeline.seeds.conversations import listed
from pipeline.seeds.read import problem_of
from pipeline.seeds.values import Text
from pipeline.task import Instance, Task
from pipeline.text import mend


class Seeds(Format):
    meaning = "tasks with all their instances, as Self-Instruct has them: the seeds of a next run"
    of_tasks = True

    class fields(RowFields):
        instruction: Text
        instances: Annotated[tuple[Instance, ...], BeforeValidator(listed)]

        def rows(self) -> Sequence[InstructionRow]:
            texts = ((instance.input, instance.output) for instance in self.instances)
            return [InstructionRow(instruction=self.instruction, input=given, output=out) for given, out in texts]

    def columns(self, task: Task) -> Line:
        if problem := problem_of(task):
            raise SproutError(f"task {task.id} cannot be exported as a seed task: {problem}")
        instances = [{"input": mend(one.input), "output": mend(one.output)} for one in task.instances]
        kept = {"id": task.id, "name": mend(task.name), "instruction": mend(task.instruction), "instances": instances}
        return kept | {"is_classification": task.is_classification}

    def contents(self, line: Line, where: str, notes: Counter[str]) -> Sequence[Content]:
        if line.get("rejected"):
            notes["rejected tasks that are passed over"] += 1
            return []
        return super().contents(line, where, notes)
