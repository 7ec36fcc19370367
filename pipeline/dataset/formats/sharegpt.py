"""Conversations as ShareGPT has them, and LLaMA-Factory and axolotl by default."""

from collections.abc import Sequence
from typing import Any

from pipeline.dataset.content import ChatRow
from pipeline.dataset.formats.base import Fields, Format
from pipeline.dataset.formats.turns import Turn, messages_of
from pipeline.dataset.rows import Row


class ShareGPT(Format):
    meaning = "`conversations` of `human` and `gpt`, as LLaMA-Factory and axolotl take it"
    shape = "messages"

    class fields(Fields):
        conversations: tuple[Turn, ...]
        system: str = ""

        def rows(self) -> Sequence[ChatRow]:
            system = ({"role": "system", "content": self.system},) if self.system else ()
            return [ChatRow(messages=(*system, *(turn.message for turn in self.conversations)))]

    def columns(self, row: Row) -> dict[str, Any]:
        human, gpt = (message["content"] for message in messages_of(row))
        return {"id": row.id, "conversations": [{"from": "human", "value": human}, {"from": "gpt", "value": gpt}]}
