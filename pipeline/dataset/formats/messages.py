"""Messages of a user and an assistant, as TRL, axolotl and LLaMA-Factory take them."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pipeline.dataset.content import ChatRow
from pipeline.dataset.formats.base import Fields, Format
from pipeline.dataset.formats.turns import Turn, messages_of
from pipeline.dataset.rows import Row

_TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}


class Messages(Format):
    meaning = "`messages` of a user and an assistant: for a chat model, as TRL takes it"
    shape = "messages"
    trainers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "trl": {"assistant_only_loss": True},
        "axolotl": {"type": "chat_template", "field_messages": "messages"},
        "llama_factory": {
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": _TAGS,
        },
    }

    class fields(Fields):
        messages: tuple[Turn, ...]

        def rows(self) -> Sequence[ChatRow]:
            return [ChatRow(messages=tuple(turn.message for turn in self.messages))]

    def columns(self, row: Row) -> dict[str, Any]:
        return {"id": row.id, "messages": messages_of(row)}
