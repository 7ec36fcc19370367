"""Text for a base model, in the encodings of the export."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pipeline.dataset.content import TextRow
from pipeline.dataset.files import Line
from pipeline.dataset.formats.base import Format, RowFields
from pipeline.dataset.rows import Row
from pipeline.seeds.values import Text

_AXOLOTL = {"field_instruction": "prompt", "field_output": "completion"}


class PromptCompletion(Format):
    meaning = "`prompt`, `completion`: text for a base model, as TRL takes it"
    shape = "text"
    trainers: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "trl": {"completion_only_loss": True},
        "axolotl": {"type": _AXOLOTL | {"format": "{instruction}", "no_input_format": "{instruction}"}},
        "llamafactory": {"columns": {"prompt": "prompt", "query": "", "response": "completion"}},
    }

    class fields(RowFields):
        prompt: Text
        completion: Text

        def rows(self) -> Sequence[TextRow]:
            return [TextRow(prompt=self.prompt, completion=self.completion)]

    def columns(self, row: Row) -> Line:
        return {"id": row.id, "prompt": row.prompt, "completion": row.completion}
