"""What belongs to the input and what to the output of an example: code, context, other languages, what follows."""

import pytest

from pipeline import Completion, Task
from pipeline.stages.instances import Instances

COLOUR = "Name the colour of the given thing."
TWO = [("the sky", "blue"), ("grass", "green")]


def read(text: str, instruction: str = COLOUR) -> list[tuple[str, str]]:
    stage, task = Instances(), Task(id="1", instruction=instruction, is_classification=False)
    completion = Completion(id="1", text=text)
    found = stage.parse(task, completion) or stage.whole(task, completion)
    return [(instance.input, instance.output) for instance in found]


@pytest.mark.parametrize(
    "names",
    [
        "Входные данные|Выходные данные|Пример", "Вхідні дані|Вихідні дані|Приклад", "Είσοδος|Έξοδος|Παράδειγμα", "입력|출력|예시", "输入|输出|例子", "इनपुट|आउटपुट|उदाहरण",
        "Đầu vào|Đầu ra|Ví dụ", "Girdi|Çıktı|Örnek", "Wejście|Wyjście|Przykład", "Masukan|Keluaran|Contoh", "Invoer|Uitvoer|Voorbeeld", "อินพุต|เอาต์พุต|ตัวอย่าง", "ورودی|خروجی|مثال", "Indata|Utdata|Exempel",
    ],
)  # fmt: skip
def test_a_second_example_is_found_in_other_languages(names):
    given, answer, example = names.split("|")

    assert read(f"{given}: the sky\n{answer}: blue\n\n{example} 2\n{given}: grass\n{answer}: green") == TWO


@pytest.mark.parametrize(
    "nothing",
    [
        "N/A",
        "None needed.",
        "No additional input is required.",
        "Not applicable.",
        "-",
        '""',
        "无",
        "(none)",
        "<noinput>",
    ],
)
def test_an_input_that_says_there_is_none_is_empty(nothing):
    assert read(f"Input: {nothing}\nOutput: Lima", "Name the capital of Peru.") == [("", "Lima")]


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("Output:\n    x = 1\n    print(x)", "x = 1\nprint(x)"),
        ("Output:\n\n    def f():\n        return 1\n", "def f():\n    return 1"),
        ("output: |\n  if x:\n      y()", "if x:\n    y()"),
        ("Output: x = 1\n    y = 2", "x = 1\n    y = 2"),
    ],
)
def test_lines_below_a_field_keep_their_indentation_to_each_other(text, output):
    assert read(text, "Write a program.") == [("", output)]


@pytest.mark.parametrize(
    "text",
    [
        "```python\nprint('Hi')\n```\n\nOutput:\n```\nHi\n```",
        "```python\ndef add(a, b):\n    return a + b\n```\n\n**Example:**\n\nInput: `add(1, 2)`\nOutput: `3`",
    ],
)
def test_code_before_its_input_and_output_is_the_answer_of_a_task_without_input(text):
    assert read(text, "Write a Python function that adds two numbers.") == [("", text)]


def test_a_context_belongs_to_the_question_behind_it():
    for context in ("Context", "Passage"):
        one, other = f"{context}: It rains.\nQuestion: Is it wet?", f"{context}: It snows.\nQuestion: Is it hot?"
        text = f"{one}\nAnswer: yes\n\nExample 2\n{other}\nAnswer: no"

        assert read(text, "Answer the question about the passage.") == [(one, "yes"), (other, "no")]
        assert read(text.replace("Example 2\n", ""), "Answer the question about the passage.")[0] == (one, "yes")


def test_a_quiz_is_an_output_and_no_input():
    quiz = "Q: What is a lake?\nA: Water.\n\nQ: What is a pond?\nA: A small lake."

    assert read(quiz, "Write a quiz about water with two questions.") == [("", quiz)]
    assert read("Q: the sky\nA: blue\n\nExample 2\nQ: grass\nA: green") == TWO


def test_an_answer_behind_a_solution_is_part_of_the_output():
    assert read("Question: 3x = 6\nSolution: Divide by 3.\nAnswer: 2", "Solve the given equation.") == [
        ("3x = 6", "Divide by 3.\nAnswer: 2")
    ]


@pytest.mark.parametrize(
    "more",
    ["\n\nHuman: Thanks!\n\nAssistant: Bye.", "\nUser: Thanks!\nAssistant: Bye.", "\n\nI hope this helps!", "\n\nLet me know if you have any questions."],
)  # fmt: skip
def test_the_next_turn_of_a_chat_is_no_part_of_an_output(more):
    assert read(f"Input: the sky\nOutput: blue{more}") == TWO[:1]
    assert read(f"Output: Hello.{more}", "Write a dialogue with a user.") == [("", f"Hello.{more}".strip())]


def test_bold_from_before_a_field_does_not_stay_behind_it():
    assert read("**Input: the sky**\n**Output: blue**") == TWO[:1]


def test_an_output_is_no_question_because_the_task_asks_for_one():
    assert read("output: What do you read?\n|EoS|\n", "Which question would you ask an author?") == [
        ("", "What do you read?")
    ]


def test_names_of_outputs_without_any_are_none():
    names = "".join(f"answer{number}: \n" for number in range(2, 40))

    assert read(f"input: \noutput: \nanswer: \n{names}", "Given the input, name its topic.") == [("", "")]
