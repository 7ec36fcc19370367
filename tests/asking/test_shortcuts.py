"""What spares a search: a shortcut says that there is nothing only where the search itself finds nothing."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import Task
from pipeline.asking import clean
from pipeline.asking.examples import _names, remarks, without_remark
from pipeline.asking.lists.inline import BARE, DIGIT, INLINE, LATER_BARE
from pipeline.filters import refusals, repeats
from pipeline.novelty.rouge import RougeIndex
from pipeline.novelty.tokens import count_words
from pipeline.task import Instance

PIECES = (
    "Explanation:", "(Reason: x)", "reasoning of it:", "RATIONALE: y", "justification:", "chain of thought:",
    "Thought process:", "explication: z", "Note that", "Please note: a", "nb: b", "n.b.: c", "**Nota** d", "Hinweis: e",
    "remarks: f", "Disclaimer: g", "注意: h", "解释: i", "<think>", "</think>", "[INST]", "<|im_end|>", "</s>",
    "### Response:", "### User: j", "◁think▷", "<｜end▁of▁sentence｜>", "1. ", "2) ", "(3) ", "iv. ", "A) ", "① ", "- K",
    "| L", "• M", ". Now", "? Who", "I'm an AI", "I’m a chatbot", "as a language model, I", "İ am unable to help",
    "ı do not have access to", "I am not able to provide", "I don't have the ability to", "ſay", "K", "the same",
    "the same", "over and over", "a b c d", "12", "\n", "\n\n", " ", "é", "ß", "Yes", "Answer: yes", "[x]", "###",
)  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).map(lambda some: " ".join(some))
LINES = st.lists(st.sampled_from(PIECES), max_size=8).map(lambda some: "\n".join(some))


@settings(deadline=None)
@given(text=TEXT | LINES)
def test_marks_of_turns_and_thoughts_need_what_is_looked_for_first(text):
    if not clean.may_hold_marks(text):
        for pattern in (clean._THOUGHT, clean._TURN_ENDS):
            assert not pattern.search(text)
        assert not clean._TURN_BEGINS.match(text)


@settings(deadline=None)
@given(text=TEXT | LINES)
def test_a_remark_needs_what_is_looked_for_first(text):
    if not remarks._may_remark(text):
        assert not remarks.EXPLAINS.search(text)
        assert not remarks.NOTE.search(text)


@settings(deadline=None)
@given(text=TEXT | LINES)
def test_a_soft_refusal_needs_what_is_looked_for_first(text):
    found = refusals._SOFTLY.search(text)
    assert refusals._softly(text) == (found[0] if found else None)


@settings(deadline=None)
@given(text=TEXT | LINES)
def test_a_number_on_a_line_needs_a_digit(text):
    if text.isascii() and not DIGIT.search(text):
        assert not INLINE.search(text)
        assert not LATER_BARE.search(text)
        assert not BARE.match(text.lstrip())


@settings(deadline=None)
@given(words=st.lists(st.sampled_from(("a", "b", "12", "é", "the", "same")), max_size=40))
def test_repeated_words_are_counted_as_by_a_counter(words):
    text = " ".join(words)
    fours = repeats._fours(text)
    assert repeats._share_distinct(text) == (len(fours) / fours.total() if fours else 1.0)


@settings(deadline=None)
@given(
    label=st.sampled_from(("Yes", "no", "ß", "K", "k", "a.b", "I", "ı", "Yes. It is", "no (why?)")), instruction=TEXT
)
def test_a_label_is_found_in_an_instruction_in_any_case(label, instruction):
    whole = rf"(?<!\w){re.escape(label)}(?!\w)"
    expected = len(label) <= len(instruction) and bool(re.search(whole, instruction, re.IGNORECASE))
    assert _names(instruction, label) == expected
    assert without_remark(label, instruction)


@settings(deadline=None)
@given(given=TEXT, output=TEXT, instruction=TEXT)
def test_a_copy_is_found_whichever_check_comes_first(given, output, instruction):
    instance, task = Instance(input=given, output=output), Task(id="a", instruction=instruction)
    one, other = " ".join(given.split()), " ".join(output.split())
    checked = count_words(one) >= repeats.MIN_COPIED and not repeats._KEEPS_TEXT.search(instruction)
    alike = other.startswith(one) or RougeIndex([one]).closest(other).score >= repeats.MIN_ROUGE
    assert (repeats.repeats_input(instance, task) is not None) == (checked and alike)
