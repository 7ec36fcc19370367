"""Whether an instruction speaks of something that is given with it, and whether a text repeats the prompt."""

import pytest

from pipeline.asking.phrases import is_echo, names_input


@pytest.mark.parametrize(
    "instruction",
    [
        "Translate the following sentence into Spanish.",
        "Sum up this article in two lines.",
        "Fix the code below.",
        "Sort the given numbers from small to large.",
        "What is the tone of the customer's review?",
        "Which of these words does not belong?",
        "Read the provided paragraph and answer.",
    ],
)
def test_these_tasks_come_with_an_input(instruction):
    assert names_input(instruction)


@pytest.mark.parametrize(
    "instruction",
    [
        "Name three rivers in Africa.",
        "Write a poem about the sea.",
        "Explain why the sky is blue.",
        "In which language is this sentence written: Il fait beau ce matin.",
        "Rewrite the sentence “The rain fell all night long.” in the future tense.",
        "How do I boil an egg?",
        "",
    ],
)
def test_these_tasks_come_without(instruction):
    assert not names_input(instruction)


@pytest.mark.parametrize(
    ("text", "echo"),
    [
        ("a nurse on night shifts who sings", True),
        ("A nurse on night shifts who sings.", True),
        ('"Person: A NURSE, on night shifts, who sings"', True),
        ("Say what the person below might ask. Person: a nurse on night shifts who sings. 1. Ask.", True),
        ("a nurse on night shifts", True),
        ("a nurse on night", True),
        ("on night shifts", False),  # so few words may be chance
        ("A nurse on night shifts asks for songs.", False),
        ("What do nurses sing at night?", False),
        ("an urse on night shifts who sings", False),
    ],
)
def test_a_part_of_the_prompt_is_an_echo_whatever_its_capitals_and_punctuation(text, echo):
    assert is_echo(text, "Say what the person below might ask. Person: a nurse on night shifts who sings") == echo
