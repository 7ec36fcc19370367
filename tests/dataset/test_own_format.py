"""An export format of one's own is written, read and trained on like those that ship."""

import json
import textwrap

import pytest

from pipeline.dataset.read import read_dataset
from pipeline.stages.export import Export
from tests.dataset.test_read import export, texts

OWN = """
    from pipeline.dataset.content import InstructionRow
    from pipeline.asking.converse import question
    from pipeline.dataset.formats.base import Format, RowFields

    class QuestionAnswer(Format):
        meaning = "`ask`, `answer`"

        class fields(RowFields):
            ask: str
            answer: str

            def rows(self):
                return [InstructionRow(instruction=self.ask, output=self.answer)]

        def columns(self, row):
            return {"ask": question(row.instruction, row.input), "answer": row.output}
"""


def test_a_format_of_ones_own_is_a_class_in_a_file_written_and_trained_on_like_any_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_formats.py").write_text(textwrap.dedent(OWN))
    folder = export(tmp_path, "own_formats:QuestionAnswer")
    right = read_dataset(export(tmp_path / "plain", "prompt_completion"), False)

    assert json.loads((folder / "question_answer.jsonl").read_text().splitlines()[0]).keys() == {"ask", "answer"}
    assert "| question_answer | `question_answer.jsonl`, `question_answer_validation.jsonl` |" in (
        folder / "README.md"
    ).read_text("utf-8")
    assert texts(read_dataset(folder, False).train) == texts(right.train)
    (folder / "mine.txt").write_text("a note")
    export(tmp_path, "own_formats:QuestionAnswer")
    assert (folder / "mine.txt").exists()
    (tmp_path / "own_formats.py").write_text(textwrap.dedent(OWN) + "# other code\n")
    export(tmp_path, "own_formats:QuestionAnswer")
    assert not (folder / "mine.txt").exists()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("alpacca", "there is no format 'alpacca'; did you mean alpaca"),
        ("no_such_module:Own", "there is no module no_such_module"),
        ("json:Own", "has no 'Own'"),
        ("json:JSONDecoder", "is not a format; derive the class"),
    ],
)
def test_a_format_that_is_none_is_told(name, problem):
    with pytest.raises(ValueError, match=problem):
        Export(formats=(name,))
    with pytest.raises(ValueError, match="formats has alpaca twice"):
        Export(formats=("alpaca", "alpaca"))
