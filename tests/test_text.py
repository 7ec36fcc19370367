"""Small operations on text, as tables of awkward cases."""

import pytest

from pipeline.text import trimmed


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" Paris\n", "Paris"),
        ("    Paris", "Paris"),
        ("    return x\n", "    return x"),
        ("     return x", "    return x"),  # behind the blank that follows "Output:"
        (" \n\n    for one in x:\n        y\n", "    for one in x:\n        y"),
        ("     x = 1\n    return x", "    x = 1\n    return x"),
        ("    x = 1\n\n\n    return x", "    x = 1\n\n\n    return x"),
        ("\tx = 1\n\treturn x", "\tx = 1\n\treturn x"),
        ("  Roses are red,\n  violets blue.", "  Roses are red,\n  violets blue."),
        (" one\n two", "one\n two"),
        ("    one\ntwo", "one\ntwo"),
        (" \n ", ""),
        ("", ""),
    ],
)
def test_white_space_goes_but_for_the_indentation_of_a_block(text, kept):
    assert trimmed(text) == kept
