"""Instruction, input and output, as Stanford's Alpaca has them."""

from collections.abc import Sequence
from typing import Any

from pipeline.dataset.content import InstructionRow
from pipeline.dataset.formats.base import Fields, Format
from pipeline.dataset.rows import Row


class Alpaca(Format):
    meaning = "`instruction`, `input`, `output`"

    class fields(Fields):
        instruction: str
        input: str = ""
        output: str
        system: str = ""

        def rows(self) -> Sequence[InstructionRow]:
            return [InstructionRow(**dict(self))]

    def columns(self, row: Row) -> dict[str, Any]:
        return {"id": row.id, "instruction": row.instruction, "input": row.input, "output": row.output}
