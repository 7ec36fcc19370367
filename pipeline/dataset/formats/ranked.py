"""All answers to a prompt with their scores, the best first: for losses over a ranking, such as Tuna's."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from pydantic import BaseModel

from pipeline.dataset.content import Content, TextRow
from pipeline.dataset.files import Line
from pipeline.dataset.formats.base import Format, RowFields
from pipeline.dataset.formats.pairs import Ranked as Answers
from pipeline.dataset.formats.pairs import RankOptions, ranked_of
from pipeline.dataset.rows import Row
from pipeline.seeds.values import Text


class Ranked(Format):
    meaning = "`prompt`, `answers`, `scores`: all answers, the best first, a higher score being better"
    shape = "ranked"
    of_answers = True
    lack = "two different answers to rank"
    Options: ClassVar[type[BaseModel]] = RankOptions

    class fields(RowFields):
        prompt: Text
        answers: list[Text]
        scores: list[float]

        def rows(self) -> Sequence[Content]:
            return [TextRow(prompt=self.prompt, completion=self.answers[0])] if self.answers else []

    def recognises(self, line: Line) -> bool:
        return isinstance(line.get("answers"), list) and super().recognises(line)

    def parts(self, row: Row) -> Iterable[Answers]:
        ranked = ranked_of(row, self.options)
        return [ranked] if len(ranked.texts) > 1 else []

    def columns(self, ranked: Answers) -> Line:
        row = ranked.row
        prompt = {"instruction": row.instruction, "input": row.input, "prompt": row.prompt}
        return {"id": row.id, **prompt, "answers": [*ranked.texts], "scores": [*ranked.ranks]}
