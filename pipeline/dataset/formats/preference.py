"""A prompt with a better and a worse answer, as text for a base model."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from pipeline.dataset.content import Content, PreferenceRow
from pipeline.dataset.files import Line
from pipeline.dataset.formats.base import Format, RowFields
from pipeline.dataset.formats.pairs import Pair, PairOptions, completion_of, pairs_of
from pipeline.dataset.rows import Row
from pipeline.seeds.values import Text


class Preference(Format):
    meaning = "`prompt`, `chosen`, `rejected`: text for a base model, as TRL's DPO takes it"
    shape = "preference"
    of_answers = True
    lack = "two answers of which one is better"
    Options: ClassVar[type[BaseModel]] = PairOptions
    trainers: ClassVar[Mapping[str, Mapping[str, Any]]] = {"trl": {}}

    class fields(RowFields):
        prompt: Text
        chosen: Text
        rejected: Text

        def rows(self) -> Sequence[Content]:
            return [PreferenceRow(prompt=self.prompt, chosen=self.chosen, rejected=self.rejected)]

    def recognises(self, line: Line) -> bool:
        return all(isinstance(line.get(name), str) for name in self.fields.model_fields)

    def parts(self, row: Row) -> Iterable[Pair]:
        return pairs_of(row, self.options)

    def columns(self, pair: Pair) -> Line:
        chosen, rejected = (completion_of(pair.row, text) for text in (pair.chosen, pair.rejected))
        return {"id": pair.id, "prompt": pair.row.prompt, "chosen": chosen, "rejected": rejected}
