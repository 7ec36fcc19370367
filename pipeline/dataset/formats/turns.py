"""Messages as the formats of conversations share them."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipeline.asking.converse import question
from pipeline.dataset.content import ChatRow
from pipeline.dataset.files import Line
from pipeline.dataset.formats.base import Format
from pipeline.dataset.rows import Row
from pipeline.engines.base import Message
from pipeline.errors import SproutError
from pipeline.seeds.conversations import Message as Spoken
from pipeline.seeds.conversations import calls_a_tool, listed, messages_in
from pipeline.seeds.shapes import CONVERSATIONS, SYSTEM
from pipeline.seeds.values import text_of


class Conversation(Format):
    """A format whose rows are lists of messages, whatever they are called."""

    shape = "messages"

    @abstractmethod
    def turns(self, line: Line) -> Any:
        """The list of messages in a row as it was read; None if it has none."""

    @property
    def fields_read(self) -> set[str]:
        return {*CONVERSATIONS, "prompt", "completion"}

    def recognises(self, line: Line) -> bool:
        return self.turns(line) is not None

    def contents(self, line: Line, where: str, notes: Counter[str]) -> Sequence[ChatRow]:
        if (value := self.turns(line)) is None:
            raise SproutError(f"{where}: no row of the format {self.name}: its messages are missing")
        turns = listed(value)
        if isinstance(turns, list) and any(isinstance(turn, dict) and calls_a_tool(turn) for turn in turns):
            raise SproutError(f"{where}: a message with tool calls, which are not trained on; leave the row out")
        messages = messages_in(turns, where, notes)
        system = system_of(line)
        if system and not any(message.role == "system" for message in messages):
            messages = [Spoken("system", system), *messages]
        unlearned = tuple(number for number, message in enumerate(messages) if not message.learned)
        return [ChatRow(messages=tuple(_message(one.role, one.content) for one in messages), unlearned=unlearned)]


def system_of(line: Line) -> str:
    """The system message that stands in fields beside a row."""
    texts = (text_of(line[name]) for name in SYSTEM if line.get(name) is not None)
    return "\n\n".join(text for text in texts if isinstance(text, str) and text.strip())


def messages_of(row: Row) -> list[Message]:
    """Instruction and input as the user says them, and the assistant's answer."""
    return [_message("user", question(row.instruction, row.input)), _message("assistant", row.output)]


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}
