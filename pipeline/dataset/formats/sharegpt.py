"""Conversations as ShareGPT has them, and LLaMA-Factory and axolotl by default."""

from typing import Any

from pipeline.dataset.files import Line
from pipeline.dataset.formats.turns import Conversation, messages_of
from pipeline.dataset.rows import Row
from pipeline.seeds.conversations import in_turns


class ShareGPT(Conversation):
    meaning = "`conversations` of `human` and `gpt`, as LLaMA-Factory and axolotl take it"

    def columns(self, row: Row) -> Line:
        human, gpt = (message["content"] for message in messages_of(row))
        return {"id": row.id, "conversations": [{"from": "human", "value": human}, {"from": "gpt", "value": gpt}]}

    def turns(self, line: Line) -> Any:
        return in_turns(line.get("conversations"))
