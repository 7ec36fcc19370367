"""What a dataset holds, in the figures of the paper's Table 1."""

from collections import Counter

from pydantic import BaseModel, ConfigDict

from pipeline.dataset.formats.base import SPLITS, Split
from pipeline.dataset.rows import Row
from pipeline.task import Task


class SplitSize(BaseModel):
    model_config = ConfigDict(frozen=True)

    tasks: int
    instances: int


class MeanWords(BaseModel):
    """Of instructions once per task, of inputs where there is one."""

    model_config = ConfigDict(frozen=True)

    instruction: float
    input: float
    output: float


class Figures(BaseModel):
    """What was written, counted while it was."""

    model_config = ConfigDict(frozen=True)

    tasks: int
    instances: int
    splits: dict[Split, SplitSize]  # those that have a row
    classification_share: float  # of the tasks
    instances_with_input: int
    mean_words: MeanWords


class Counts:
    """Counts rows as they pass."""

    def __init__(self) -> None:
        self.tasks: Counter[Split] = Counter()
        self.instances: Counter[Split] = Counter()
        self.classification = 0
        self.words: Counter[str] = Counter()
        self.texts: Counter[str] = Counter()

    def add(self, split: Split, task: Task, row: Row, first: bool) -> None:
        """Count a row; `first` of its task."""
        self.instances[split] += 1
        self._count("output", row.output)
        if row.input:
            self._count("input", row.input)
        if first:
            self.tasks[split] += 1
            self.classification += bool(task.is_classification)
            self._count("instruction", row.instruction)

    def figures(self) -> Figures:
        num_tasks = self.tasks.total()
        found: list[Split] = [split for split in SPLITS if self.instances[split]]
        return Figures(
            tasks=num_tasks,
            instances=self.instances.total(),
            splits={one: SplitSize(tasks=self.tasks[one], instances=self.instances[one]) for one in found},
            classification_share=round(self.classification / max(1, num_tasks), 4),
            instances_with_input=self.texts["input"],
            mean_words=MeanWords(
                instruction=self._mean("instruction"), input=self._mean("input"), output=self._mean("output")
            ),
        )

    def _count(self, part: str, text: str) -> None:
        self.words[part] += len(text.split())
        self.texts[part] += 1

    def _mean(self, part: str) -> float:
        return round(self.words[part] / max(1, self.texts[part]), 2)
