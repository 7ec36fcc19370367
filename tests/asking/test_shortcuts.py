"""What spares a search: a shortcut says that there is nothing only where the search itself finds nothing."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import Task
from pipeline.asking import clean, examples, lists, phrases
from pipeline.asking.examples import fields, layout, remarks
from pipeline.asking.examples.label import bare_label, mentions
from pipeline.asking.lists import numbers
from pipeline.asking.lists.inline import BARE, COUNTS, DIGIT, INLINE, LATER_BARE, SIGN
from pipeline.filters import instances, refusals, repeats, short_answers
from pipeline.novelty.rouge import RougeIndex
from pipeline.novelty.tokens import count_words
from pipeline.task import Instance
from pipeline.text import folded, mend, words

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
MARKED = st.lists(
    st.sampled_from(
        ("---", "***a", "===", "~~~", "##", "[[end]]", "\\begin{a}", "<br>", ".<br/>", "Answers:", "Solutions:\n1. a", "Outputs:",
         "ANSWER KEY:", "ſolutions:\n1.", "1.2 a", "9.1.", "٣.١ b", "2.", "\n", "\n\n", "a", "```py", "- b", "c) d", "Go on.")
    ), max_size=8,
).map("".join)  # fmt: skip
WORDY = st.lists(
    st.sampled_from(("come", "Up", "with", "a", "series", "of", "tasks:", "-", "…", "up!", "é")), max_size=7
).map(" ".join)
NAMED = st.lists(
    st.sampled_from(
        ("Example 1", "EXAMPLE 2: Input: a", "eXample 3: Output: b", "Instance 1:\nInput: c", "test case 4: Q: d", "Sample #5",
         "## Example #6", "例 7\nInput: e", "Pair 8 - input: f", "Ejemplo 9: label: g", "**Task**: h", "Task: i", "example 1\n",
         "ſample 2: input: j", "Input: k", "Output: l")
    ), max_size=5,
).map("\n".join)  # fmt: skip
LINES = st.lists(st.sampled_from(PIECES), max_size=8).map(lambda some: "\n".join(some))


@settings(deadline=None)
@given(text=TEXT | LINES)
def test_marks_of_turns_and_thoughts_need_what_is_looked_for_first(text):
    if not clean.may_hold_marks(text):
        for pattern in (clean._THOUGHT, clean._TURN_ENDS):
            assert not pattern.search(text)
        assert not clean._TURN_BEGINS.match(text)


@settings(deadline=None)
@given(text=TEXT | LINES | MARKED)
def test_a_list_is_searched_only_for_what_may_be_in_it(text):
    if "```" not in text:
        assert not clean.FENCE.search(text)
    if not any(sign in text for sign in lists.BREAKS):
        assert not lists.BREAK.search(text)
    if not lists.may_hold_key(text):
        assert not lists.KEY_TO_ALL.search(text)
    if not numbers.TWO_PARTS.search(text):
        assert not numbers.DOTTED.search(text)


@settings(deadline=None)
@given(text=NAMED)
def test_examples_are_searched_only_for_names_that_may_be_in_them(text):
    if not layout.may_name_others(text):
        assert not fields.OTHER_EXAMPLE.search(text)
        assert "example" in text.lower() or not fields.EXAMPLE_LINE.search(text)
    assert "#" in text or not fields.HASHED.search(text)
    assert "Example" in text or not examples.EXAMPLE.search(text)
    assert "Task" in text or not examples.TASK.search(text)


@settings(deadline=None)
@given(text=TEXT | LINES | MARKED)
def test_a_piece_on_one_line_has_no_marks_of_items_behind_a_text(text):
    if "\n" not in text.strip():
        for mark in (lists.BULLET, lists.LETTER, lists.ITEM):
            assert not any(text[: found.start()].strip() for found in mark.finditer(text))


@settings(deadline=None)
@given(
    begin=st.text("ab", max_size=5),
    loop=st.text("ab \n", min_size=1, max_size=30),
    times=st.integers(1, 12),
    end=st.text("ab", max_size=3),
)
def test_a_loop_is_found_as_by_a_look_at_every_period(begin, loop, times, end):
    text = begin + loop * times + end
    folded, least = " ".join(text.split())[-8 * phrases.MAX_PERIOD :], 20
    expected = len(text) >= least <= len(folded) and any(
        folded[period - size :] == folded[-size:-period]
        for period in range(1, min(phrases.MAX_PERIOD, len(folded) // 8) + 1)
        if (size := max(least, 8 * period))
    )
    assert phrases.ends_in_loop(text, least) == expected


@settings(deadline=None)
@given(text=WORDY, header=WORDY)
def test_an_echo_is_found_whatever_it_begins_with(text, header):
    enough = min(map(count_words, (text, header))) >= phrases.MIN_WORDS
    said, asked = (f" {' '.join(words(one))} " for one in (text, header))
    assert phrases.is_echo(text, header) == (enough and (said in asked or asked in said))


@settings(deadline=None)
@given(
    output=WORDY | st.sampled_from(("ﬁne", " ß a", "SS A", "\u2003x")),
    instruction=WORDY | st.sampled_from(("FINE", "ss a", "X")),
)
def test_an_instruction_said_again_is_found_whatever_it_begins_with(output, instruction):
    found = instances.prompt_echo(Instance(output=output), Task(id="a", instruction=instruction))
    assert (found is not None) == (folded(output) == folded(instruction))


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


def test_nothing_is_replaced_in_a_text_without_an_unseen_character():
    for code in (*range(0x3000), *range(0xD800, 0xE000), *range(0xF900, 0x10100)):
        text = f"ک{chr(code)}b"
        if not clean._UNSEEN.search(text):
            assert mend(text) == text
            for pattern in (clean._MISREAD, clean._LINE_END, clean._CONTROL, clean._JOINER):
                assert not pattern.search(text)


@settings(deadline=None)
@given(
    before=st.sampled_from(("Go on. ", "Go on.", "it: ", "Go on. **", "Go on. Task ", "(")),
    number=st.sampled_from(("1", "12", "٣", "①", "⓿", "㉑", "\U0001f51f", "1\ufe0f\u20e3", "2\u20e3", "3\ufe0f")),
    closes=st.sampled_from((". ", ".", ")** ", "**. ", "__: ", "\\. ", "：", "、", " ", " - ")),
)
def test_a_mark_on_a_line_needs_a_digit_and_what_closes_it_or_a_sign(before, number, closes):
    text = f"{before}{number}{closes}Name a bird of the sea."
    if not (COUNTS.search(text) or SIGN.search(text)):
        assert not INLINE.search(text)


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
    assert repeats._is_repetitive(text) == (len(fours) < repeats.MIN_DISTINCT * fours.total())


@settings(deadline=None)
@given(
    label=st.sampled_from(("Yes", "no", "ß", "K", "k", "a.b", "I", "ı", "Yes. It is", "no (why?)")), instruction=TEXT
)
def test_a_label_is_found_in_an_instruction_in_any_case(label, instruction):
    whole = rf"(?<!\w){re.escape(label)}(?!\w)"
    expected = len(label) <= len(instruction) and bool(re.search(whole, instruction, re.IGNORECASE))
    assert mentions(instruction, label) == expected
    assert bare_label(label, instruction)


@settings(deadline=None)
@given(given=TEXT, output=TEXT, instruction=TEXT)
def test_a_copy_is_found_whichever_check_comes_first(given, output, instruction):
    instance, task = Instance(input=given, output=output), Task(id="a", instruction=instruction)
    one, other = " ".join(given.split()), " ".join(output.split())
    checked = count_words(one) >= repeats.MIN_COPIED and not repeats._KEEPS_TEXT.search(instruction)
    alike = other.startswith(one) or RougeIndex([one]).closest(other).score >= repeats.MIN_ROUGE
    assert (repeats.repeats_input(instance, task) is not None) == (checked and alike)


@given(
    st.sampled_from(["a", "the only", "just the"]),
    st.sampled_from(["Number", "İnteger", "ınteger", "fıgure", "DIGIT", "word"]),
)
def test_an_instruction_that_asks_for_a_number_holds_one_of_the_words(which, noun):
    instruction = f"How many? Answer with {which} {noun}."
    assert short_answers._may_ask_for_number(instruction) >= bool(short_answers._ONE_NUMBER.search(instruction))
