"""What models write where yes or no should stand."""

import pytest

from pipeline.asking.verdicts import parse_yes_no

YES = [
    " Yes", "yes", "YES\n", "Yes.", "**Yes**", "_yes_", "`Yes`", "[Yes]", '"Yes"', "“Yes”", "- yes", "> Yes", "\n\nYes",
    "Ｙｅｓ", "\u200fYes", "\ufeffYes", "\x00Yes", "Y\u200bes", "Yes\r\n", "Yes, since the labels are known.", "Yes (spam, not spam)",
    "Yes: positive/negative", "Yes Yes Yes Yes", "Yes\n\nTask: Name a river.", "Yes because there are no other answers",
    "Classification: Yes", "Answer: yes", "**Answer:** Yes", "A: Yes", "Yes<|im_end|>", "Yes</s>", "[/INST] Yes",
    "<|im_start|>assistant\nYes<|im_end|>", "<think>The labels are fixed.</think>\n\nYes", "No label is open.</think>Yes",
    "Yes <think>or is", "✅ Yes", "Yes!!!", "1. Yes",
]  # fmt: skip
NO = [
    " No", "no", "NO", "No.", "**No**", "No, it is open", "No\n", "Ｎｏ", "no…", "No — free text", "Classification: No",
    "<think>Yes or no? Open.</think>No", "No\r\nTask: Yes", "No classification",
]  # fmt: skip
NEITHER = [
    "", " ", "\n", "\x00", "\ud83d", "Maybe", "Not sure", "None", "N/A", "Nothing", "Yesterday", "Noon", "Yes-man", "No-one",
    "No idea", "no clue", "No answer", "Yes/No", "yes or no", "Yes and no", "No / Yes", "Yes No Yes No", "No|Yes", "1", "42", "?", "...", "…", "[placeholder]", "<noinput>", "TODO", "👍", "Task: Yes",
    "I'm sorry, but I can't assist with that.", "As an AI language model, I", "Sure! Here is my answer:", "The answer is",
    "<think>Yes, it", "<think>", "<think>Yes</think>", "<|im_end|>Yes\n<|im_start|>", "<|endoftext|>Yes", "<|im_start|>user\nYes", "y" * 100_000, " " * 100_000,
    "yes" * 1000, "Is it a classification task? Say yes or no.",
]  # fmt: skip


@pytest.mark.parametrize("text", YES)
def test_yes_in_any_dress_is_yes(text):
    assert parse_yes_no(text) is True


@pytest.mark.parametrize("text", NO)
def test_no_in_any_dress_is_no(text):
    assert parse_yes_no(text) is False


@pytest.mark.parametrize("text", NEITHER, ids=lambda text: ascii(text[:20]))
def test_all_else_is_neither(text):
    assert parse_yes_no(text) is None
