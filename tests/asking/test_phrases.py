"""Whether an instruction speaks of something that is given with it."""

import pytest

from pipeline.asking.phrases import names_input


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
