"""More of what models put around and between the tasks of a list; the prompt ended with "9."."""

import pytest

from pipeline import Completion
from pipeline.asking.lists import parse_list
from pipeline.asking.phrases import is_preamble
from pipeline.filters.find import INSTRUCTION, applied, first_reason
from pipeline.stages.instructions import Instructions

A, B, C = "Describe a river in two sentences.", "List three uses of a brick.", "Translate the line into French."

WRITTEN = {
    "a sentence glued to the next number": f"9. {A}10. {B}11. {C}", "line breaks that are written out": f"9. {A}\\n10. {B}\\n11. {C}", "unquoted CSV": f"id,instruction\n9,{A}\n10,{B}\n11,{C}", "an ordinal sign and a bracket": f"9º) {A}\n10º) {B}\n11º) {C}",
    "a kind in square brackets": f"Task 9 [Writing]: {A}\nTask 10 [Ideas]: {B}\nTask 11 [Language]: {C}", "a kind before the task": f"9. (Writing) {A}\n10. [Ideas] {B}\n11. (Foreign languages): {C}", "how hard it is": f"9. {A} (Easy)\n10. {B} (Medium)\n11. {C} (Very hard)",
    "LaTeX with labels": f"\\begin{{itemize}}\n\\item[9.] {A}\n\\item[10.] {B}\n\\item[11.] {C}\n\\end{{itemize}}", "objectives": f"9. **Rivers**\n   **Objective:** {A}\n10. **Bricks**\n   **Objective:** {B}\n11. **French**\n   **Objective:** {C}",
    "marks of direction": f"\u200f9. {A}\n\u200e10. {B}\n\u206611. {C}\u2069", "a danda": f"९। {A}\n१०। {B}\n११। {C}", "a Burmese stop": f"၉။ {A}\n၁၀။ {B}\n၁၁။ {C}", "an Urdu stop": f"۹۔ {A}\n۱۰۔ {B}\n۱۱۔ {C}",
    "headings that end in tasks": f"Writing tasks:\n- {A}\n- {B}\n\nLanguage tasks:\n- {C}",
}  # fmt: skip

PREAMBLES = [
    "Natürlich! Hier sind weitere Aufgaben:", "¡Claro! Aquí tienes más tareas:", "Bien sûr ! Voici d'autres tâches :", "Claro! Aqui estão mais tarefas:", "Certo! Ecco altri compiti:", "Конечно! Вот ещё несколько заданий:", "물론입니다! 다음은 추가 작업 목록입니다:", "はい、以下に続きのタスクを示します。", "بالتأكيد! إليك المزيد من المهام:", "ज़रूर! यहाँ कुछ और कार्य दिए गए हैं:", "Oczywiście! Oto kolejne zadania:", "Natuurlijk! Hier zijn meer taken:", "继续列表：",
    "Continuation of the numbered list of tasks:", "The next tasks are:", "Additional tasks for the assistant:", "Okay, here are ten new tasks. I've tried to vary them.",
]  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_the_tasks_are_found(name):
    assert parse_list(WRITTEN[name]) == [A, B, C]


@pytest.mark.parametrize("preamble", PREAMBLES)
@pytest.mark.parametrize("marks", ["9. {}\n10. {}", "1. {}\n2. {}", "- {}\n- {}"])
def test_an_announcement_is_no_task(preamble, marks):
    text = f"{preamble}\n\n{marks.format(A, B)}"
    tasks = [task for task in Instructions().parse(Completion(id="1", text=text), (), 0) if not task.rejected]
    filters = applied(INSTRUCTION, {"starts_non_ascii": False})

    assert [task.instruction for task in tasks if not first_reason(task, filters)] == [A, B]


@pytest.mark.parametrize(
    "task",
    ["New York has five boroughs. Name them all:", "Here is a list of tasks. Put the quickest first.", "Next, name the colours of these flags:", "Hier ist ein Satz. Übersetze ihn."],
)  # fmt: skip
def test_a_task_is_no_announcement(task):
    assert not is_preamble(task)


@pytest.mark.parametrize(
    "task",
    [
        "Sort this data:\n- 3 pears\n- 9 pears",
        "Answer these questions:\n- Who is it?\n- Where is she?",
        "Rank these tasks:\n- a walk\n- a run",
    ],
)
def test_points_after_a_colon_are_part_of_the_task(task):
    assert parse_list(f"9. {task}\n10. {B}") == [" ".join(task.split()), B]
    assert parse_list(task) == [" ".join(task.split())]


def test_a_condition_in_brackets_is_no_kind_of_task():
    assert parse_list(f"9. (In French) {A}\n10. {B}") == [f"(In French) {A}", B]


def test_a_line_break_in_a_string_is_none():
    assert parse_list(f"9. Print 'a\\n10. b' in Python.\n10. {B}") == ["Print 'a\\n10. b' in Python.", B]


def test_code_with_a_blank_line_stays_in_its_task():
    text = f"9. What does this print?\n```python\nx = 1\n\nprint(x)\n```\n10. {B}"

    assert parse_list(text) == ["What does this print? x = 1 print(x)", B]


def test_an_indented_paragraph_that_says_what_to_do_belongs_to_the_task():
    assert parse_list(f"9. You are given a poem.\n\n   Write a review of it.\n\n10. {B}") == ["You are given a poem. Write a review of it.", B]  # fmt: skip
    assert parse_list(f"9. {A}\n\n   The Danube is long.\n\n10. {B}") == [A, B]


@pytest.mark.parametrize(
    "text", [f"9. Writing\n   1. {A}\n   2. {B}\n10. {C}", f"* **Writing**\n    * {A}\n    * {B}\n* {C}"]
)
def test_several_tasks_below_a_title_are_not_one(text):
    tasks = list(Instructions().parse(Completion(id="1", text=text), (), 0))

    assert [task.rejected for task in tasks] == ["several_tasks", None]


def test_a_sentence_that_needs_the_one_before_is_no_task_of_its_own():
    task = "Write a function that takes a list. - It must be sorted."

    assert parse_list(f"9. {task}\n10. {B}") == [task, B]
