"""An answer that is one of a few is read whatever a model writes around it, and nothing is guessed."""

import pytest

from pipeline.asking.choice import parse_choice

STARS, LETTERS = ("1", "2", "3", "4", "5"), ("A", "B", "C")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("4", "4"),
        (" 4\n", "4"),
        ("**4**", "4"),
        ("4.", "4"),
        ("4.0", "4"),
        ("4/5", "4"),
        ("4 / 5", "4"),
        ("4 out of 5", "4"),
        ("4 points out of 5.", "4"),
        ("Rating: 4", "4"),
        ("Rating: 4/5. It misses one river.", "4"),
        ("**Rating:** 4", "4"),
        ("The rating is 4.", "4"),
        ("I would give this answer a rating of 4, as it lacks one of 2 rivers.", "4"),
        ("4 - good", "4"),
        ("4 – it names 2 of 3 rivers", "4"),
        ("4, since 2 of 3 are right", "4"),
        ("4\n\nThe answer names 2 of 3 rivers.", "4"),
        ('{"rating": 4}', "4"),
        ('{"rating": 4.0, "why": "one of 3 is missing"}', "4"),
        ('```json\n{"score": "4"}\n```', "4"),
        ("\\boxed{4}", "4"),
        ("<think>Is it 2 or 3?</think>4", "4"),
        ("I'd rate it 4", "4"),
        ("It deserves a 4", "4"),
        ("The score would be [[4]]", "4"),
        ("1. The answer is right.\n2. It is complete.\nRating: 5", "5"),
        ("1. The answer is right.\n2. It is complete.\n\n5", "5"),
        ("1. The answer is right.\n2. It is complete.", None),
        ("The answer lists 3 rivers.\n\n4", "4"),
        ("On a scale of 1 to 5, I'd rate this a 4.", "4"),
        ("Rating (1-5): 4", "4"),
        ("4 (out of 5)", "4"),
        ("4/5 because two of the 3 are right", "4"),
        ("4分", "4"),
        ("التقييم: ٤", "4"),
        ("", None),
        ("good", None),
        ("0", None),
        ("6", None),
        ("10", None),
        ("4.5", None),
        ("4/10", None),
        ("8 out of 10", None),
        ("3 or 4", None),
        ("3-4", None),
        ("Between 3 and 4", None),
        ("It names 3 of 4 rivers", None),
        ("80%", None),
        ("-4", None),
        ("Rating: 4. No, rating: 3", None),
        ("1998 was a good year", None),
        ("<think>4", None),
    ],
)
def test_a_rating_is_one_of_the_numbers_of_its_scale(text, said):
    assert parse_choice(text, STARS) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A", "A"),
        ("b", "B"),
        ("(C)", "C"),
        ("C. Not sure", "C"),
        ("B) It is wrong", "B"),
        ("A: the answer is right", "A"),
        ("Answer: B", "B"),
        ("The answer is **(B)**.", "B"),
        ("My choice is A, because a river is meant.", "A"),
        ("A\nThe capital is right.", "A"),
        ('{"answer": "B"}', "B"),
        ("Option B", "B"),
        ("I choose B.", "B"),
        ("A is correct because B is wrong", "A"),
        ("A is correct and B is correct", None),
        ("A correct answer would name the river", None),
        ("the answer is a bit short", None),
        ("A or B", None),
        ("A/B", None),
        ("A, B or C?", None),
        ("D", None),
        ("Both", None),
        ("", None),
    ],
)
def test_a_letter_is_no_article_and_not_one_of_several(text, said):
    assert parse_choice(text, LETTERS) == said


@pytest.mark.parametrize("word", ["10", "1"])
def test_a_long_choice_is_not_taken_for_a_short_one(word):
    assert parse_choice(f"Rating: {word}", [str(number) for number in range(11)]) == word
