"""All answers, right and wrong, each behind the verdict of a check on it (LeTI, arXiv 2305.10314)."""

from collections.abc import Iterable
from typing import ClassVar

from pydantic import BaseModel

from pipeline.dataset.files import Line
from pipeline.dataset.formats.prompt_completion import PromptCompletion
from pipeline.dataset.formats.reports import FeedbackOptions, reported
from pipeline.dataset.rows import Row


class Feedback(PromptCompletion):
    meaning = "`prompt`, `completion`: text for a base model, with the verdict on the answer before the task"
    of_answers = True
    lack = "an answer that a check has judged"
    Options: ClassVar[type[BaseModel]] = FeedbackOptions

    def recognises(self, line: Line) -> bool:
        return False  # such rows are those of prompt_completion

    def parts(self, row: Row) -> Iterable[Row]:
        return reported(row, self.options)
