"""Reads labels and inputs in layouts other than that of the prompt: points, arrows, headings, other fields, tables."""

import re
from collections.abc import Callable, Sequence

from pydantic import JsonValue

from pipeline.asking.examples.fields import ARROW, INPUTS, LABELS, OUTPUTS
from pipeline.asking.examples.label import mentions
from pipeline.asking.markup import read_table
from pipeline.asking.phrases import is_preamble
from pipeline.asking.values import Cut, read_values
from pipeline.task import Instance

Pair = tuple[str, str]
Mark = re.Match[str]


def labels_in_pairs(text: str, cut: bool, instruction: str) -> list[Instance]:
    """Instances of a text that consists of pairs of a label and an input, in either order; none of another.

    The label is the side that the instruction names, or else the one with fewer words.

    Args:
        cut: The text is cut off, and with it the last pair.
    """
    if (found := _from_values(text)) is not None:
        return _instances(found, instruction)
    found = _from_table(text) or _from_points(text, instruction) or _from_arrows(text) or _from_headings(text)
    found = found or _from_tags(text) or _from_lines(text, instruction) or _from_named(text, instruction)
    return _instances(found[:-1] if cut else found, instruction) or labels_in_turns(text, cut, instruction)


def labels_in_turns(text: str, cut: bool, instruction: str) -> list[Instance]:
    """Instances of a text whose fields come round: a review, then its sentiment, and again; none of another.

    The last field is the label, or the first. Once is enough where the last is called a label or an output.
    """
    text = text.strip()
    marks = list(FIELD.finditer(text))
    names = [mark["name"].casefold() + mark["number"] for mark in marks]
    if len({*names}) == len(names) > 2:  # each has a number of its own
        names = [mark["name"].casefold() for mark in marks]
    period = period_of(names)
    once = period == len(names) and not _is_label(names[-1:])
    if period < 2 or marks[0].start() or len(names) % period or once or _is_label(names[:1]):
        return []
    if _OF_TASK.intersection(names) or names != names[:period] * (len(names) // period) or len({*names}) < period:
        return []
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    values = [text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    fields = [text[mark.start() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    starts = range(0, len(names) - (period if cut else 0), period)
    last = [(_joined(fields, values, n, n + period - 1), values[n + period - 1]) for n in starts]
    if _is_label(names[period - 1 : period]):
        short = all(len(label.split()) <= MAX_WORDS for _, label in last)
        return [Instance(input=input, output=label) for input, label in last if label] if short else []
    first = [(values[n], _joined(fields, values, n + 1, n + period)) for n in starts]
    return _instances(last if _side(last, instruction) == 1 else first, instruction)


def period_of(names: Sequence[str]) -> int:
    """After how many names the first one comes again; all of them if it does not."""
    return next((place for place, name in enumerate(names) if place and name == names[0]), len(names))


def in_each(find: Callable[[str], Mark | None], lines: Sequence[str]) -> list[Mark]:
    """What a pattern finds in the lines; nothing if one of them does not have it."""
    found = []
    for line in lines:
        if (mark := find(line)) is None:
            return []
        found.append(mark)
    return found


def _joined(fields: Sequence[str], values: Sequence[str], start: int, end: int) -> str:
    """Several fields with their names, but for "Input"; of one, its value."""
    first = values[start] if end - start == 1 or INPUTS.match(fields[start]) else fields[start]
    return "\n".join([first, *fields[start + 1 : end]])


def _is_label(names: Sequence[str]) -> bool:
    return any(known.match(f"{name}:") for name in names for known in (OUTPUTS, LABELS))


def _instances(pairs: Sequence[Pair], instruction: str) -> list[Instance]:
    pairs = [pair for pair in pairs if all(pair)]
    label = _side(pairs, instruction)
    if label is None or any(len(pair[label].split()) > MAX_WORDS for pair in pairs):
        return []
    return [Instance(input=pair[1 - label], output=pair[label].strip(AROUND)) for pair in pairs]


def _side(pairs: Sequence[Pair], instruction: str) -> int | None:
    """Which of the two is the label; None where nothing tells."""
    both = [[pair[side] for pair in pairs] for side in (0, 1)]
    worth = [sum(_named(text, instruction) for text in texts) for texts in both]
    if worth[0] == worth[1]:
        worth = [-sum(len(text.split()) for text in texts) for texts in both]
    return None if worth[0] == worth[1] else int(worth[1] > worth[0])


def _named(text: str, instruction: str) -> bool:
    return mentions(instruction, text.strip(AROUND + "."))


def _from_values(text: str) -> list[Pair] | None:
    """Objects of two texts with the same names, or one whose names are the labels; None for what is no JSON."""
    if not text.lstrip().startswith(("{", "[", "```")) or not (found := read_values(text)):
        return None
    records: list[JsonValue] = [one for value in found[0] for one in (value if isinstance(value, list) else [value])]
    if len(records) == 1 and isinstance(records[0], dict) and len(records[0]) == 1:
        inner = next(iter(records[0].values()))
        records = inner if isinstance(inner, list) and all(isinstance(one, dict) for one in inner) else records
    objects = [one for one in records if isinstance(one, dict)]
    if len(objects) != len(records):
        return []
    if len(objects) > 1 and {*objects[-1]} < {*objects[0]}:  # cut off
        objects.pop()
    names = {(*one,) for one in objects}
    if len(names) == 1 and len(objects[0]) == 2 and len(records) > 1:
        return [(a, b) for a, b in map(_texts, objects) if a and b]
    pairs = [(name, one) for record in objects for name, value in record.items() for one in _listed(value)]
    return pairs if len({name for name, _ in pairs}) > 1 else []


def _texts(record: dict[str, JsonValue]) -> Pair:
    first, second = (str(one) if isinstance(one, str) and not isinstance(one, Cut) else "" for one in record.values())
    return first, second


def _listed(value: JsonValue) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(one) for one in values if isinstance(one, str) and not isinstance(one, Cut)]


def _from_table(text: str) -> list[Pair]:
    """The rows of a table of two columns, a column of numbers aside."""
    if "|" not in text or not (found := read_table(text)):
        return []
    _, rows = found
    rows = [row for cells in rows if (row := cells[1:] if _NUMBER.fullmatch(cells[0]) else cells)]
    if not rows or any(len(row) != 2 for row in rows[:-1]) or len(rows[-1]) > 2:
        return []
    return [(row[0], row[1] if len(row) == 2 else "") for row in rows]


def _from_points(text: str, instruction: str) -> list[Pair]:
    """Lines such as "- **Positive**: I love it.", two or more and nothing else, an announcement aside.

    Names that come again must be labels, which the instruction names, or stand behind points; names of fields are none.
    """
    points = in_each(_POINT.fullmatch, _lines(text))
    if len(points) < 2 or _is_field(points[0]["label"]):
        return []
    names = [one["label"].casefold().rstrip("0123456789 ") for one in points]
    again = len(names) > len({*names})
    turns = again and names[:2] * (len(names) // 2) == names and names[0] != names[1]
    marked = all(one["point"] or one["bold"] for one in points)
    known = all(_named(name, instruction) for name in names)
    return [(one["label"], one["input"]) for one in points] if known or not (again and (turns or not marked)) else []


def _from_arrows(text: str) -> list[Pair]:
    found = in_each(ARROW.match, _lines(text))
    return [(one["input"], one["output"]) for one in found] if len(found) > 1 else []


def _from_headings(text: str) -> list[Pair]:
    """What stands below headings, lines in bold or points in bold, each a label."""
    text = text.strip()
    marks = list(_HEADING.finditer(text))
    if len(marks) < 2 or marks[0].start() or len({mark["marks"] for mark in marks}) > 1:
        return []
    return _below(text, marks)


def _from_named(text: str, instruction: str) -> list[Pair]:
    """What stands below lines that are nothing but a label which the instruction names; the first line is one."""
    text = text.strip()
    marks = [mark for mark in _ALONE.finditer(text) if _named(mark["label"], instruction)]
    if not marks or marks[0].start() or len({mark["label"].casefold() for mark in marks}) < 2:
        return []
    return _below(text, marks)


def _below(text: str, marks: Sequence[re.Match[str]]) -> list[Pair]:
    """Each label with the text below it, or with each of the points there."""
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    below = [_RULE.sub("", text[mark.end() : end]).strip() for mark, end in zip(marks, ends, strict=True)]
    labels = [mark["label"].strip("*_ ").rstrip(":：").strip("*_ ") for mark in marks]
    inputs = [[_BULLET.sub("", line) for line in one.split("\n") if _BULLET.match(line.strip())] for one in below]
    return [
        (label, one.strip())
        for label, whole, points in zip(labels, below, inputs, strict=True)
        for one in (points if len(points) == len(whole.split("\n")) else [whole])
    ]


def _from_tags(text: str) -> list[Pair]:
    """Nothing but elements such as <positive>I love it.</positive>, with two names or more."""
    found = list(_ELEMENT.finditer(text))
    if len({one["name"].casefold() for one in found}) < 2 or _ELEMENT.sub("", text).strip():
        return []
    return [(one["name"].replace("_", " "), one["text"].strip()) for one in found]


def _from_lines(text: str, instruction: str) -> list[Pair]:
    """Lines that all begin, or all end, with a label that the instruction names, and a mark between."""
    lines = [_BULLET.sub("", line) for line in _lines(text)]
    for mark, label in ((_AFTER_FIRST, 0), (_BEFORE_LAST, 1)):
        found = [one.groups() for one in in_each(mark.fullmatch, lines)]
        if len(found) > 1 and all(_named(pair[label], instruction) for pair in found):
            return [(pair[0].strip(), pair[1].strip()) for pair in found]
    return []


def _is_field(name: str) -> bool:
    return name.casefold() in _OF_TASK or any(names.match(f"{name}:") for names in (INPUTS, OUTPUTS, LABELS))


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.split("\n") if line.strip() and not line.lstrip().startswith("```")]
    return lines[1:] if lines and is_preamble(lines[0]) else lines


AROUND = "*_`\"'“”()[] "
_OF_TASK = {"instruction", "instructions", "task"}  # no input, and no label
MAX_WORDS = 6  # of a label
_NUMBER = re.compile(r"\d{0,3}[.)]?|#")
_POINT = re.compile(
    r"(?P<point>(?:[-*•]|\d{1,2}[.)]) )?(?P<bold>\*\*)?(?P<label>[^\W\d_][^:：\n*]{0,40})"
    r"(?:(?(bold)\*\*[:：]|[:：])|[:：]\*\*)[^\S\n]*(?P<input>\S.*)"
)
_HEADING = re.compile(
    r"^(?P<marks>#{1,6} |(?:[-*•] )?\*\*)(?P<label>[^\n:：*]{1,40}[:：]?(?:\*\*)?[:：]?)[^\S\n]*$", re.MULTILINE
)
_ALONE = re.compile(r"^[^\S\n]*(?P<label>[^\n:：]{1,40})[:：]?[^\S\n]*$", re.MULTILINE)
_RULE = re.compile(r"\A\s*[-*_=]{3,}[^\S\n]*(?=\n)")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
_ELEMENT = re.compile(r"<(?P<name>[A-Za-z_]{1,30})>(?P<text>[^<>]+)</(?P=name)>")
_AFTER_FIRST = re.compile(r"([^\t;|:,–—]{1,40}?)(?:\t|[^\S\n]*[;|:,–—][^\S\n]*|[^\S\n]+-[^\S\n]+)(\S.*)")
_BEFORE_LAST = re.compile(
    r"(.*\S)(?:\t|[^\S\n]*[;|:,–—][^\S\n]*|[^\S\n]+-[^\S\n]+|[^\S\n]*(?=[(\[]))([^\t;|:,–—]{1,40})"
)
FIELD = re.compile(
    r"^[^\S\n]*(?:[-*•] |\d{1,2}[.)] |#{1,6} )?(?:\*\*)?(?P<name>[^\W\d_][\w ]{0,24}?)(?P<number>(?: ?\d{1,2})?)"
    r"(?:\*\*)?[:：](?:\*\*)?",
    re.MULTILINE,
)
