"""Labels and inputs as chat models write them when they do not keep to the layout of the prompt."""

import pytest

from pipeline import Completion, Task
from pipeline.stages.instances import Instances

INSTRUCTION = "Is the review good or bad?"
TWO = [("It works.", "good"), ("It broke.", "bad")]


def read(text: str, instruction: str = INSTRUCTION, finish_reason: str = "stop") -> list[tuple[str, str]]:
    task = Task(id="1", instruction=instruction, is_classification=True)
    completion = Completion.model_validate({"id": "1", "text": text, "finish_reason": finish_reason})
    return [(instance.input, instance.output) for instance in Instances().parse(task, completion)]


LAYOUTS = {
    "points in bold": "- **good**: It works.\n- **bad**: It broke.", "points with the colon inside": "* **good:** It works.\n* **bad:** It broke.",
    "numbered points": "1. good: It works.\n2. bad: It broke.", "lines": "good: It works.\nbad: It broke.", "arrows": "It works. -> good\nIt broke. -> bad", "arrows, the label first": "good -> It works.\nbad -> It broke.",
    "headings": "### good\nIt works.\n\n### bad\nIt broke.", "bold headings": "**good**\n\nIt works.\n\n**bad**\n\nIt broke.", "bold headings with colons": "**good:**\nIt works.\n\n**bad:**\nIt broke.", "points below points": "- **good**\n  - It works.\n- **bad**\n  - It broke.",
    "names for the labels": '{"good": "It works.", "bad": "It broke."}', "names for the labels, lists": '{"good": ["It works."], "bad": ["It broke."]}', "an object each": '[{"good": "It works."}, {"bad": "It broke."}]', "other names": '[{"review": "It works.", "mood": "good"}, {"review": "It broke.", "mood": "bad"}]', "other names below one": '{"examples": [{"mood": "good", "review": "It works."}, {"mood": "bad", "review": "It broke."}]}',
    "a table with other names": "| Review | Mood |\n|---|---|\n| It works. | good |\n| It broke. | bad |", "a table with numbers": "| # | Mood | Review |\n|---|---|---|\n| 1 | good | It works. |\n| 2 | bad | It broke. |",
    "other fields": "Review: It works.\nMood: good\n\nReview: It broke.\nMood: bad", "other fields, a label": "Review: It works.\nClass label: good\n\nReview: It broke.\nClass label: bad", "other fields with numbers": "1. **Review:** It works.\n   **Mood:** good\n\n2. **Review:** It broke.\n   **Mood:** bad", "fields as points": "- Review: It works.\n- Mood: good\n- Review: It broke.\n- Mood: bad", "numbers in the names": "Review 1: It works.\nMood 1: good\nReview 2: It broke.\nMood 2: bad",
    "input first": "Input: It works.\nClass label: good\n\nInput: It broke.\nClass label: bad", "examples, input first": "Example 1\nInput: It works.\nOutput: good\n\nExample 2\nInput: It broke.\nOutput: bad",
    "tags": "<good>It works.</good>\n<bad>It broke.</bad>", "a tab": "good\tIt works.\nbad\tIt broke.", "a dash": "good - It works.\nbad - It broke.", "a semicolon": "good; It works.\nbad; It broke.", "brackets behind": "1. It works. (good)\n2. It broke. (bad)", "a dash before": "It works. – good\nIt broke. – bad",
    "labels alone, points below": "good:\n- It works.\n\nbad:\n- It broke.", "paragraphs": "good\n\nIt works.\n\nbad\n\nIt broke.", "rules below the labels": "good\n---\nIt works.\n\nbad\n---\nIt broke.",
    "a table with a label": "| Label | Message |\n|---|---|\n| good | It works. |\n| bad | It broke. |", "said in a sentence": " The label is good.\nInput: It works.\nClass label: The label is bad.\nInput: It broke.", "a word below": " good\nInput: It works.\n\nClass label: bad\nInput: It broke.\n\nThese examples show both labels.",
    "one line": "Class label: good Input: It works.\nClass label: bad Input: It broke.", "one line with a bar": "Class label: good | Input: It works.\nClass label: bad | Input: It broke.",
    "announced": "Sure! Here are the labels with inputs:\n\nClass label: good\nInput: It works.\n\nClass label: bad\nInput: It broke.", "explained": " good\nInput: It works.\nExplanation: It praises.\n\nClass label: bad\nInput: It broke.\nExplanation: It blames.", "a note": " good\nInput: It works.\n\nClass label: bad\nInput: It broke.\n\nNote: These are only examples.",
    "quotes": ' "good"\nInput: It works.\nClass label: "bad"\nInput: It broke.', "brackets": " [good]\nInput: It works.\nClass label: [bad]\nInput: It broke.", "full stops": " good.\nInput: It works.\nClass label: bad.\nInput: It broke.",
    **{
        f"{label} and {given}": f" good\n{given}: It works.\n\n{label}: bad\n{given}: It broke."
        for label, given in (("类别标签", "输入"), ("クラスラベル", "入力"), ("Etiqueta", "Entrada"), ("Klassenlabel", "Eingabe"), ("Étiquette ", "Entrée "), ("Метка класса", "Ввод"), ("라벨", "입력"))
    },
}  # fmt: skip

OTHERS = {  # what only looks like pairs
    "a colon in the first input": (INSTRUCTION, " good\nThe screen: bright\nThe price: low", [("The screen: bright\nThe price: low", "good")]),
    "a dialogue": ("Is it praise or a complaint?", " praise\nGuest: It was good.\nHost: Thanks.\nGuest: Bye.\nHost: Bye.", [("Guest: It was good.\nHost: Thanks.\nGuest: Bye.\nHost: Bye.", "praise")]),
    "two parts of an input": ("Does it follow? yes or no", " yes\nPremise: It rains.\nHypothesis: It is wet.\n\nClass label: no\nPremise: It rains.\nHypothesis: It is dry.", [("Premise: It rains.\nHypothesis: It is wet.", "yes"), ("Premise: It rains.\nHypothesis: It is dry.", "no")]),
    "two parts, the label last": ("Does it follow? yes or no", "Premise: It rains.\nHypothesis: It is wet.\nLabel: yes\n\nPremise: It rains.\nHypothesis: It is dry.\nLabel: no", [("Premise: It rains.\nHypothesis: It is wet.", "yes"), ("Premise: It rains.\nHypothesis: It is dry.", "no")]),
    "labels that come again": (INSTRUCTION, "good: It works.\nbad: It broke.\ngood: It shines.\nbad: It is dull.", [*TWO, ("It shines.", "good"), ("It is dull.", "bad")]),
    "a label in a block of code": ("Is it Python or Java?", " Python\nInput:\n```python\n# Class label: y\nx = 1\n```\nClass label: Java\nInput: int x;", [("```python\n# Class label: y\nx = 1\n```", "Python"), ("int x;", "Java")]),
    "brackets that are asked for": ("Answer [good] or [bad].", " [good]\nInput: It works.", [("It works.", "[good]")]),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_label_and_its_input_are_found_in_any_layout(name):
    assert read(LAYOUTS[name]) == TWO


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_pair_is_not_taken_apart(name):
    instruction, text, expected = OTHERS[name]

    assert read(text, instruction) == expected


@pytest.mark.parametrize(
    "name", ["points in bold", "other fields", "headings", "a table with other names", "other names", "a dash"]
)
def test_the_last_pair_of_a_text_that_is_cut_off_is_left_out(name):
    text = LAYOUTS[name].rstrip('`|\n ]}"').removesuffix(" | bad").removesuffix('", "mood": "bad')

    assert read(text, finish_reason="length") == TWO[:1]


def test_without_a_name_in_the_instruction_the_side_with_fewer_words_is_the_label():
    asked = "What language is it?"

    assert read("- Bonjour à tous: French\n- Guten Tag zusammen: German", asked) == [
        ("Bonjour à tous", "French"), ("Guten Tag zusammen", "German"),
    ]  # fmt: skip


def test_where_not_all_labels_may_stay_it_is_not_always_the_first_that_does():
    completion = Completion(id="1", text=" good\nInput: It works.\n\nClass label: bad\nInput: It broke.")
    tasks = [Task(id=f"task {n}", instruction=INSTRUCTION, is_classification=True) for n in range(40)]
    kept = [Instances(max_instances=1).parse(task, completion) for task in tasks]

    assert {len(instances) for instances in kept} == {1}
    assert 10 < sum(one.output == "good" for (one,) in kept) < 30
    assert kept == [Instances(max_instances=1).parse(task, completion) for task in tasks]


def test_another_task_is_no_label_and_no_input():
    text = "instruction: What is the best way to learn?\noutput: One learns best by doing, and again by doing it anew."

    assert all(label not in ("instruction", "output") for _, label in read(text))
