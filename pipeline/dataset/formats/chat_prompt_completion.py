"""Messages for a chat model, cut where the answer begins: the loss needs no help from the chat template."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pipeline.dataset.files import Line
from pipeline.dataset.formats.turns import Conversation, messages_of
from pipeline.dataset.rows import Row
from pipeline.seeds.conversations import listed


class ChatPromptCompletion(Conversation):
    meaning = "`prompt`, `completion`: lists of messages for a chat model, as TRL takes them with any chat template"
    trainers: ClassVar[Mapping[str, Mapping[str, Any]]] = {"trl": {"completion_only_loss": True}}

    def columns(self, row: Row) -> Line:
        user, assistant = messages_of(row)
        return {"id": row.id, "prompt": [user], "completion": [assistant]}

    def turns(self, line: Line) -> Any:
        prompt, completion = (listed(line.get(name)) for name in ("prompt", "completion"))
        both = isinstance(prompt, list) and isinstance(completion, list)
        return [*prompt, *completion] if both else None
