"""Conversations in which the user asks whether an answer is certain, or refusals (R-Tuning, arXiv 2311.09677)."""

from collections.abc import Iterable
from typing import ClassVar

from pydantic import BaseModel

from pipeline.dataset.files import Line
from pipeline.dataset.formats.messages import Messages
from pipeline.dataset.formats.sureness import ASKED, CertaintyOptions, certain
from pipeline.dataset.formats.turns import messages_of
from pipeline.dataset.rows import Row


class ChatCertainty(Messages):
    meaning = "`messages` for a chat model, which says, when asked, whether its answer is certain"
    of_answers = True
    lack = "the score that says whether the model knows the answer"
    Options: ClassVar[type[BaseModel]] = CertaintyOptions

    def recognises(self, line: Line) -> bool:
        return False  # such rows are those of messages

    def parts(self, row: Row) -> Iterable[Row]:
        return certain(row, self.options)

    def columns(self, row: Row) -> Line:
        asked, said = row.said.get(ASKED, ("", ""))
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}] if asked else []
        return {"id": row.id, "messages": [*messages_of(row), *turns]}
