"""Thoughts before an answer, in the marks of many models, are no part of it."""

import pytest

from pipeline.asking.clean import clean_text
from pipeline.asking.lists import parse_list
from pipeline.asking.verdicts import parse_yes_no
from pipeline.engines.server.answer import thinks, visible

TASKS = ["Describe how a river changes its land.", "Translate the sentence into Dutch.", "Sort the numbers by size."]
LIST = "\n".join(f"{number}. {task}" for number, task in enumerate(TASKS, 1))
THOUGHT = "\n1. Think of some rivers.\n2. Then choose one of them.\n"
MARKS = {
    "DeepSeek, Qwen": ("<think>", "</think>"),
    "in capitals": ("<THINK>", "</THINK>"),
    "with an attribute": ('<think type="quick">', "</think>"),
    "Seed-OSS": ("<seed:think>", "</seed:think>"),
    "LongCat": ("<longcat_think>", "</longcat_think>"),
    "Claude": ("<antThinking>", "</antThinking>"),
    "Magistral": ("[THINK]", "[/THINK]"),
    "Kimi": ("◁think▷", "◁/think▷"),
    "gpt-oss": ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    "gpt-oss, asked for JSON": (
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>",
    ),
    "gpt-oss without its tokens": ("analysis", "assistantfinal"),
    "OpenThinker": ("<|begin_of_thought|>", "<|end_of_thought|>\n\n<|begin_of_solution|>\n"),
    "Command A": ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
    "MedGemma": ("<unused94>thought", "<unused95>"),
    "Apertus": ("<|inner_prefix|>", "<|inner_suffix|>"),
    "Gemma": ("<|channel>thought", "<channel|>"),
    "EXAONE Deep": ("<thought>", "</thought>"),
    "EXAONE Deep, opened by the prompt": ("", "</thought>"),
    "Granite": ("Here is my thought process:", "Here is my response:\n"),
    "a chat page": ("<details>\n<summary>Thought for 3 seconds</summary>", "</details>\n"),
    "escaped": ("&lt;think&gt;", "&lt;/think&gt;"),
    "a word of its own": ("<scratchpad>", "</scratchpad>\n"),
    "a fence": ("```thinking", "```\n"),
}


@pytest.mark.parametrize("name", MARKS)
def test_thoughts_are_no_part_of_a_list_or_an_answer(name: str) -> None:
    opens, closes = MARKS[name]
    text = f"{opens}{THOUGHT if opens != 'analysis' else THOUGHT.strip()}{closes}"
    assert parse_list(text + LIST) == TASKS
    assert parse_yes_no(f"{text}No") is False
    assert thinks(text + LIST)
    assert visible(text + LIST).removeprefix("<|begin_of_solution|>\n").removeprefix("<|START_RESPONSE|>") == LIST


@pytest.mark.parametrize("name", ["DeepSeek, Qwen", "Seed-OSS", "Command A", "EXAONE Deep", "Granite", "a fence"])
def test_thoughts_that_do_not_end_are_all_there_is(name: str) -> None:
    assert parse_list(MARKS[name][0] + THOUGHT) == []
    assert visible(MARKS[name][0] + THOUGHT) == ""


@pytest.mark.parametrize("tag", ["answer", "response", "output", "solution", "final_answer"])
@pytest.mark.parametrize("closed", [True, False])
def test_a_tag_around_the_answer_is_no_item(tag: str, closed: bool) -> None:
    assert parse_list(f"<think>hm</think>\n<{tag}>\n{LIST}\n{f'</{tag}>' if closed else ''}") == TASKS


@pytest.mark.parametrize(
    "task",
    [
        "Write a page in which <thinking> tags stand around what people think.",
        "Explain the tag <thought>a thought</thought> to a child.",
        "Say what analysis of a text means, as to assistantfinal.",
        "List what the tag <reasoning> is good for.",
    ],
)
def test_a_task_may_name_the_marks(task: str) -> None:
    assert parse_list(f"1. {task}\n2. {TASKS[1]}\n3. {TASKS[2]}") == [task, *TASKS[1:]]


def test_the_header_of_a_turn_that_lost_its_tokens_is_no_part_of_an_answer():
    assert parse_list(f"assistant\n\n{LIST}assistant\n\nSure! Here is more:\n1. Name a colour that warms.") == TASKS
    assert clean_text("I am your assistant\n\nAsk me.") == "I am your assistant\n\nAsk me."


def test_tokens_that_fill_up_or_begin_a_text_are_no_part_of_an_answer():
    assert clean_text("<|begin▁of▁sentence|>It rains.<pad><pad>") == "It rains."
