"""Yes and no as models say them when they are asked whether a task is classification, and verdicts of a judge."""

import pytest

from pipeline.asking.verdicts import parse_better, parse_yes_no

NO = [
    "```text\nNo\n```", "```\nNo.\n```", "<is_classification>false</is_classification>", "Hayır", "Không", "Tidak.", "Nie, to nie jest klasyfikacja.", "아니",
    "This is not a classification task.", "False", "The answer is no.", "Not a classification task", "It is not.", "It isn't.", "It’s not.", "This isn't a classification task", "No, it is not.", "No, it isn't", "no.", "Nope", "N", "n", "false.", "FALSE", "**False**", "Classification: False", "Answer: False", "Is classification: no",
    "is_classification: false", '{"answer": "no"}', '{"classification": "No"}', '{"is_classification": false}', '```json\n{"answer": "no"}\n```', "{'answer': 'No'}", '["no"]', "Not classification", "Non-classification", "non classification task", "No classification task", "It is not a classification task because the answer is open.", "It's not classification.", "That is not a classification task",
    "The task is not a classification task.", "The given task is not a classification.", "This task is not a classification task as it is open", "This does not look like it; the answer is no", "This is an open-ended task.", "Open-ended", "This is a generation task", "It is a creative writing task.", "generation", "The answer to this task is open.", "The answer to this is: No", "The correct answer is: No.", "My answer is no", "Final answer: No", "I would say no.", "I'd say no", "I think no",
    "So the answer is no.", "Let's think. The labels are not fixed. So the answer is no.", "Thus, no.", "<think>Yes?</think>The answer is no.", "Output: No", "Label: no", "Response: no", "Result: no", "$\\boxed{No}$", "\\boxed{\\text{No}}", "<answer>No</answer>", "> No", "❌ No", "1) No", "No (open-ended)", "No - this asks for text", "No, since there are many answers", "Nein", "Non", "Нет", "否", "不是", "いいえ", "아니요", "لا", "não", "no, this is not classification", "This cannot be a classification task.", "It was not a classification task",
    "Not a classification problem.", "not a text classification task", "No. It is a generation task.", "No, it's open", "no no no", "It is not a classification question.", "The task isn't a classification task", "Incorrect", "Is this a classification task? No.", "Classification? No", "Is it a classification task? It is not.", "It is a generation task, not a classification task.",
]  # fmt: skip
YES = [
    "This is a classification task.", "True", "The answer is yes.", "Classification task", "It is.", "Yes, it is.", "true", "TRUE.", "**True**", "Y", "y", "Yep", "Yeah", "Classification: True", "Answer: True", "is_classification: true", '{"answer": "yes"}', '{"answer": true}', '{"is_classification": true}', '{"Classification": "Yes"}', '```json\n{"answer": "yes"}\n```',
    "It is a classification task.", "It's a classification task", "This is a binary classification task", "This is a text classification problem.", "That's classification", "It is classification.", "A classification task", "Classification", "binary classification", "Sentiment classification", "The task is a classification task because the labels are known.", "Yes, this is a classification task.", "Yes. It is not open-ended.", "Yes, it is a classification task, not a generation task.",
    "```plaintext\nYes\n```", "Here it is:\n```markdown\nYes\n```", "<classification>Yes</classification>", "Evet", "Có.", "对",
    "The correct answer is: Yes", "I would say yes.", "I think yes", "Final answer: Yes.", "So the answer is yes.", "Let's think. The labels are known. So, yes.", "The answer would be yes", "Output: Yes", "$\\boxed{Yes}$", "<answer>yes</answer>", "Ja", "Oui", "Sí", "Да", "是", "是的", "はい", "예", "نعم", "हाँ", "sim", "It is. Yes", "This is a multi-class classification task", "This is a typical classification task", "Correct", "Is this a classification task? Yes, it is.", "Classification? Yes",
    "Respuesta: Sí", "Ответ: Да", "答案：是", "答え：はい", "这是一个分类任务。", "Definitely yes", "This task involves classification.", "This is a multi-label classification task",
    "Yes, the answer is either positive or negative.", "Yes, because it could be spam or not", "Yes - classification",
]  # fmt: skip
UNCLEAR = [
    "Definitely not a list", "Certainly",
    "Yes, it is not a classification task.", "No, this is a classification task.", "Yes and no", "Yes/No", "true or false", "True/False", "Maybe", "It might be a classification task.", "It could be.", "It depends on the input.", "I am not sure whether it is a classification task.", "Is this a classification task?", "I don't know", "It is not clear.", "Possibly a classification task", "Both", "Either",
    "It is not true that this is not a classification task.", "The answer is yes. The answer is no.", "The answer is", "The answer is yes or no", "This is a task", "The task asks for a river.", '{"answer": null}', '{"answer": "maybe"}', '{"task": "x"}', "[]", "{}", "1", "0", "Classification:", "Answer:", "It", "This is", "I cannot answer that.", "None of the above", "Neither", "not", "Not necessarily", "Yes-man", "Nobody", "Nothing", "Truely", "No way to tell", "Norway", "Yesterday it was", "Trueish",
    "The label is open or closed", "The task is to classify", "A", "B", "yes no", "no yes", "No or yes?", "The answer is not yes", "Partly a classification task", "Unclear",
]  # fmt: skip


@pytest.mark.parametrize("text", NO)
def test_no_in_any_words_is_no(text):
    assert parse_yes_no(text) is False


@pytest.mark.parametrize("text", YES)
def test_yes_in_any_words_is_yes(text):
    assert parse_yes_no(text) is True


@pytest.mark.parametrize("text", UNCLEAR)
def test_what_cannot_be_told_is_neither(text):
    assert parse_yes_no(text) is None


FIRST = [
    "A", "a", "A.", "**A**", "[[A]]", "(A)", "Answer A", "Answer: A", "Better: A", "Answer A is better.", "A is better", "A is better than B", "A > B", "\\boxed{A}", "$\\boxed{\\text{A}}$", '{"better": "A"}', '{"winner": "A", "reason": "It is right."}', '```json\n{"verdict": "A"}\n```', "Option A", "Model A is better", "Assistant A", "Response A is better", "I prefer A", "I choose A.", "The better answer is A.", "Final verdict: [[A]]",
    "Both answers are short. [[A]]", "A: fine, B: wrong. Therefore A is better.", "Winner: A", "The winner is A", "<think>B?</think>A", "My thoughts. Overall, Answer A is better." ,
]  # fmt: skip
TIE = ["tie", "Tie.", "[[C]]", "[[tie]]", "A tie", "It is a tie.", "Draw", "Neither", "Both", "Both are equally good", "Equal", "equally good", '{"winner": "tie"}', "**Tie**", "Verdict: tie", "The same"]  # fmt: skip
NO_VERDICT = ["", "The first", "A good answer", "A is worse", "A: fine, B: wrong", "Apple", "1", "Best of luck", '{"reason": "x"}', "The answers differ", "A or B", "Answer", "[[D]]", "A is not better", "I like apples"]  # fmt: skip


@pytest.mark.parametrize("text", FIRST)
def test_a_verdict_names_the_better_one_in_any_dress(text):
    assert parse_better(text) == 1
    assert parse_better(
        text.replace("B", "§")
        .replace("A", "B")
        .replace("§", "A")
        .replace("Bnswer", "Answer")
        .replace("Aetter", "Better")
        .replace("Aoth", "Both")
        .replace("Bssistant", "Assistant")
    ) in (0, 1)


@pytest.mark.parametrize("text", [text for text in FIRST if "B" not in text and "Better" not in text and text != "a"])
def test_a_verdict_for_the_second_is_read_in_the_same_way(text):
    swapped = text.replace("Answer A", "Answer B").replace("Assistant A", "Assistant B")
    swapped = swapped if swapped != text else "B".join(text.rsplit("A", 1))

    assert parse_better(swapped) == 0


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("My final verdict is: [[A>B]]", 1), ("[[A>>B]]", 1), ("[[B]]", 0), ("[[A<B]]", 0), ("[[A << B]]", 0), ("[[A=B]]", 0.5), ("A>B", 1),
        ("A = B", 0.5), ("<answer>B</answer>", 0), ("So, A.", 1), ("It's B", 0), ("I'd go with A", 1), ('{"better_answer": "B"}', 0),
        ("Both answers are correct, but B is more complete. B", 0), ("Both are good, but Answer A is better.", 1), ("Both are right.", 0.5), ("Both are right, but neither says why.", None),
        ("Answer A is right, but answer B is more complete.\n\n**Better: B**", 0), ("A is short, B is long.\n\nFinal answer: B", 0), ("A is fine.\nB", 0), ("I think B is better.", 0), ("In my opinion, A is better.", 1),
        ("A is right, but B is wrong.", None), ("A and B are equally good.", 0.5), ("They are equally good.", 0.5), ("The better answer is answer B.", 0), ("I'd choose B.", 0), ("My verdict: A", 1), ("A is not better.", None),
        ("A is more concise, but B is more complete.", None), ("Answer A, however, is wrong.", None), ("Better: B\n\nTask: x\nBetter: A", 0),
        ("Therefore, the better answer is B.", 0), ("A>B>C", None), ("<answer>maybe</answer>", None),
    ],
)  # fmt: skip
def test_a_verdict_may_compare_or_stand_in_a_tag(text, points):
    assert parse_better(text) == points


@pytest.mark.parametrize("text", TIE)
def test_a_tie_is_read_in_any_dress(text):
    assert parse_better(text) == 0.5


@pytest.mark.parametrize("text", NO_VERDICT)
def test_what_is_no_verdict_is_none(text):
    assert parse_better(text) is None
