"""The rows of a dataset: the thirteen encodings of the paper, no duplicates, always the same."""

import random
from collections import Counter

import pytest

from pipeline.export import ENCODINGS, WITH_INPUT, WITHOUT_INPUT, add_noise, clean, encode, question, rows, zero_shot
from pipeline.task import Instance, Task

# Self-Instruct's encodings, written out for the instruction I, the input X and the output Y.
PAPER_WITH_INPUT = [
    ("I\nInput: X\nOutput:", " Y"),
    ("I\n\nInput: X\n\nOutput:", " Y"),
    ("Task: I\nInput: X\nOutput:", " Y"),
    ("I\n\nX\n\nOutput:", " Y"),
    ("I\n\nX\n\n", "Y"),
    ("I\nX\n\n", "Y"),
    ("Task: I\n\nX\n\n", "Y"),
]
PAPER_WITHOUT_INPUT = [
    ("I Output:", " Y"),
    ("I\nOutput:", " Y"),
    ("I\n\nOutput:", " Y"),
    ("I\n", "Y"),
    ("I\n\n", "Y"),
    ("Task: I\n\n", "Y"),
]


def task(number: int, *instances: tuple[str, str], instruction: str = "") -> Task:
    made = tuple(Instance(input=given, output=output) for given, output in instances)
    return Task(id=f"task_{number}", instruction=instruction or f"Do {number}.", instances=made)


@pytest.mark.parametrize(("input", "paper"), [("X", PAPER_WITH_INPUT), ("", PAPER_WITHOUT_INPUT)])
def test_an_instance_is_put_in_each_encoding_of_the_paper_and_about_equally_often(input, paper):
    found = Counter(encode("I", input, "Y", random.Random(f"0:{number}")) for number in range(2000))

    assert set(found) == set(paper)
    assert all(2000 / len(paper) * 0.75 < count < 2000 / len(paper) * 1.25 for count in found.values())


def test_there_are_thirteen_encodings():
    assert len(set(ENCODINGS)) == len(WITH_INPUT) + len(WITHOUT_INPUT) == 13


def test_the_plain_encoding_is_the_same_for_every_instance_and_in_evaluation():
    assert encode("I", "X", "Y") == ("I\n\nX\n\n", "Y")
    assert encode("I", "", "Y") == ("I\n\n", "Y")
    assert zero_shot("I", "X") == "I\n\nX\n\n"
    assert zero_shot("I", "X", "output") == "I\n\nInput: X\n\nOutput:"
    assert zero_shot("I", "", "output") == "I\n\nOutput:"
    assert question("I", "X") == "I\n\nX"
    assert question("I") == "I"


def test_braces_in_a_text_are_just_braces():
    assert encode("{input} {0}", "{instruction}", "{}") == ("{input} {0}\n\n{instruction}\n\n", "{}")


def test_the_encoding_depends_on_the_instance_alone_not_on_what_else_is_exported():
    tasks = [task(number, ("a", "b"), ("", "c")) for number in range(30)]
    alone = {row.id: row for one in tasks for row in rows([one])}

    assert {row.id: row for row in rows(tasks)} == alone
    assert len({row.prompt.replace(row.instruction, "I") for row in alone.values()}) == 13


def test_another_seed_gives_other_encodings_and_another_order():
    tasks = [task(number, ("a", "b")) for number in range(30)]

    assert rows(tasks) == rows(tasks)
    assert [row.id for row in rows(tasks)] != [row.id for row in rows(tasks, random_seed=1)]
    assert {row.prompt for row in rows(tasks)} != {row.prompt for row in rows(tasks, random_seed=1)}
    assert [row.id for row in rows(tasks)] != sorted(row.id for row in rows(tasks))


def test_an_instance_that_is_there_twice_is_exported_once_whatever_its_encoding():
    twice = [task(number, ("a", "b"), ("a", "b"), ("a", "c"), instruction="Do.") for number in range(8)]

    assert sorted((row.input, row.output) for row in rows(twice)) == [("a", "b"), ("a", "c")]


def test_two_instances_that_become_the_same_prompt_and_completion_are_exported_once():
    tasks = [task(1, ("B", "Y"), instruction="A"), task(2, ("", "Y"), instruction="A\n\nB")]

    assert [row.task for row in rows(tasks, encoding="plain")] == ["task_1"]


def test_a_row_knows_the_instance_it_was_made_from():
    assert {row.id for row in rows([task(1, ("a", "b"), ("c", "d"))])} == {"task_1:0", "task_1:1"}


@pytest.mark.parametrize(
    ("input", "noisy"),
    [
        ("Sentence: The sky is blue.", "The sky is blue."),
        ("Sentence 1: The sky is blue.", "The sky is blue."),
        ("Text:\nA.\n\nB.", "A.\nB."),
        (" A.\n\n\n\nB. ", "A.\nB."),
        ("Premise: A.\nHypothesis: B.", "Premise: A.\nHypothesis: B."),
        ("Sentence: A.\nSentence: B.", "Sentence: A.\nSentence: B."),
        ("Meet me at 10:30, will you?", "Meet me at 10:30, will you?"),
        ("10:30 is fine", "10:30 is fine"),
        ("https://example.org/a", "https://example.org/a"),
        ("She said so.\nAnswer: no", "She said so.\nAnswer: no"),
        ("Sentence:", "Sentence:"),
    ],
)
def test_input_noise_drops_the_only_field_name_and_blank_lines_and_nothing_else(input, noisy):
    class Heads(random.Random):
        def random(self) -> float:
            return 0.0

    assert add_noise(input, Heads()) == noisy


def test_input_noise_changes_about_every_other_input_and_no_encoding():
    tasks = [task(number, ("Text: a", "b")) for number in range(400)]
    clear = {row.id: row for row in rows(tasks)}
    noisy = {row.id: row for row in rows(tasks, input_noise=True)}
    changed = [id for id in clear if noisy[id].input == "a"]

    assert 160 < len(changed) < 240
    assert all(noisy[id].prompt == clear[id].prompt.replace("Text: a", noisy[id].input) for id in clear)


def test_lone_surrogates_are_replaced_and_pairs_joined():
    assert clean("a\ud800b") == "a\ufffdb"
    assert clean("\ud83d\ude00 é") == "😀 é"
    assert rows([task(1, ("", "b\udfff")).update(instruction="\ud800")])[0].output == "b\ufffd"
