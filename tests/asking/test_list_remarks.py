"""What models say around the tasks of a list, and about them, is no part of a task; and lists in other scripts."""

import json

import pytest

from pipeline import Completion
from pipeline.stages._gate import Gate
from pipeline.stages.instructions import Instructions

TASKS = ["Describe how a river changes its land.", "Translate the sentence into Dutch.", "Sort the numbers by size."]
STAGE = Instructions(english=False)


def kept(text: str) -> list[str]:
    """The tasks that the stage keeps of a completion."""
    gate = Gate((), STAGE.max_rouge, STAGE.filters_applied())
    found = STAGE.parse(Completion(id="1", text=text), (), 0)
    return [task.instruction for task in found if not (task.rejected or gate.judge(task).rejected)]


def numbered(form: str, between: str = "\n", first: int = 1) -> str:
    return between.join(form.format(n=number, task=task) for number, task in enumerate(TASKS, first))


LIST = numbered("{n}. {task}")


@pytest.mark.parametrize(
    "said",
    [
        "Hier sind drei weitere Aufgaben:", "Voici d'autres tâches :", "Aquí tienes más tareas:", "Вот еще задачи:",
        "以下是更多任务：", "以下は追加のタスクです：", "다음은 새로운 과제입니다:", "Continuing the list from task 9:",
        "Got it! Here are three more tasks:", "😊 Sure, here you go:", "Assistant: Here are the tasks:",
        "I have come up with the following tasks:", "Below you will find three tasks",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["{n}. {task}", "{n}) {task}"])
def test_an_announcement_is_no_task(said: str, form: str) -> None:
    assert kept(f"{said}\n\n{numbered(form)}") == TASKS


@pytest.mark.parametrize("said", ["Enjoy!", "...", "…", "[END]", "End of list.", "These are three tasks that you can use.",
                                  "Answers:\n1. A river cuts valleys into it.\n2. Vertaal de zin in het Engels."])  # fmt: skip
def test_what_comes_after_the_list_is_no_task_and_no_part_of_one(said: str) -> None:
    assert kept(f"{LIST}\n{said}") == TASKS


@pytest.mark.parametrize(
    "form",
    [
        "{n}. {task}\nIs classification: No", "{n}. {task}\n   Reasoning: it is new.", "{n}. {task}\n   Skills: reading, writing",
        "{n}. {task}\n   (This tests geography.)", "{n}. {task}\n   - This task tests what the model knows.",
        "{n}. {task}\n   *Answer: It cuts valleys into it.*", "Q: {task}\nA: It cuts valleys into the rock.",
        "{n}. {task} (Difficulty: easy)", "{n}. {task} *(open-ended)*", "{n}. {task} <noinput>",
        "{n}. {task} Input: a b c. Output: d", "Task {n}:\n- Type: open\n- Instruction: {task}\n",
        "{n}. Name: Rivers\n   Description: {task}", "{n}. {task}\n###", "Task {n} of 3: {task}", "{n}/3: {task}",
        "New task {n}: {task}", "Generated Task {n}: {task}", "n.º {n}: {task}", "User: {task}",
    ],
)  # fmt: skip
def test_what_is_said_of_a_task_is_no_part_of_it(form: str) -> None:
    assert kept(numbered(form)) == TASKS


@pytest.mark.parametrize("marks", ["абв", "αβγ", "אבג", "أبج", "가나다", "アイウ", "あいう", "甲乙丙"])
@pytest.mark.parametrize("form", ["{}. {}", "{}) {}", "({}) {}"])
def test_letters_of_other_scripts_count(marks: str, form: str) -> None:
    assert kept("\n".join(form.format(*pair) for pair in zip(marks, TASKS, strict=True))) == TASKS


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"（{mark}）{task}" for mark, task in zip("一二三", TASKS, strict=True)),
        "\n".join(f"{mark} {task}" for mark, task in zip(("🌊", "🇳🇱", "🔢"), TASKS, strict=True)),
        "\n".join(f'[[tasks]]\ninstruction = "{task}"' for task in TASKS),
        "\n###\n".join(TASKS),
        f"Tasks in JSON format\n{json.dumps(TASKS)}",
        "[\n// new tasks\n" + ",\n".join(map(json.dumps, TASKS)) + "\n]",
        json.dumps([{"goal": task} for task in TASKS]),
    ],
)
def test_a_list_is_read_in_more_layouts(text: str) -> None:
    assert kept(text) == TASKS


@pytest.mark.parametrize(
    "task",
    [
        "Answer the question with A or B.\nA: a river\nB: a lake",
        "Write a mail with this in it.\nTopic: holidays\nTone: friendly",
        "Say what 1/3: 2/3 means in a recipe for cake.",
        "Explain why (easy) stands behind the names of some games.",
        "Here, write a line: any line will do.",
    ],
)
def test_parts_of_a_task_stay(task: str) -> None:
    assert kept(f"1. {task}\n2. {TASKS[1]}\n3. {TASKS[2]}") == [" ".join(task.split()), *TASKS[1:]]
