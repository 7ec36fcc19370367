"""Answers that say whether the model knows them, or refusals where it does not (R-Tuning, arXiv 2311.09677)."""

from collections.abc import Iterable
from typing import ClassVar

from pydantic import BaseModel

from pipeline.dataset.files import Line
from pipeline.dataset.formats.prompt_completion import PromptCompletion
from pipeline.dataset.formats.sureness import CertaintyOptions, certain
from pipeline.dataset.rows import Row


class Certainty(PromptCompletion):
    meaning = "`prompt`, `completion`: text for a base model, which says whether the answer is certain"
    of_answers = True
    lack = "the score that says whether the model knows the answer"
    Options: ClassVar[type[BaseModel]] = CertaintyOptions

    def recognises(self, line: Line) -> bool:
        return False  # such rows are those of prompt_completion

    def parts(self, row: Row) -> Iterable[Row]:
        return certain(row, self.options)
