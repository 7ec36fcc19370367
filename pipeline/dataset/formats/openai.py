"""Lines for a fine-tuning job with OpenAI, which takes no other columns."""

from typing import Any

from pipeline.dataset.formats.base import Format
from pipeline.dataset.formats.messages import Messages
from pipeline.dataset.formats.turns import messages_of
from pipeline.dataset.rows import Row


class OpenAI(Format):
    meaning = "lines for a fine-tuning job with OpenAI: `messages` and nothing else"
    shape = "messages"
    fields = Messages.fields

    def columns(self, row: Row) -> dict[str, Any]:
        return {"messages": messages_of(row)}
