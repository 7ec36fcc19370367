"""Whatever a model writes, the parsers read it, in time, and what they read can be shown in the next prompt."""

import re
import time
from itertools import pairwise

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pipeline import Completion, Instance, Task, read_seeds
from pipeline.asking.choice import parse_choice
from pipeline.asking.clean import clean_text
from pipeline.asking.examples import MARKER_LINE, parse_input_first, parse_output_first, parse_whole
from pipeline.asking.lists import parse_list
from pipeline.asking.metadata import fields_of, parse_metadata
from pipeline.asking.ratings import parse_ratings
from pipeline.asking.rewritten import parse_rewritten
from pipeline.asking.verdicts import parse_better, parse_yes_no
from pipeline.asking.words import WORD
from pipeline.filters.find import INSTRUCTION, applied, first_reason
from pipeline.stages.filter import Filter
from pipeline.stages.instances import Instances, as_demo
from pipeline.stages.instructions import Instructions

PIECES = [
    "\n", "\n", "\n\n", " ", "\t", "\r\n", "1.", "10. ", "\n10. ", "\n1) ", "\n  1. ", "(10) ", "Task 10: ", "\nTask: ", "\nX. ", "\n- ",
    "**", "## ", "```", "\n```python\n", "Input: ", "\nInput: ", "\nInput 2: ", "Output:", "\nOutput: ", "\n**Output:** ", "\nExample 2\n",
    "\nExample 3", "Example 1:\n", "Class label: ", "\nClass label: ", "\nLabel: ", "yes", "No", "None", "N/A", "...", "[answer]", "<noinput>",
    "<think>", "</think>", "<|im_end|>", "<|im_start|>assistant\n", "</s>", "<s>", "[INST]", "### Response:", "I'm sorry, but ", "As an AI ",
    "Sure! Here are some examples:", "Let me know if you need more examples!", "Name a river. ", "a", "b:", "word word word word", "。", "你好",
    "\u200b", "\u200d", "\ufeff", "\u2028", "\x00", "\x85", "\x1b[0m", "\ud83d", "\ude00", "👩\u200d👧", "\u200f", "１．", "：", "\u3000",
    "\n9 ", "\n9 - ", "1️⃣ ", "①", "\n② ", "\na) ", "\nFirst, ", "\nTask nine: ", "\n9.1. ", "\n| ", " | ", "|---|\n", "\n- [ ] ", '["', '", "', '"]', '{"input": "', '", "output": "', '"}', '{"instruction": "', "<li>", "</li>",
    "<ol>", "<input>", "</input>", "<output>", "</output>", "\ninput: ", "\noutput: ", "\nAnswer: ", "\n1. Input: ", "\nQ: ", "\nA: ", " -> ", "\nExplanation: ", "(Note: ", ")", "\n---\n", "~~~\n", "“", "”", '"', "\\", "Yes, ", "is not a classification task. ", "The answer is ",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=30).map("".join)
finishes = st.sampled_from(["stop", "length"])
kinds = st.booleans()


def as_list(items: list[str]) -> str:
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, 9))


def as_examples(instances: list[Instance]) -> str:
    fields = [("\nInput: " + i.input if i.input else "") + "\nOutput: " + i.output for i in instances]
    return "".join(f"\nExample {number}{field}" for number, field in enumerate(fields, 1)).removeprefix("\nExample 1")


def as_labels(instances: list[Instance]) -> str:
    fields = [" " + i.output + ("\nInput: " + i.input if i.input else "") for i in instances]
    return "\nClass label:".join(fields)


def markers(instances: list[Instance], is_classification: bool) -> tuple[list[str], list[str]]:
    """The lines of a prompt that shows the instances which begin like a marker, and those that should be there."""
    demo = Task(id="1", instruction="Do it.", is_classification=is_classification, instances=tuple(instances))
    prompt = Instances().prompts({is_classification: [as_demo(demo)], not is_classification: []})(
        Task(id="2", instruction="Do that.", is_classification=is_classification)
    )
    found = re.findall(r"(?m)^[^\S\n]*(Task:|Example(?: \d+)?$|(?:Input|Output|Class label)(?= *\d*:))", prompt)
    wanted = ["Task:"]
    for number, instance in enumerate(instances, 1):
        field = ["Input"] if instance.input else []
        wanted += ["Class label", *field] if is_classification else [f"Example {number}", *field, "Output"]
    return found, [*wanted, "Task:", "Class label" if is_classification else "Example 1"]


@settings(deadline=None, max_examples=200)
@given(texts)
def test_a_text_is_cleaned_once_and_for_all(text):
    cleaned = clean_text(text)

    assert clean_text(cleaned) == cleaned
    cleaned.encode()
    assert not {"\0", "\r", "\ufeff", "\u2028", "\x85", "\x1b"} & set(cleaned)


@settings(deadline=None, max_examples=400)
@given(texts, finishes)
def test_what_is_read_of_a_list_is_read_again(text, finish_reason):
    completion = Completion.model_validate({"id": "1", "text": text, "finish_reason": finish_reason})
    tasks = list(Instructions().parse(completion, (), 0))
    items = parse_list(text)

    assert [task.instruction for task in tasks] == (items or [""])
    assert all(item == " ".join(item.split()) != "" for item in items)
    shown = [task.instruction for task in tasks if task.kept and first_reason(task, applied(INSTRUCTION, {})) is None]
    assert parse_list(as_list(shown)) == shown or any("</s>" in item for item in shown)  # it ends a text without <s>


@settings(deadline=None, max_examples=200)
@given(texts)
def test_an_answer_is_yes_no_or_neither(text):
    assert parse_yes_no(text) in (True, False, None)
    assert parse_better(text) in (0, 0.5, 1, None)


@settings(deadline=None, max_examples=400)
@given(texts)
def test_what_is_read_of_examples_is_no_marker_in_a_later_prompt(text):
    found, wanted = markers(parse_input_first(text), False)

    assert found == wanted


@settings(deadline=None, max_examples=400)
@given(texts)
def test_what_is_read_of_labels_is_no_marker_in_a_later_prompt(text):
    found, wanted = markers(parse_output_first(text), True)

    assert found == wanted


@settings(deadline=None, max_examples=200)
@given(texts, finishes, kinds)
def test_what_is_kept_has_an_output_and_no_task_is_lost(text, finish_reason, is_classification):
    task = Task(id="1", instruction="Say which it is: a, b or none.", is_classification=is_classification)
    completion = Completion.model_validate({"id": "1", "text": text, "finish_reason": finish_reason})
    judged = Filter().judge(task.update(instances=Instances().parse(task, completion)))

    assert judged.rejected or all(instance.output.strip() for instance in judged.instances)
    assert len(judged.instances) <= 5


plain = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=" "), min_size=1).map(
    lambda text: " ".join(text.split())
)
HEADING = re.compile(rf"tasks?|(?:{WORD})\s*\d+\W*", re.IGNORECASE)  # of a list, if nothing follows
lines = st.lists(plain, min_size=1, max_size=4).map("\n".join).map(str.strip)


def ordinary(text: str) -> bool:
    """Without what would be read as a marker, a bullet, a fence, a token, a number or the end of a line."""
    return (
        bool(text)
        and text.lower() != "none"
        and text[0].isalpha()
        and not set("*#`<>[]_-•:：") & set(text)
        and not text.endswith("\\")
        and not MARKER_LINE.search("\n" + text)
    )


@settings(deadline=None, max_examples=200)
@given(st.lists(plain.filter(ordinary), min_size=1, max_size=7))
def test_a_list_comes_back_as_it_was_written(items):
    assume(not any(char in item for item in items for char in "\u200b\u2060\u200c\u200d"))
    assume(not HEADING.fullmatch(items[0]))
    prompt = as_list(items).removeprefix("9.")

    assert parse_list(prompt) == items


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.builds(Instance, input=st.just("") | lines.filter(ordinary), output=lines.filter(ordinary)),
        min_size=1,
        max_size=5,
    )
)
@example([Instance(input="None left", output="Output is 5\nand Example 2\nTask")])
def test_examples_come_back_as_they_were_written(instances):
    assert parse_input_first(as_examples(instances)) == instances


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.builds(Instance, input=st.just("") | lines.filter(ordinary), output=plain.filter(ordinary)),
        min_size=1,
        max_size=5,
    )
)
def test_labels_come_back_as_they_were_written(instances):
    assert parse_output_first(as_labels(instances)) == instances


@pytest.mark.parametrize("name", ["general", "nano"])
def test_shipped_seeds_come_back_as_they_are(name):
    seeds = read_seeds(name)

    assert parse_list(as_list([task.instruction for task in seeds])) == [task.instruction for task in seeds]
    for task in seeds:
        instances = list(task.instances)
        read = (
            parse_output_first(as_labels(instances))
            if task.is_classification
            else parse_input_first(as_examples(instances))
        )
        assert read == instances, task.id


UNITS = ["---\n", 
    " ", "\t", "\n", "\r\n", " \n", "\u3000", "\u2028", "1", "1.", "1. ", "\n1.", "\n  1. a", "\n(1) ", "Task 1:", "\nTask: a", "*", "** ", "*a", "# ",
    "- ", "\n- a", "> ", "`", "```", "```\n", "_", "Input:", "\nInput: ", "\nInput 1: a", "Output:", "\nOutput: a", "\nExample 2", "\nExample 2\nInput: a",
    "\nExample 2\nOutput: a", "\nClass label: a", "\nLabel: a\nInput: b", "a\nInput: b\n\n",
    "\n- a: b", "\nInput: a\nOutput: b\n```", "\nExample 2: x\nInput: a\nOutput: b", "\n---", "<think>", "</think>", "<think></think>", "<|a|> ", "</s>", "<s></s>", "[INST]",
    "\n### Response:", "\nI.\nII.", "yes ", "no, ", "yes/no ", "Sure, ", "I'm sorry, ", "As an AI ", "Here are ", "Let me know if ", "Please provide the ",
    "\n9 A", "\n9 - A", " 10. A word word word word.", "\nFoo 1: ", "\na) a", "|", "| a |\n", "<li>", "<li>a</li>", "<", "<a ", "{", '{"a": 1}', '"', '"a", ', "'", "“",
    "\n[ ] ", "\n🌊 a", "①", "\n①", "1️⃣", "\nFirst, ", "\nTask nine: ", "\n9.1 A", "\\", "A. ", "\n- input: a", "\n1. Input: a\nOutput: b", "a -> b\n", " Output: ", "\nanswer: a",
    "\nExplanation: a", "(Note: a)\n", "\nNote: a", "\nQ: a\nA: b", "<input>a</input>", "it is not ", "the answer is ", "classification ", "[[A]", "so A ", "~~~\n", ".<br>", "\n+--+",
    "[", "[your ", "...", "…", "\u200b", "a\u200d", "\x00", "\x1b[0", "\ud83d", "😀", "你好", "word ", "word word. ", "a\n\n", "a:\n\n", "a\n",
]  # fmt: skip
MAX_SECONDS = 0.2  # the slowest takes 0.15 on a busy core; reading in quadratic time takes many seconds
STARTS = ["", " good\nInput: a\nOutput: "]


def whole(text: str) -> list[Instance]:
    return parse_whole(text, False, "Name a river.")


def rated(text: str) -> object:
    return parse_choice(text, ("1", "2", "3")), parse_ratings(text, 2)


def described(text: str) -> object:
    return parse_rewritten(text), parse_metadata(text, fields_of("use_case"))


def seconds(text: str) -> float:
    """Processor time that the slowest parser, with the filters of instances, takes over the text."""
    task = Task(id="1", instruction="Say which it is.", is_classification=True)
    judged = task.update(instances=(Instance(input=text, output="a"), Instance(input="b", output=text)))
    spent = [time.process_time()]
    for read in (
        parse_list,
        parse_yes_no,
        parse_better,
        parse_input_first,
        parse_output_first,
        whole,
        rated,
        described,
    ):
        read(text)
        spent.append(time.process_time())
    Filter().judge(judged)
    spent.append(time.process_time())
    return max(after - before for before, after in pairwise(spent))


@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_thirty_kilobytes_are_read_in_no_time(unit):
    for start in STARTS:
        text, half = (start + unit * (size // len(unit)) + "x" for size in (30_000, 15_000))

        assert any(seconds(text) < MAX_SECONDS or seconds(text) < 3 * seconds(half) for _ in range(3))
