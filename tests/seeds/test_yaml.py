"""Seeds in YAML: texts stay as they are written, and what is wrong is said with its line."""

import gzip
from pathlib import Path

import pytest

from pipeline import SproutError
from pipeline.evaluation.heldout import read_heldout
from pipeline.seeds.read import load_seeds

ROWS = """# seeds
- instruction: Is it a drink? Yes or no?
  input: tea
  output: yes
- instruction: |
    Round the number
    up.
  input: 2.499
  output: 2.50
- {instruction: Say when., input: ~, output: 2024-01-05}
"""
OWN = """
- id: a
  instruction: Say yes or no.
  is_classification: true
  instances:
  - {input: x, output: no}
  - output: 'null'
"""


def shown(path: Path) -> list[tuple[str, str, str]]:
    return [(task.instruction, one.input, one.output) for task in load_seeds(path).tasks for one in task.instances]


@pytest.mark.parametrize("name", ["seeds.yaml", "seeds.yml", "seeds.yaml.gz"])
def test_yes_numbers_and_dates_are_the_texts_that_they_are(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(ROWS.encode()) if name.endswith("gz") else ROWS.encode())

    assert load_seeds(path).format == "Alpaca YAML"
    assert shown(path) == [
        ("Is it a drink? Yes or no?", "tea", "yes"),
        ("Round the number\nup.", "2.499", "2.50"),
        ("Say when.", "", "2024-01-05"),
    ]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (OWN, [("Say yes or no.", "x", "no"), ("Say yes or no.", "", "null")]),
        ("---\ninstruction: a\noutput: b\n---\ninstruction: c\noutput: d\n", [("a", "", "b"), ("c", "", "d")]),
        ("version: 3\nseed_examples:\n- {question: a, answer: b, context: c}\n- {question: d, answer: e}\n", [("a", "c", "b"), ("d", "", "e")]),
        ("train:\n- {instruction: a, output: b}\ntest:\n- {instruction: c, output: d}\n", [("a", "", "b")]),
        ("- messages:\n  - {role: user, content: a}\n  - {role: assistant, content: b}\n", [("a", "", "b")]),
        ('[{"instruction": "a", "output": "b"}]', [("a", "", "b")]),
    ],
)  # fmt: skip
def test_rows_may_lie_as_they_may_in_json(tmp_path: Path, text: str, rows: list[tuple[str, str, str]]) -> None:
    (tmp_path / "a.yaml").write_text(text)

    assert shown(tmp_path / "a.yaml") == rows


def test_held_out_tasks_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(ROWS)

    assert [one.outputs for one in read_heldout(tmp_path / "a.yaml")] == [("yes",), ("2.50",), ("2024-01-05",)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- instruction: a\n  output: b\n- instruction: Say: x\n", ":3: not YAML (mapping values are not allowed here); put a text that holds a colon, or begins with a sign, in quotes"),
        ("- instruction: a\n\toutput: b\n", ":2: not YAML (found character '\\t' that cannot start any token); put "),
        ("- instruction: a\n  output: b\n- instruction: c\n  output: d\n  output: e\n", ":3: the field 'output' is there twice, with different values; delete one of them"),
        ("- &a\n  instruction: a\n  output: *a\n", ":1: not YAML (found unconstructable recursive node); "),
        ("- instruction: a\n  output:\n", ":1: output is missing; there are instruction"),
        ("- instruction: a\x07\n  output: b\n", ": not YAML (unacceptable character #x0007: "),
        ("[" * 5000, ":1: "),
        ("a: " + "[" * 5000, ": not YAML (maximum recursion depth exceeded"),
        ("- a\n", ":1: an object with the fields of a task is expected (found 'a')"),
        ("# nothing\n", ": no seed tasks in it; "),
        ("- !!python/object/apply:os.system ['true']\n", ":1: an object with the fields of a task is expected (found ['true'])"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.yaml").write_text(text)

    with pytest.raises(SproutError) as error:
        load_seeds(tmp_path / "a.yaml")
    assert str(error.value).startswith(f"{tmp_path / 'a.yaml'}{said}")
