"""Lines for a fine-tuning job with OpenAI, which takes no other columns."""

from typing import Any, ClassVar

from pipeline.dataset.files import Line
from pipeline.dataset.formats.turns import Conversation, messages_of
from pipeline.dataset.rows import Row


class OpenAI(Conversation):
    meaning = "lines for a fine-tuning job with OpenAI: `messages` and nothing else"
    carries: ClassVar[bool] = False

    def columns(self, row: Row) -> Line:
        return {"messages": messages_of(row)}

    def turns(self, line: Line) -> Any:
        return line.get("messages")
