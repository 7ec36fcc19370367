"""Messages of a user and an assistant, as TRL, axolotl and LLaMA-Factory take them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pipeline.dataset.files import Line
from pipeline.dataset.formats.turns import Conversation, messages_of
from pipeline.dataset.rows import Row
from pipeline.seeds.shapes import CONVERSATIONS

_TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}


class Messages(Conversation):
    meaning = "`messages` of a user and an assistant: for a chat model, as TRL takes it"
    trainers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "trl": {"assistant_only_loss": True},
        "axolotl": {"type": "chat_template", "field_messages": "messages"},
        "llamafactory": {"formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": _TAGS},
    }

    def columns(self, row: Row) -> Line:
        return {"id": row.id, "messages": messages_of(row)}

    def turns(self, line: Line) -> Any:
        names = (name for name in CONVERSATIONS if name != "conversations")  # which is ShareGPT's
        return next((line[name] for name in names if line.get(name) is not None), None)
