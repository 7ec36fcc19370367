"""What is written as TOML is read back as it was, whatever is in it."""

import math
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.base import Sampling
from pipeline.toml import value

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.one_of(TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=12)


def read(text: str) -> object:
    assert "\n" not in text
    return tomllib.loads(f"key = {text}  # what it means\nnext = 1\n")["key"]


@given(VALUES)
def test_any_value_comes_back(item: object) -> None:
    assert read(value(item)) == item


@pytest.mark.parametrize(
    "item",
    ["\x7f", "a\nb\r\n\t\0", '"\\"', "'''", "🌱", "\u2028", math.inf, -math.inf, 1e16, -0.0, True, [], {}, [{}], {"🌱 \x7f": {"": [1, "x"]}},
     {"a.b": 1}, {"é": 2}, [[{"a": [{}]}]]],
)  # fmt: skip
def test_awkward_values_come_back(item: object) -> None:
    assert read(value(item)) == item


def test_what_has_no_value_in_toml_is_left_out_or_mended() -> None:
    assert math.isnan(read(value(math.nan)))
    assert read(value({"a": None, "b": (1, 2)})) == {"b": [1, 2]}
    assert read(value("half \ud83d")) == "half �"
    assert read(value(Sampling(temperature=0.5)))["temperature"] == 0.5
