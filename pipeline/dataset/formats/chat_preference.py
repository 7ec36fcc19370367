"""Messages for a chat model, with a better and a worse answer to them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from pipeline.asking.converse import question
from pipeline.dataset.content import PreferenceRow
from pipeline.dataset.files import Line
from pipeline.dataset.formats.base import Format
from pipeline.dataset.formats.pairs import Pair, PairOptions, pairs_of
from pipeline.dataset.rows import Row
from pipeline.errors import SproutError
from pipeline.seeds.conversations import listed, messages_in
from pipeline.seeds.shapes import CONVERSATIONS


class ChatPreference(Format):
    meaning = "`prompt`, `chosen`, `rejected`: lists of messages for a chat model, as TRL's DPO takes them"
    shape = "chat_preference"
    of_answers = True
    lack = "two answers of which one is better"
    Options: ClassVar[type[BaseModel]] = PairOptions
    trainers: ClassVar[Mapping[str, Mapping[str, Any]]] = {"trl": {}}

    @property
    def fields_read(self) -> set[str]:
        return {"prompt", "chosen", "rejected", *CONVERSATIONS}

    def recognises(self, line: Line) -> bool:
        return all(isinstance(_answer(line.get(name)), list) for name in ("chosen", "rejected"))

    def parts(self, row: Row) -> Iterable[Pair]:
        return pairs_of(row, self.options)

    def columns(self, pair: Pair) -> Line:
        asked = {"role": "user", "content": question(pair.row.instruction, pair.row.input)}
        answers = [[{"role": "assistant", "content": text}] for text in (pair.chosen, pair.rejected)]
        return {"id": pair.id, "prompt": [asked], "chosen": answers[0], "rejected": answers[1]}

    def contents(self, line: Line, where: str, notes: Counter[str]) -> Sequence[PreferenceRow]:
        """Also where `chosen` and `rejected` are whole conversations, with the prompt in them, or a message each.

        The prompt may be called a conversation, as in LLaMA-Factory.
        """
        asks = next((name for name in ("prompt", *CONVERSATIONS) if line.get(name)), "prompt")
        prompt = listed(line.get(asks))
        before = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt or []
        said = [messages_in(_answer(line.get(name)), where, notes) for name in ("chosen", "rejected")]
        if not all(messages and messages[-1].role == "assistant" for messages in said):
            raise SproutError(f"{where}: chosen and rejected should both end with a message of the assistant")
        asked = said[0][:-1] or messages_in(before, where, notes)
        if asks in CONVERSATIONS and asked and asked[-1].role == "assistant":
            raise SproutError(f"{where}: {asks} ends with an answer; remove that answer, or leave the row out")
        if not asked:
            raise SproutError(f"{where}: chosen and rejected answer nothing; add a prompt, or leave the row out")
        if said[1][:-1] and said[1][:-1] != said[0][:-1]:  # as some rows of HH-RLHF are
            notes["rows whose chosen and rejected answer different messages, which are left out"] += 1
            return []
        messages = tuple({"role": one.role, "content": one.content} for one in asked)
        return [PreferenceRow(prompt=messages, chosen=said[0][-1].content, rejected=said[1][-1].content)]


def _answer(value: Any) -> Any:
    """The messages of an answer; one alone may stand without a list."""
    found = listed(value)
    return [found] if isinstance(found, dict) else found
