"""The pre-training documents of nano: lists of tasks, tasks with worked examples, yes/no questions about tasks.

They use the layouts of the prompts in prompts/, never the one that models are tuned and tested in. They contain no
instruction of the held-out tasks.
"""

import re
from collections.abc import Iterator
from random import Random

from pipeline.asking.templates import render
from pipeline.nano.heldout import heldout_instructions
from pipeline.nano.words import (
    CAPITALS,
    COLORS,
    COMPARATIVES,
    KINDS,
    NAMES,
    OPPOSITES,
    PLURALS,
    SOUNDS,
    SYNONYMS,
    VERBS,
    WORDS,
    YOUNG,
)
from pipeline.nano.world import FAMILIES, LABELLED, write
from pipeline.task import Task

MARK = "\0"


def documents(random_seed: int | str) -> Iterator[str]:
    """An endless stream; the same seed gives the same one."""
    r = Random(f"documents:{random_seed}")
    kinds = [task_list, classify, input_first, output_first, notes, echoes]
    while True:
        yield r.choices(kinds, [14, 5, 42, 14, 3, 22])[0](r)


def task_list(r: Random) -> str:
    instructions = [task.instruction for task in draw(r, r.randint(9, 24), 0)]
    if r.random() < 0.1:
        return "\n".join(instructions)
    return render("instructions", demos=instructions).rsplit("\n", 1)[0]


def classify(r: Random) -> str:
    return examples("classify", draw(r, r.randint(8, 24), 0))


def input_first(r: Random) -> str:
    tasks = draw(r, r.randint(4, 11), 4)
    text = examples("instances_input_first", [task for task in tasks if not task.is_classification or r.random() < 0.3])
    if r.random() < 0.4:  # at the beginning of a line a word is another token, which the model must know too
        text = re.sub(r"^(Input|Output): ", r"\1:\n", text, flags=re.MULTILINE)
    return text


def output_first(r: Random) -> str:
    return examples("instances_output_first", [t for t in draw(r, r.randint(4, 10), 5, labelled=True)])


def examples(template: str, demos: list[Task]) -> str:
    return render(template, demos=demos, instruction=MARK).split(f"Task: {MARK}")[0].rstrip("\n")


def draw(r: Random, count: int, most: int, labelled: bool = False) -> list[Task]:
    """Tasks of different families, each with one to `most` worked examples."""
    names = LABELLED if labelled else list(FAMILIES)
    tasks = []
    for name in r.sample(names, min(count, len(names))):
        task = write(name, r, r.choice([1, 2, 2, 3, 3, 4, 5][: most + 2]) if most else 1)
        if task.instruction not in heldout_instructions():
            tasks.append(task)
    return tasks


def notes(r: Random) -> str:
    """Plain facts about the words of the world, one on a line."""
    tables = [
        ("the opposite is", OPPOSITES), ("the capital is", CAPITALS), ("one means many of it by", PLURALS),
        ("its young is the", YOUNG), ("it says", SOUNDS), ("its color is", COLORS), ("it means", SYNONYMS),
        ("in the past it is", VERBS), ("it is a kind of", {w: k for k, ws in KINDS.items() for w in ws}),
        ("one can also be", {w: forms[0] for w, forms in COMPARATIVES.items()}),
    ]  # fmt: skip
    lines = []
    for _ in range(r.randint(10, 30)):
        fact, table = r.choice(tables)
        word = r.choice(list(table))
        lines.append(f"{word}: {fact} {table[word]}")
    return "\n".join(lines)


def echoes(r: Random) -> str:
    """Rows of repeated words, from which a small model learns to copy; without them it does so late or never."""
    blocks = []
    for _ in range(r.randint(3, 8)):
        words = r.sample([*WORDS, *NAMES], r.randint(3, 8))
        marks = [r.choice([" ", ", ", "\n", " and "]) for _ in range(r.randint(2, 3))]
        if r.random() < 0.6:
            marks = marks[:1] * len(marks)
        blocks.append("\n".join(mark.join(words) for mark in marks))
    return "\n\n".join(blocks)
