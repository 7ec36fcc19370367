"""The gate of the pool: an instruction passes its filters and is unlike every text that is already there."""

from collections.abc import Collection, Iterable, Sequence

from pipeline.filters.instructions import Filter, first_reason
from pipeline.novelty.rouge import RougeIndex
from pipeline.task import Task


class Gate:
    """Decides tasks one after another: of several that are alike, the first is let through.

    Args:
        texts: What is in the pool before.
        max_rouge: ROUGE-L F1 with a text of the pool, above which a task is not new; None: nothing is compared.
        filters: What rejects a task before it is compared.
    """

    def __init__(self, texts: Iterable[str], max_rouge: float | None, filters: Sequence[Filter] = ()) -> None:
        self.filters = filters
        self.index = RougeIndex(texts, max_rouge) if max_rouge is not None else None

    def add(self, text: str) -> None:
        """Put a text into the pool, whatever it is."""
        if self.index is not None:
            self.index.add(text)

    def judge(self, task: Task, but: Collection[str] = ()) -> Task:
        """The task, rejected with a reason, or let through and so in the pool.

        Args:
            but: Texts that it may be like, such as those that it was made from.
        """
        if reason := first_reason(task, self.filters):
            return task.reject(reason)
        if self.index is None:
            return task
        score, text = self.index.nearest(task.instruction, but)
        if text is not None:
            return task.score(rouge_l=round(score, 4)).update(meta=task.meta | {"nearest": text}).reject("not_new")
        self.index.add(task.instruction)
        return task
