"""A prompt that ends with a label or a number: whose beginning that line is, by what is asked."""

import pytest

from pipeline.asking.ask import begun
from pipeline.engines.base import Sampling
from pipeline.engines.scripted import Scripted

LISTS = "Write a numbered list of 1 task.\n\nTopic: bees\n\n1."


def asked(prompt, chat=True, can_prefill=True):
    engine = Scripted(lambda request: "", chat=chat)
    engine.can_prefill = can_prefill
    return begun(engine, "a", prompt, Sampling())


@pytest.mark.parametrize(
    ("prompt", "message", "line"),
    [
        ("Say it anew.\n\nTask: Sing.\nNew task:", "Say it anew.\n\nTask: Sing.", "New task:"),
        ("Translate it.\n\nTask: Sing.\nTranslation into French:", "Translate it.\n\nTask: Sing.", "Translation into French:"),
        (LISTS, "Write a numbered list of 1 task.\n\nTopic: bees", "1."),
        ("Say what follows.\n\nTask: Sing.", "Say what follows.\n\nTask: Sing.", ""),
        ("Say it anew:\nSing a song of bees, and then:", "Say it anew:\nSing a song of bees, and then:", ""),
        ("New task:", "New task:", ""),
        ("\nNew task:", "\nNew task:", ""),
    ],
)  # fmt: skip
def test_a_label_or_a_number_at_the_end_begins_the_answer_of_a_chat_model(prompt, message, line):
    request = asked(prompt)

    assert request.prompt == ({"role": "user", "content": message},)
    assert request.prefill == line


def test_a_chat_model_whose_answer_cannot_be_begun_is_shown_the_line_in_the_message():
    request = asked(LISTS, can_prefill=False)

    assert request.prompt == ({"role": "user", "content": LISTS},)
    assert request.prefill == ""


def test_a_base_model_goes_on_with_the_line():
    assert asked(LISTS, chat=False).prompt == LISTS
