"""Messages for a chat model, cut where the answer begins: the loss needs no help from the chat template."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pipeline.dataset.content import ChatRow
from pipeline.dataset.files import Record
from pipeline.dataset.formats.base import Fields, Format
from pipeline.dataset.formats.turns import Turn, messages_of
from pipeline.dataset.rows import Row


class ChatPromptCompletion(Format):
    meaning = "`prompt`, `completion`: lists of messages for a chat model, as TRL takes them with any chat template"
    shape = "messages"
    trainers: ClassVar[Mapping[str, Mapping[str, Any]]] = {"trl": {"completion_only_loss": True}}

    class fields(Fields):
        prompt: tuple[Turn, ...]
        completion: tuple[Turn, ...]

        def rows(self) -> Sequence[ChatRow]:
            return [ChatRow(messages=tuple(turn.message for turn in (*self.prompt, *self.completion)))]

    def columns(self, row: Row) -> dict[str, Any]:
        user, assistant = messages_of(row)
        return {"id": row.id, "prompt": [user], "completion": [assistant]}

    def recognises(self, record: Record) -> bool:
        return isinstance(record.get("prompt"), list) and "completion" in record
