"""Ratings of several answers as judges write them, and what is none."""

import pytest

from pipeline.asking.ratings import parse_ratings


@pytest.mark.parametrize(
    ("text", "ratings"),
    [
        ('{"ratings": [8, 7]}', (8, 7)), (' {"ratings": [8.5, 7]}\nThe first is clearer.', (8.5, 7)), ("[8, 7]", (8, 7)),
        ('```json\n{"ratings": [10, 1]}\n```', (10, 1)), ('{"answer 1": 8, "answer 2": 7}', (8, 7)), ("8 7", (8, 7)),
        ("8, 7", (8, 7)), ("8/10 and 7/10", (8, 7)), ("8 out of 10, 7 out of 10", (8, 7)), ("8\n7", None),
        ("Answer 1: 8\nAnswer 2: 7", (8, 7)), ("**Answer 1:** 8/10\n**Answer 2:** 7/10", (8, 7)),
        ("Answer 1: 8 because it is right\nAnswer 2: 7", (8, 7)), ("- Response 1 = 8\n- Response 2 = 7", (8, 7)),
        ("<think>Maybe 3 and 4.</think>8 7", (8, 7)), ("Ratings: 8 7\n\nIn 1999 it was 5.", (8, 7)),
        ("Both are good.", None), ("", None), ("8", None), ("8 7 6", None), ("8 0", None), ("11 7", None), ("-8 7", (8, 7)),
        ('{"ratings": [8]}', None), ('{"ratings": ["good", "bad"]}', None), ('{"ratings": [8, true]}', None),
        ('{"ratings": [8, 7', (8, 7)), ("1. 8\n2. 7", (8, 7)), ("1) 8/10\n2) 7/10", (8, 7)), ("1: 8, 2: 7", (8, 7)),
        ("| Answer | Rating |\n|---|---|\n| 1 | 8 |\n| 2 | 7 |", (8, 7)), ("A: 8\nB: 7", (8, 7)),
        ("Answer A: 8\nAnswer B: 7", (8, 7)), ('{"ratings": {"1": 8, "2": 7}}', (8, 7)), ("8 | 7", (8, 7)), ("8.5 - 7", (8.5, 7)),
        ('[{"answer": 1, "rating": 8}, {"answer": 2, "rating": 7}]', (8, 7)),
        ('{"first": {"score": 8, "why": "right"}, "second": {"score": 7}}', (8, 7)), ("1. good\n2. 7", None),
        ('Answer 1 is right. Answer 2 is not.\n\n{"ratings": [8, 7]}', (8, 7)), ("Answer 1 is right. Answer 2 is not.", None), ("Answer 1 gets 8, answer 2 gets 7.", (8, 7)),
        ('{"steps": [1, 2], "ratings": [8, 7]}', (8, 7)), ('{"answer_2": 7, "answer_1": 8}', (8, 7)), ("8.5, 7.5", (8.5, 7.5)), ("回答1：8\n回答2：7", (8, 7)), ("Antwort 1: 8\nAntwort 2: 7", (8, 7)),
        ("Answer 1 (8/10): right\nAnswer 2 (7/10): fine", (8, 7)), ("### Answer 1\nRating: 8\n\n### Answer 2\nRating: 7", (8, 7)),
        ("2. 7\n1. 8", None), ("1. 8\n2. 7\n3. 6", None), ("80% 70%", None),
    ],
)  # fmt: skip
def test_so_many_ratings_or_none(text, ratings):
    assert parse_ratings(text, 2) == ratings


def test_one_answer_alone_can_be_rated():
    assert parse_ratings('{"ratings": [7]}', 1) == (7,)
    assert parse_ratings("7", 1) == (7,)
