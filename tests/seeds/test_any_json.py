"""Any JSON value may stand in a file: it is read, or refused in one sentence, and never brings down the program."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import SproutError
from pipeline.evaluation.heldout import read_heldout
from pipeline.evaluation.predictions import read_predictions
from pipeline.seeds.read import load_seeds

KEYS = [
    *("id", "instruction", "input", "output", "outputs", "instances", "messages", "conversations", "role", "from", "content"),
    *("value", "prompt", "completion", "prediction", "references", "system", "history", "weight", "train", "data", "rows"),
    *("columns", "index", "row", "row_idx", "is_classification", "name", "task", "Definition", "Instances", "train", "test"),
    *("meta", "scores", "rejected", "track", "text", "chosen", "contents", "parts", "systemInstruction"),
]  # fmt: skip
TEXTS = st.one_of(
    st.sampled_from(["user", "assistant", "bot", "system", "<think>", "</think>", "</s>", "<noinput>", "N/A", "Human: a\n\nAssistant:", "\ud83d", "[1]", "[", "{", ""]),
    st.text(st.characters(codec=None), max_size=8),
)  # fmt: skip
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), TEXTS), inner, max_size=5),
    ),
    max_leaves=20,
)
PLAIN = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def check(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    readers: list[Callable[[Path], Any]] = [
        load_seeds,
        read_heldout,
        lambda path: [*read_predictions(path, ["a", "b"])],
    ]
    for read in readers:
        try:
            read(path)
        except SproutError as error:
            said = str(error)
        else:
            continue
        assert "\n" not in said
        assert len(said) < 700


@PLAIN
@given(st.lists(VALUES, max_size=4), st.sampled_from([None, 1]))
def test_any_values_in_lines(tmp_path: Path, values: list[Any], indent: int | None) -> None:
    check(tmp_path / "rows", "\n".join(json.dumps(value, indent=indent) for value in values).encode())


@PLAIN
@given(VALUES)
def test_any_value_written_as_it_is(tmp_path: Path, value: Any) -> None:
    check(tmp_path / "rows", json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "bot", "system", "tool"]), "content": VALUES}, optional={"weight": SCALARS}
    ),
    max_size=4,
)
ALMOST = st.one_of(
    st.fixed_dictionaries({"instruction": SCALARS, "output": SCALARS}, optional={"history": VALUES, "system": VALUES}),
    st.fixed_dictionaries({"messages": MESSAGES}, optional={"id": VALUES, "system": VALUES}),
    st.fixed_dictionaries({"id": SCALARS, "instruction": SCALARS, "instances": st.lists(VALUES, max_size=2)}),
    st.fixed_dictionaries({"id": SCALARS, "prediction": SCALARS}),
)


@PLAIN
@given(st.lists(st.tuples(ALMOST, st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=2)), max_size=3))
def test_any_values_in_known_fields(tmp_path: Path, rows: list[Any]) -> None:
    check(tmp_path / "rows", "\n".join(json.dumps(fields | others) for fields, others in rows).encode())


@PLAIN
@given(st.lists(st.lists(TEXTS, max_size=4), max_size=4), st.sampled_from(",;\t|"))
def test_any_cells_below_known_columns(tmp_path: Path, rows: list[list[str]], delimiter: str) -> None:
    lines = [["id", "instruction", "output", "prediction"], *rows]
    content = "\n".join(delimiter.join(cells) for cells in lines)
    check(tmp_path / "rows.csv", content.encode("utf-8", "surrogatepass"))


@PLAIN
@given(
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"",
            b"\x1f\x8b\x08",
            b"(\xb5/\xfd",
            b"BZh91AY&SY",
            b"\xfd7zXZ\0",
            b"PK\x03\x04",
            b"PAR1",
            b"ARROW1",
            b"\xff\xff\xff\xff",
            b"\xff\xfe",
            b"{",
            b"[",
            b"sep=",
            b"\x04\x22M\x18",
        ]
    ),
)
def test_any_bytes(tmp_path: Path, content: bytes, magic: bytes) -> None:
    check(tmp_path / "rows", magic + content)


@pytest.mark.parametrize("depth", [10, 200, 5_000, 200_000])
@pytest.mark.parametrize(
    "ends", ["[]", ('{"data":', "}"), ('{"instruction": "a", "output": "b", "meta":', "}"), ('{"messages":[', "]}")]
)
def test_any_depth(tmp_path: Path, depth: int, ends: str | tuple[str, str]) -> None:
    check(tmp_path / "rows", (ends[0] * depth + "1" + ends[1] * depth).encode())
