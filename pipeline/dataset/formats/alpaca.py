"""Instruction, input and output, as Stanford's Alpaca has them."""

from collections import Counter
from collections.abc import Sequence

from pipeline.dataset.content import ChatRow, Content, InstructionRow
from pipeline.dataset.files import Line
from pipeline.dataset.formats.base import Format, RowFields
from pipeline.dataset.formats.turns import system_of
from pipeline.dataset.rows import Row
from pipeline.seeds.conversations import turns_in
from pipeline.seeds.values import Text


class Alpaca(Format):
    meaning = "`instruction`, `input`, `output`"

    class fields(RowFields):
        instruction: Text
        input: Text = ""
        output: Text

        def rows(self) -> Sequence[InstructionRow]:
            return [InstructionRow(instruction=self.instruction, input=self.input, output=self.output)]

    def columns(self, row: Row) -> Line:
        return {"id": row.id, "instruction": row.instruction, "input": row.input, "output": row.output}

    def contents(self, line: Line, where: str, notes: Counter[str]) -> Sequence[Content]:
        """With what LLaMA-Factory reads beside it: a system message, and turns that were said before."""
        system, history = system_of(line), turns_in(line.get("history") or [], where, notes)
        rows: list[Content] = []
        for content in super().contents(line, where, notes):
            assert isinstance(content, InstructionRow)
            row = content.model_copy(update={"system": system})
            if history:
                said = row.as_chat().messages
                before = tuple({"role": turn.role, "content": turn.content} for turn in history)
                rows.append(ChatRow(messages=(*said[:-2], *before, *said[-2:])))
            else:
                rows.append(row)
        return rows
