"""All answers of a chat model, right and wrong, each behind the verdict of a check (LeTI, arXiv 2305.10314)."""

from collections.abc import Iterable
from typing import ClassVar

from pydantic import BaseModel

from pipeline.dataset.files import Line
from pipeline.dataset.formats.chat_prompt_completion import ChatPromptCompletion
from pipeline.dataset.formats.reports import FeedbackOptions, reported
from pipeline.dataset.rows import Row


class ChatFeedback(ChatPromptCompletion):
    meaning = "`prompt`, `completion`: messages for a chat model, with the verdict on the answer before the task"
    of_answers = True
    lack = "an answer that a check has judged"
    Options: ClassVar[type[BaseModel]] = FeedbackOptions

    def recognises(self, line: Line) -> bool:
        return False  # such rows are those of chat_prompt_completion

    def parts(self, row: Row) -> Iterable[Row]:
        return reported(row, self.options)
