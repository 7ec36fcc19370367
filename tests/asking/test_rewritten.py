"""A rewritten task is read without what a model says around it."""

import pytest

from pipeline import Instance
from pipeline.asking.rewritten import copied, parse_rewritten, parse_with_instance


@pytest.mark.parametrize(
    ("text", "task"),
    [
        (" Name a bird that cannot fly.", "Name a bird that cannot fly."),
        (" Name a bird.\n\nTask: Name a fish.\nNew task: Name two fish.", "Name a bird."),
        (" Name a bird.\nExample 1\nInput: x\nOutput: y", "Name a bird."),
        (" Name a bird.\nClassification: No", "Name a bird."),
        (" Say which word is meant:\nInput: flies, sings", "Say which word is meant:\nInput: flies, sings"),
        ("New task: Name a bird.", "Name a bird."),
        ("**New task:** Name a bird.", "Name a bird."),
        ("**Rewritten Task**: Name a bird.", "Name a bird."),
        ("## New task:\nName a bird.", "Name a bird."),
        ("The new task is: Name a bird.", "Name a bird."),
        ("Rewritten: Name a bird.", "Name a bird."),
        ("Original task: Name it.\nRewritten: Name a bird.", "Name a bird."),
        ("German translation: Nenne einen Vogel.", "Nenne einen Vogel."),
        ("Neue Aufgabe: Nenne einen Vogel.", "Nenne einen Vogel."),
        ("Traducción: Nombra un pájaro.", "Nombra un pájaro."),
        ("改写后的任务：说出一种鸟。", "说出一种鸟。"),
        ("<task>Name a bird.</task>", "Name a bird."),
        ('{"task": "Name a bird."}', "Name a bird."),
        ("- Name a bird.", "Name a bird."),
        ("Certainly! Name a bird.", "Name a bird."),
        ("Name a bird.\n\nI added a constraint to make it harder.", "Name a bird."),
        ("Name a bird.\n\n---\n\n**Changes made:**\n- A bird.", "Name a bird."),
        ("Sum up the list.\nChanges: none", "Sum up the list.\nChanges: none"),
        ("Order them:\n- a wren\n- an owl", "Order them:\n- a wren\n- an owl"),
        ('{"a": 1} is JSON. Add a key.', '{"a": 1} is JSON. Add a key.'),
        ("Rewritten task (in French): Nommez un oiseau.", "Nommez un oiseau."),
        ("Translation into German: Nenne einen Vogel.", "Nenne einen Vogel."),
        ("Sure! Here is the rewritten task:\n\nName a bird.", "Name a bird."),
        ('Here\'s a new version:\n\n"Name a bird that cannot fly."', "Name a bird that cannot fly."),
        ('"Name a bird."', "Name a bird."),
        ("“Name a bird.”", "Name a bird."),
        ('Explain what "bird" and "fish" mean', 'Explain what "bird" and "fish" mean'),
        ('"Bird" and "fish": what do they mean?', '"Bird" and "fish": what do they mean?'),
        ("Name a bird.\n\nLet me know if you need anything else!", "Name a bird."),
        ("#Rewritten Prompt#: Name a bird.", "Name a bird."),
        ("#Rewritten Prompt#\nName a bird.", "Name a bird."),
        ("1. Name a bird.", "Name a bird."),
        ("1. Name a bird.\n2. Name a fish.", "1. Name a bird.\n2. Name a fish."),
        ("Name a bird that swims.\n\nThis version adds a condition.", "Name a bird that swims."),
        ("Name a bird.\n\n**Note:** The rewritten task is harder.", "Name a bird."),
        ("Name a bird.\n\nI've added one more condition to the task.", "Name a bird."),
        (
            "I added two eggs to the dough.\n\nThis task is for a cook: what now?",
            "I added two eggs to the dough.\n\nThis task is for a cook: what now?",
        ),
        ("Fix it.\n\nThe version is 3.8.", "Fix it.\n\nThe version is 3.8."),
        ("Write to her.\n\nNote: at most 50 words.", "Write to her.\n\nNote: at most 50 words."),
        ("Why?\n\nI added a constraint to the table.", "Why?\n\nI added a constraint to the table."),
        ("This version of the text is old. Date it.", "This version of the text is old. Date it."),
        ("Write a poem:\n\n- of two lines\n- with a bird", "Write a poem:\n\n- of two lines\n- with a bird"),
        ("```python\ndef name_bird() -> str:\n    ...\n```", "def name_bird() -> str:\n    ..."),
        ("<think>Something harder.</think>Name a bird that swims.", "Name a bird that swims."),
        ("Explain the task: sorting birds.", "Explain the task: sorting birds."),
        ("Task force members: who were they?", "Task force members: who were they?"),
        ("", ""),
        ("Task:", ""),
    ],
)
def test_the_task_alone_is_read(text, task):
    assert parse_rewritten(text) == task


@pytest.mark.parametrize(
    ("text", "cut", "task", "instances"),
    [
        (" Add the numbers.\nInput: 1, 2\nOutput: 3", False, "Add the numbers.", [("1, 2", "3")]),
        (" Say hello.\nOutput: Hello!", False, "Say hello.", [("", "Hello!")]),
        (" Add them.\nInput: 1\nOutput: 1\nTask: Name a bird.\nInput: x\nOutput: y", False, "Add them.", [("1", "1")]),
        ("New task: Add them.\n\n**Input:** 1, 2\n**Output:** 3", False, "Add them.", [("1, 2", "3")]),
        (" Add the numbers.", False, "Add the numbers.", []),
        (" Add the numbers.\nInput: 1, 2\nOutput: 3 and then", True, "Add the numbers.", []),
    ],
)
def test_a_task_is_read_with_the_example_behind_it(text, cut, task, instances):
    assert parse_with_instance(text, cut) == (task, tuple(Instance(input=i, output=o) for i, o in instances))


@pytest.mark.parametrize(
    ("text", "parents", "words"),
    [
        ("Give the new task alone, and do not solve it.", [], "give the new task alone and"),
        ("Name a bird. give THE new task: alone and quickly", [], "give the new task alone and"),
        ("Give the new task alone", [], ""),
        ("Name a bird that cannot fly and say why", ["Name a bird"], ""),
        ("Give the new task alone and run", ["Print: give the new task alone and stop"], ""),
    ],
)
def test_words_copied_from_the_prompt_are_found_unless_a_parent_has_them(text, parents, words):
    assert copied(text, "Rewrite it. Give the new task alone, and do not solve it.", parents) == words


@pytest.mark.parametrize(
    "text",
    [
        "Task: Name a bird.\ninput: x\noutput: y", "Name a bird.\nInput: x\nAnswer: y", "Tarea: Name a bird.\nEntrada: x\nSalida: y", "任务：Name a bird.\n输入：x\n输出：y", "1. Task: Name a bird.\n2. Input: x\n3. Output: y",
        "### Task\nName a bird.\n\n### Input\nx\n\n### Output\ny", '{"instruction": "Name a bird.", "input": "x", "output": "y"}', '```json\n{"task": "Name a bird.", "input": "x", "output": "y"}\n```', "<task>Name a bird.</task>\n<input>x</input>\n<output>y</output>",
    ],
)  # fmt: skip
def test_the_example_of_a_task_is_read_in_other_layouts(text):
    assert parse_with_instance(text, False) == ("Name a bird.", (Instance(input="x", output="y"),))


def test_the_answer_to_a_task_is_no_part_of_it():
    assert parse_rewritten("Name a bird.\nAnswer: a wren") == "Name a bird."
    assert parse_rewritten("Reply in this form:\nAnswer: one word") == "Reply in this form:\nAnswer: one word"
