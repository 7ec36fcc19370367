"""Brings worked examples that are written in another layout into that of the prompt: a line for each field."""

import re
from collections.abc import Callable

from pipeline.asking.examples.fields import (
    ABOUT_ARROWS,
    ABOUT_QUESTIONS,
    ARROW,
    ASKED,
    END_TOKEN,
    ENDS,
    EXACT_LABEL,
    EXACT_OUTPUT,
    EXAMPLE_BEFORE,
    EXAMPLE_LINE,
    FIELD,
    FOLD,
    HASHED,
    HEADED,
    INPUT_BEHIND,
    INPUTS,
    LABELS,
    OTHER_EXAMPLE,
    OUTPUTS,
    QUOTED,
    SAME_LINE,
    SHORT,
    TAG,
    TAG_NAMES,
    YAML_BEGINS,
)
from pipeline.asking.examples.instruction import needs_input
from pipeline.asking.examples.pairs import FIELD as ANY_FIELD
from pipeline.asking.examples.pairs import in_each, period_of
from pipeline.asking.examples.remarks import EXPLAINS


def in_layout(text: str, instruction: str = "") -> str:
    """The text with "Input:" and "Output:" where lines begin, and "Example" between, if its layout is a known one."""
    others = may_name_others(text)
    if others or "example" in text.lower():
        text = _with_example_lines(text)
    if others:
        text = OTHER_EXAMPLE.sub(r"Example \g<number>", text)
    if not EXACT_OUTPUT.search(text):
        text = HEADED.sub(_with_colon, text)
        text = _named(_tagged(text, "output", "answer", "response", "result"), instruction)
    if not EXACT_OUTPUT.search(text):
        text = _split(text, instruction)
    return _numbered(text)


def labels_in_layout(text: str) -> str:
    """The same with "Class label:" for what comes first."""
    if may_name_others(text) or "example" in text.lower():
        text = _with_example_lines(text)
    if not EXACT_LABEL.search(text) and _has_headings(text):
        text = HEADED.sub(_with_colon, text)
    if "Input:" in text and not INPUTS.search(text):  # on the line of its label
        text = INPUT_BEHIND.sub("\nInput:", text)
    if INPUTS.match(text.lstrip()):  # the layout of the other tasks
        return in_layout(LABELS.sub(r"\g<indent>Output\g<number>:", text))
    if EXACT_LABEL.search(text):
        return _pointless(text, LABELS)
    text = _tagged(text, "label", "output", "answer")
    if EXACT_LABEL.search(text) or not LABELS.search(text):
        return text
    text = LABELS.sub(r"\g<indent>Class label\g<number>:", text)
    return until_end(INPUTS.sub(r"\g<indent>Input\g<number>:", text))


def _with_example_lines(text: str) -> str:
    """With a line of its own for what is written as "Example 1: Input: …"."""
    text = HASHED.sub(r"\g<name>", text) if "#" in text else text
    return EXAMPLE_LINE.sub(r"\g<indent>Example \g<number>\n", text)


def may_name_others(text: str) -> bool:
    """Whether examples may be called otherwise than "Example"; most texts need no search for that."""
    if not text.isascii() or "EXAMPLE" in text or "example" in text:
        return True
    small = text.lower()
    return any(name in small for name in OTHER_NAMES)


def _has_headings(text: str) -> bool:
    """Whether labels stand under headings: one that says so, with a label below it; "RESULT" may be a label itself."""
    for mark in HEADED.finditer(text):
        below = _BELOW.match(text, mark.end())
        if below and LABELS.match(_with_colon(mark).strip()) and not FIELD.match(below["line"]):
            return True
    return False


_BELOW = re.compile(r"\s*(?P<line>\S.*)")


def _with_colon(mark: re.Match[str]) -> str:
    return mark["name"].replace("**", "").replace("__", "") + ":"


def until_end(text: str) -> str:
    """Up to where the model goes on with another task."""
    first = FIELD.search(text)
    found = ENDS.search(text, first.end() if first else 0)
    return END_TOKEN.sub("", text[: found.start()] if found else text)


def _named(text: str, instruction: str) -> str:
    """With other names for the fields; but what a task that needs no input answers of its own is no field."""
    if OUTPUTS.search(text):
        asked = ASKED if not INPUTS.search(text) else INPUTS
        outputs = OUTPUTS
        if asked is ASKED and instruction and (several := _with_inputs(text)):
            text, asked = several, INPUTS
    elif SHORT.search(text) and ASKED.search(text):
        asked, outputs = ASKED, SHORT
    else:
        return text
    first = outputs.search(text)
    before = text[: first.start()].strip() if first else ""
    about_questions = asked is ASKED and asked.search(text) and ABOUT_QUESTIONS.search(instruction)
    if about_questions and not needs_input(instruction):
        return text
    if before and instruction and not asked.search(text) and not needs_input(instruction):
        return text
    quoted = YAML_BEGINS.match(text) is not None

    def named(name: str) -> Callable[[re.Match[str]], str]:
        return lambda mark: f"{mark['indent']}{mark['point']}{name}{mark['number'] and ' ' + mark['number']}:"

    bare = text.strip()
    if bare.startswith("```") and bare.endswith("```") and bare.count("```") == 2 and "\n" in bare:
        text = bare.partition("\n")[2].removesuffix("```")
    text = _outputs_named(asked.sub(named("Input"), text), outputs, named("Output"))
    return until_end(_unquoted(text) if quoted else _folded(text))


def _outputs_named(text: str, outputs: re.Pattern[str], name: Callable[[re.Match[str]], str]) -> str:
    """With one name for all outputs; another one right behind an output, such as a final answer, is part of it."""
    pieces, place, before = [], 0, ""
    for mark in outputs.finditer(text):
        called = "".join(filter(str.isalpha, mark[0])).casefold()
        between = text[place : mark.start()]
        if before not in ("", called) and between.strip() and not FIELD.search(between):
            continue
        pieces += [between, name(mark)]
        place, before = mark.end(), called
    return "".join([*pieces, text[place:]])


def _with_inputs(text: str) -> str:
    """With "Input:" before the fields of each input, where several come round: a passage, a question, its answer."""
    marks = [mark for mark in ANY_FIELD.finditer(text) if not EXAMPLE_BEFORE.search(mark[0].strip("*: "))]
    names = [mark["name"].casefold() for mark in marks]
    period = period_of(names)
    once = names[:period]
    if (
        period < 3
        or min(map(len, once)) < 2
        or names != once * (len(names) // period)
        or not OUTPUTS.match(f"{once[-1]}:")
    ):
        return ""
    if any(known.match(f"{name}:") for name in once[:-1] for known in (INPUTS, OUTPUTS, EXPLAINS)):
        return ""
    for mark in reversed(marks[::period]):
        text = f"{text[: mark.start()]}Input:\n{text[mark.start() :]}"
    return text


def _unquoted(text: str) -> str:
    """YAML with a quoted value for each field."""
    return QUOTED.sub(lambda mark: f"{mark['name']} {mark['text']}", text)


def _folded(text: str) -> str:
    return FOLD.sub(lambda mark: mark["name"], text)


def _tagged(text: str, *names: str) -> str:
    """With a line for each tag that is the name of a field."""
    found = {mark["name"].lower() for mark in TAG.finditer(text) if mark["closes"]}
    if not found.intersection(names):
        return text

    def line(mark: re.Match[str]) -> str:
        name = mark["name"].lower()
        if name not in TAG_NAMES:
            return mark[0]
        return "\n" if mark["closes"] else "\n" + TAG_NAMES[name] + ("\n" if TAG_NAMES[name] == "Example" else "")

    return TAG.sub(line, text)


def _split(text: str, instruction: str) -> str:
    """With a new line before an output that stands on the line of its input, or after an arrow."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if any(INPUTS.match(line) and SAME_LINE.search(line) for line in lines[:MAX_LINES]):
        text = "\n".join(
            SAME_LINE.sub("\nOutput:", line, count=1) if INPUTS.match(line) else line for line in text.split("\n")
        )
        return INPUTS.sub(lambda mark: f"{mark['indent']}{mark['point']}Input{mark['number']}:", text)
    arrows = in_each(ARROW.match, lines)
    if arrows and needs_input(instruction) and not ABOUT_ARROWS.search(instruction):
        return "".join(f"\nExample {n}\nInput: {a['input']}\nOutput: {a['output']}" for n, a in enumerate(arrows, 1))
    return text


def _numbered(text: str) -> str:
    """With "Example" before an input that a number or a bullet marks, or whose own number counts on."""
    marks = list(FIELD.finditer(text))
    if marks and marks[0]["point"] and not marks[0]["point"].startswith("#"):
        starts = marks[0]["point"].strip()[-1]
        name = marks[0][0].strip().removeprefix(marks[0]["point"]).strip("*_`\"' :：0123456789").casefold()
        pieces, place = [], 0
        for mark in marks:
            begins = mark["point"] and mark["point"].strip()[-1] == starts and name in mark[0].casefold()
            pieces.append(text[place : mark.start()] + ("\nExample\n" if begins and mark is not marks[0] else ""))
            pieces.append(mark["indent"] + mark[0][len(mark["indent"]) + len(mark["point"]) :])
            place = mark.end()
        return "".join(pieces) + text[place:]
    numbers = [(mark, int(mark["number"])) for mark in marks if mark["number"]]
    starts_at = [mark for (mark, number), (before, last) in zip(numbers[1:], numbers, strict=False)
                 if "nput" in mark[0] and "utput" in before[0] and number == last + 1]  # fmt: skip
    for mark in reversed(starts_at):
        if not EXAMPLE_BEFORE.search(text[max(0, mark.start() - 40) : mark.start()]):
            text = f"{text[: mark.start()]}Example {mark['number']}\n{text[mark.start() :]}"
    return text


def _pointless(text: str, fields: re.Pattern[str]) -> str:
    """Without bullets and numbers before the fields, where the first has one."""
    first = fields.search(text)
    if not first or not first["point"] or text.count("```", 0, first.start()) % 2:  # in a block of code
        return text
    without = fields.sub(lambda mark: mark["indent"] + mark[0][len(mark["indent"]) + len(mark["point"]) :], text)
    return INPUTS.sub(lambda mark: mark["indent"] + mark[0][len(mark["indent"]) + len(mark["point"]) :], without)


OTHER_NAMES = ("instance", "sample", "pair", "case", "ejemplo", "exemple", "beispiel", "esempio", "exemplo",
               "voorbeeld", "exempel", "eksempel", "esimerkki", "exemplu", "contoh", "mfano")  # fmt: skip
MAX_LINES = 200  # that are looked at for fields on one line
