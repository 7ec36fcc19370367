"""What models write where labels and their inputs should stand, and what is left of it to train on."""

import pytest

from pipeline import Task
from pipeline.stages.instances import Instances
from tests.asking.nasty.conftest import filtered

INSTRUCTION = "Is the review good or bad?"


def read(text: str, instruction: str = INSTRUCTION, finish_reason: str = "stop") -> list[tuple[str, str]] | str | None:
    """The instances that parser and filters keep, as (output, input), or the reason why there are none."""
    task = filtered(text, instruction, True, finish_reason)
    return task.rejected or [(i.output, i.input) for i in task.instances]


ONE = [("good", "It works.")]
TWO = [*ONE, ("bad", "It broke.")]

LAYOUTS = {
    "as asked": (" good\nInput: It works.\nClass label: bad\nInput: It broke.\n", TWO),
    "the marker again": ("Class label: good\nInput: It works.\nClass label: bad\nInput: It broke.", TWO),
    "the marker twice": (" Class label: good\nInput: It works.\nClass label: Class label: bad\nInput: It broke.", TWO),
    "another case": (" good\nInput: It works.\nClass Label: bad\nInput: It broke.", TWO),
    "a shorter marker": ("Label: good\nInput: It works.\nLabel: bad\nInput: It broke.", TWO),
    "numbers": (" good\nInput 1: It works.\nClass label 2: bad\nInput 2: It broke.", TWO),
    "bold": ("**good**\n**Input:** It works.\n\n**Class label:** bad\n**Input:** It broke.", TWO),
    "bold labels": (" **good**\nInput: It works.\nClass label: `bad`\nInput: It broke.", TWO),
    "no markers": ("good\nInput: It works.\n\nbad\nInput: It broke.", TWO),
    "no markers but bold": ("**good**\nInput: It works.\n**bad**\nInput: It broke.", TWO),
    "numbers in place of markers": ("1. good\nInput: It works.\n2. bad\nInput: It broke.", TWO),
    "points": ("- good: It works.\n- **bad:** It broke.", TWO),
    "rules between": ("good\nInput: It works.\n\n---\n\nClass label: bad\nInput: It broke.\n\n---", TWO),
    "titles": ("good\nInput: It works.\n\n### Example 2: Broken\nClass label: bad\nInput: It broke.", TWO),
    "a sentence that stands alone": ("good\nInput: It works.\n\nIt shines.\nInput: It lasts.", [("good", "It works.\n\nIt shines."), ("good", "It lasts.")]),
    "full-width colons": (" good\nInput：It works.\nClass label：bad\nInput：It broke.", TWO),
    "lines of their own": ("\ngood\nInput:\nIt works.\n\nClass label:\nbad\n\nInput:\nIt broke.", TWO),
    "no word before the input": (" good\nIt works.\nClass label: bad\nIt broke.", TWO),
    "another word before the input": (" good\nReview: It works.", [("good", "Review: It works.")]),
    "an input over lines": (" good\nInput: It works.\n\nIt shines.", [("good", "It works.\n\nIt shines.")]),
    "two inputs of a label": (" good\nInput: It works.\nInput: It shines.", [*ONE, ("good", "It shines.")]),
    "two parts of an input": (" good\nInput 1: It works.\nInput 2: It shines.", [("good", "It works.\nInput 2: It shines.")]),
    "examples between": ("\nExample 1\nClass label: good\nInput: It works.\n\nExample 2\nClass label: bad\nInput: It broke.", TWO),
    "the answer again after the input": (" good\nInput: It works.\nOutput: good\nClass label: bad\nInput: It broke.\nOutput: bad", TWO),
    "the layout of other tasks": ("\nInput: It works.\nOutput: good\nExample 2\nInput: It broke.\nOutput: bad", TWO),
    "the input first": ("\nInput: It works.\nClass label: good\nInput: It broke.\nClass label: bad", TWO),
    "an explanation in brackets": (" good (it praises)\nInput: It works.\nClass label: bad (it blames)\nInput: It broke.", TWO),
    "an explanation after a dash": (" good - it praises\nInput: It works.\nClass label: bad — it blames\nInput: It broke.", TWO),
    "an explanation that says because": (" good because it praises\nInput: It works.", ONE),
    "a sentence": (" good. The review praises.\nInput: It works.\nClass label: bad.\nInput: It broke.", TWO),
    "an explanation on the next line": (" good\nIt praises.\nInput: It works.", ONE),
    "a label that is missing": (" good\nInput: It works.\nClass label:\nInput: It broke.", ONE),
    "the task again": (f"Task: {INSTRUCTION}\nClass label: good\nInput: It works.", ONE),
    "the whole prompt again": (Instances().prompts(dict.fromkeys((True, False), ()))(Task(id="1", instruction=INSTRUCTION, is_classification=True)) + " good\nInput: It works.", ONE),
    "another task": (" good\nInput: It works.\n\nTask: Name a river.\nClass label: long\nInput: Nile", ONE),
    "a preamble": ("Sure! Here are some examples:\n\nClass label: good\nInput: It works.", ONE),
    "a preamble that is a sentence": ("Sure, I can do that.\n\nClass label: good\nInput: It works.", ONE),
    "a postamble": (" good\nInput: It works.\n\nFeel free to ask for more examples!", ONE),
    "a fence around all": ("```\nClass label: good\nInput: It works.\nClass label: bad\nInput: It broke.\n```", TWO),
    "a fence around an input": (" good\nInput:\n```\nIt works.\n```", ONE),
    "a thought before": ("<think>good, bad</think>\nClass label: good\nInput: It works.", ONE),
    "JSON": ('{"label": "good", "input": "It works."}', ONE),
    "the end of a turn": (" good\nInput: It works.<|eot_id|>\n<|start_header_id|>user<|end_header_id|>", ONE),
    "carriage returns": (" good\r\nInput: It works.\r\nClass label: bad\r\nInput: It broke.\r\n", TWO),
    "NUL bytes": (" go\x00od\nInput: It\x00 works.", ONE),
    "one label without input": (" good", [("good", "")]),
    "no input, said in words": (" good\nInput: N/A", [("good", "")]),
    "one example said again": (" good\nInput: It works." + "\nClass label: good\nInput: It works." * 30, ONE),
    "Class label in the middle of a line": (" good\nInput: The Class label: it works.", [("good", "The Class label: it works.")]),
}  # fmt: skip

NO_ANSWERS = {
    "nothing": ("", "no_instances"),
    "blank": (" \n\n", "no_instances"),
    "an empty label": ("\nClass label:", "input_is_output"),
    "a label without a word": ("\nClass label:\n\nClass label:\n", "input_is_output"),
    "only a thought": ("<think>good", "no_instances"),
    "a refusal": (" I'm sorry, but I can't assist with that.", "refusal"),
    "a refusal as an AI": ("As an AI language model, I cannot judge reviews.", "refusal"),
    "a placeholder": (" [label]\nInput: It works.", "placeholder"),
    "N/A": (" N/A\nInput: It works.", "placeholder"),
    "None": (" None\nInput: It works.", "placeholder"),
    "an ellipsis": (" ...\nInput: It works.", "placeholder"),
    "a preamble and no more": ("Sure! Here are some examples:", "ends_with_colon"),
    "an announcement and no more": ("Here are the labels and examples.", "preamble"),
    "the instruction": (f" {INSTRUCTION}", "prompt_echo"),
    "prose": (
        " Well, it depends on what the reviewer wanted to say about the thing they bought.\nInput: It works.",
        "not_a_label",
    ),
    "prose and no input": (" The review is quite nice.", "not_a_label"),
    "a word without end": (" good" * 100, "repetition"),
    "labels and no inputs": (" good\nClass label: bad", "bare_label"),
    "one input with two labels": (" good\nInput: It works.\nClass label: bad\nInput: It works.", "contradiction"),
    "half a surrogate pair": (" go\ud83dod\nInput: It works.", "garbled"),
}

GOOD = {
    "None that is a label": ("Which is it: good, bad or none?", " None\nInput: It is blue.", [("None", "It is blue.")]),
    "N/A that is a label": ("Answer good, bad or N/A.", " N/A\nInput: It is blue.", [("N/A", "It is blue.")]),
    "a number": ("How many stars, 1 to 5?", " 5\nInput: It works.\nClass label: 1\nInput: It broke.", [("5", "It works."), ("1", "It broke.")]),
    "an operator": ("Which operator is it: +, - or *?", " *\nInput: product\nClass label: **\nInput: power", [("*", "product"), ("**", "power")]),
    "a mark": ("Should it end with . or ! or ?", " !\nInput: Stop\nClass label: ?\nInput: Who", [("!", "Stop"), ("?", "Who")]),
    "a number between two others": ("Give 1 to 5 stars, 3 if you do not know.", " 3.5\nInput: So so.", [("3.5", "So so.")]),
    "several labels at once": ("Name the subjects: sports, politics or art.", " sports, politics\nInput: a game", [("sports, politics", "a game")]),
    "a label that is a sentence": ("Choose the right sentence.", " He has gone to the big town by the sea, and she knows it.\nInput: A. He has gone to the big town by the sea, and she knows it. B. He go.",
                                   [("He has gone to the big town by the sea, and she knows it.", "A. He has gone to the big town by the sea, and she knows it. B. He go.")]),
    "a reason that is asked for": ("Is it good or bad, and why?", " good, since it works\nInput: It works.", [("good, since it works", "It works.")]),
    "Chinese": ("评论是好评还是差评？", " 好评\nInput: 很好用。\nClass label: 差评\nInput: 坏了。", [("好评", "很好用。"), ("差评", "坏了。")]),
    "a good one beside a bad one": (INSTRUCTION, " [label]\nInput: x\nClass label: good\nInput: It works.", ONE),
}  # fmt: skip

CUT = {
    "in the second point": ("- good: It works.\n- bad: It br", ONE),
    "in the second input": (" good\nInput: It works.\nClass label: bad\nInput: It br", ONE),
    "in the second label": (" good\nInput: It works.\nClass label: b", ONE),
    "after the second marker": (" good\nInput: It works.\nClass label:", ONE),
    "in the second marker": (" good\nInput: It works.\nClass la", "no_instances"),
    "in the first input": (" good\nInput: It wo", "no_instances"),
    "in the first label": (" go", "no_instances"),
    "before anything": ("", "no_instances"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_instances_are_found_in_any_dress(name):
    text, expected = LAYOUTS[name]

    assert read(text) == expected


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_what_is_no_label_never_becomes_an_output(name):
    text, reason = NO_ANSWERS[name]

    assert read(text) == reason


@pytest.mark.parametrize("name", GOOD)
def test_what_only_looks_like_nonsense_is_kept(name):
    instruction, text, expected = GOOD[name]

    assert read(text, instruction) == expected


@pytest.mark.parametrize("name", CUT)
def test_what_the_length_limit_cut_off_is_left_out_and_nothing_else(name):
    text, expected = CUT[name]

    assert read(text, finish_reason="length") == expected
