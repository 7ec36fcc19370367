"""Reads worked examples as models write them: inputs and outputs with their markers, or labels and inputs."""

import re
from bisect import bisect
from collections.abc import Iterable
from textwrap import dedent

from pipeline.asking.clean import FENCE, clean_text
from pipeline.asking.examples.fields import INPUTS as INPUTS_NAMED
from pipeline.asking.examples.fields import NO_INPUT
from pipeline.asking.examples.fields import OUTPUTS as OUTPUTS_NAMED
from pipeline.asking.examples.layout import in_layout, labels_in_layout, until_end
from pipeline.asking.examples.pairs import FIELD as ANY_FIELD
from pipeline.asking.examples.pairs import labels_in_pairs, labels_in_turns
from pipeline.asking.examples.records import from_records
from pipeline.asking.examples.remarks import without_remarks
from pipeline.asking.examples.whole import answers_in_code, whole_output
from pipeline.asking.markup import unwrapped
from pipeline.asking.phrases import ANNOUNCES, SIGNS_OFF, is_preamble
from pipeline.task import Instance


def parse_input_first(text: str, cut: bool = False, instruction: str = "") -> list[Instance]:
    """Worked examples in the layout of the prompt, which ends with "Example 1", or in another that is known.

    Markers count only where a line begins with them, so the words may occur in the text. A piece without "Output:" is
    no instance. What a model adds after a second "Output:" or a new "Input:" without an "Example" line is left out, and
    so is an explanation, unless the instruction asks for it. Nor do markers count inside a block of code. When the
    completion was `cut` off, so is its last piece.
    """
    text = clean_text(text)
    text = inner if _FIELD.match((inner := unwrapped(text)).lstrip()) else text
    text = _own_part(text)
    if answers_in_code(text, instruction):
        return []
    found = [] if OUTPUT.search(text) else from_records(text, cut)
    if not found:
        text = in_layout(text, instruction)
        pieces = _examples(text if OUTPUT.search(text) else _POINT.sub("", text))
        for piece in pieces[:-1] if cut else pieces:
            if pair := _pair(piece):
                found.append(pair)
            else:
                found += from_records(piece, cut) or list(filter(None, [_pair(in_layout(piece, instruction))]))
    return [_bare(instance, instruction) for instance in found]


def _bare(instance: Instance, instruction: str) -> Instance:
    input, output = (without_remarks(text, instruction) for text in (instance.input, instance.output))
    same = input == instance.input and output == instance.output
    return instance if same else Instance(input=input, output=output)


def parse_whole(text: str, cut: bool, instruction: str) -> list[Instance]:
    """Outputs without any field, an "Example" line between them, of a task that needs no input."""
    text = _own_part(clean_text(text))
    text = until_end(text)
    if answers_in_code(text, instruction):
        return [] if cut else [Instance(output=without_remarks(whole_output(text, instruction), instruction))]
    if _FIELD.search(text) or LABEL.search(text) or INPUTS_NAMED.search(text) or OUTPUTS_NAMED.match(text.lstrip()):
        return []
    marks = [mark for mark in EXAMPLE.finditer(text) if not mark["title"]]
    counts = [mark["number"] for mark in marks] in ([str(n + s) for n in range(len(marks))] for s in (1, 2))
    before, *rest = _between(marks if counts else [], text)
    pieces = [before, *rest] if before.strip() or not rest else rest
    outputs = [whole_output(_text(piece), instruction) for piece in (pieces[:-1] if cut else pieces)]
    return [Instance(output=without_remarks(output, instruction)) for output in outputs if output]


def parse_output_first(text: str, cut: bool = False, instruction: str = "") -> list[Instance]:
    """Labels, each followed by an input; the prompt ends with the first "Class label:".

    The first line of a piece is the label, the rest is the input, with or without "Input:"; a second input has the
    same label, unless a line before it looks like one. A text that holds no such field, or begins with another one, may
    be pairs in another layout. When the completion was `cut` off, so is its last piece.
    """
    found = _labels(_own_part(clean_text(text)).lstrip(), cut, instruction)
    return [_given_alone(one, instruction) for one in found]


def _given_alone(instance: Instance, instruction: str) -> Instance:
    text = without_remarks(instance.input, instruction)
    return instance if text == instance.input else Instance(input=text, output=instance.output)


def _labels(text: str, cut: bool, instruction: str) -> list[Instance]:
    if not LABEL.search(text) and (records := from_records(text, cut)):
        return records
    line, newline, below = text.partition("\n")
    announced = newline and line.rstrip()[-1:] in (":", "：", ".") and is_preamble(line.strip())
    text = labels_in_layout(below if announced else text).lstrip()
    if pairs := _pairs(text, cut, instruction):
        return pairs
    if fenced := FENCE.match(text):  # the whole answer
        text = text[fenced.end() : [mark.start() for mark in FENCE.finditer(text)][-1] or None]
    headed = EXAMPLE.match(text)
    if INPUT.match(text[headed.end() :].lstrip() if headed else text):  # the layout of the other tasks
        return parse_input_first(LABEL.sub("Output:", text), cut)
    text = _with_labels("".join(_between(_headings(text), text)))
    first, *rest = _between((LABEL if LABEL.search(text) else SHORT_LABEL).finditer(text), text)
    pieces = [first, *rest] if first.strip() else rest
    found = []
    for piece in pieces[:-1] if cut else pieces:
        label, _, given = _after_labels(LABELS, piece).partition("\n")
        if INPUT.match(label):
            continue  # the label is missing
        found += [Instance(input=text, output=_EMPHASIS.sub(r"\2", label.strip())) for text in _inputs(given)]
    return found


def _own_part(text: str) -> str:
    """What belongs to the task: not a task that the model adds, nor what it says to the user at the end."""
    found = TASK.search(text) if "Task" in text else None
    text = text[: found.start()] if found else text
    before, _, last = text.rstrip().rpartition("\n\n")
    ends = (
        SIGNS_OFF.match(last.lstrip())
        or _ABOUT_THEM.fullmatch(last.strip())
        or (_RULE.search(before) and not _MARKER.search(last))
    )
    return before if ends and _OF_EXAMPLES.search(last) else text


def _headings(text: str) -> list[re.Match[str]]:
    """The "Example" lines of a text with labels."""
    marks = EXAMPLE.finditer(text) if "Example" in text else ()
    return [mark for mark in marks if not mark["title"] or _MARKER.match(text[mark.end() :].lstrip())]


def _pairs(text: str, cut: bool, instruction: str) -> list[Instance]:
    """What a text without any of the prompt's fields holds, or one that begins with another field."""
    if LABEL.search(text) or SHORT_LABEL.search(text) or INPUT.search(text):
        if not ANY_FIELD.match(text) and not text.startswith(("Example", "#", "*")):
            return []
        return labels_in_turns("".join(_between(_headings(text), text)), cut, instruction)
    return labels_in_pairs(text, cut, instruction)


def _with_labels(text: str) -> str:
    """The text with "Class label:" before the labels of a model that leaves it out.

    That is where a short line, no sentence, stands alone between two inputs, or is in bold, or has a number like the
    first label.
    """
    if LABEL.search(text) or SHORT_LABEL.search(text):
        return text
    marks = [mark for mark in INPUT.finditer(text) if not mark["number"]]
    first = text.lstrip().partition("\n")[0]
    for mark in reversed(marks[1:MAX_LABELS]):
        before, newline, line = text[: mark.start()].rstrip().rpartition("\n")
        label = _ITEM.sub("", line.strip())
        alone = not before.rpartition("\n")[2].strip() or _EMPHASIS.match(label)
        numbered = label != line.strip() and _ITEM.match(first)
        short = len(label.split()) <= MAX_WORDS and not label.endswith((".", "!", "?"))
        if newline and short and (alone or numbered):
            text = f"{before}\nClass label: {label}\n{text[mark.start() :]}"
    return _ITEM.sub("", text.lstrip()) if LABEL.search(text) else text


def _examples(text: str) -> list[str]:
    """The pieces between the "Example" lines.

    Such a line may also be part of a text. It is a marker if it comes first or last, if a field follows, or if it
    counts on and an output follows; with a title, only if a field follows.
    """
    marks = list(EXAMPLE.finditer(text))
    before, *bodies = _between(marks, text)
    found: list[re.Match[str]] = []
    number = 1
    for mark, body in zip(marks, bodies, strict=True):
        first = mark is marks[0] and not before.strip()
        counts = mark["number"] == str(number + 1) and (OUTPUT.search(body) or body.lstrip().startswith(("{", "[")))
        bare = not mark["title"] and (first or not body.strip() or counts)
        if bare or _FIELD.match(body.lstrip()):
            found.append(mark)
            number = int(mark["number"] or number + 1)
    return _between(found, text)


def _pair(piece: str) -> Instance | None:
    marker = (next(iter(_outside(OUTPUT, piece)), None) if "```" in piece else None) or OUTPUT.search(piece)
    if not marker:
        return None
    before, after = piece[: marker.start()], piece[marker.end() :]
    same_line = not after.lstrip(" \t").startswith("\n")  # what follows on it is text, whatever it looks like
    after = _after_labels(OUTPUTS, after)
    lines = (after.find("\n") + 1 or len(after)) if same_line else 0
    if (
        "```" in before and len(FENCE.findall(before)) % 2
    ):  # it is opened before the example and closed in it or after it
        before, after = FENCE.sub("", before), FENCE.split(after)[0]
    ends = [found.start() for found in _outside(_FIELD, after) if found.start() >= lines]
    output = after[: min(ends, default=None)]
    return Instance(input=_input(before), output=_text(output))


def _input(text: str) -> str:
    """The field before an output. "Input 2:" after "Input 1:" is a part of it; a second "Input:" begins it anew."""
    marks = _outside(INPUT, text) or list(INPUT.finditer(text))
    if not marks:
        line, _, rest = text.strip().partition("\n")
        return _given(rest if ANNOUNCES.fullmatch(line) else text)
    plain = [mark for mark in marks if not mark["number"]]
    return _given(text[(plain[-1] if plain else marks[0]).end() :])


def _inputs(text: str) -> list[str]:
    """The inputs of one label; an output after them would give the answer away."""
    text = text[: found.start()] if (found := OUTPUT.search(text)) else text
    marks = list(INPUT.finditer(text))
    plain = [mark for mark in marks if not mark["number"]]
    pieces = _between(plain or marks[:1], text)[1:] if marks else [text]
    given = [_given(piece) for piece in pieces]
    return [text for text in given if text] or [""]


def _given(text: str) -> str:
    text = _text(_after_labels(INPUTS, text))
    return "" if NO_INPUT.fullmatch(text) else text


def _text(text: str) -> str:
    """A field without a rule below it, and without the fence around it, unless that says which language is in it."""
    text = _RULE.sub("", dedent(text) if text.startswith("\n") else text).strip()
    text = text[:-2].rstrip() if text.endswith("**") and text.count("**") == 1 else text  # bold from before the field
    if not (text.startswith("```") and text.endswith("```") and text.count("```") == 2):
        return text
    language, newline, block = text[3:-3].partition("\n")
    if not newline:
        return language.strip()
    return block.strip() if language.strip() in ("", "text", "txt", "plaintext") else text


def _after_labels(labels: re.Pattern[str], text: str) -> str:
    found = labels.match(text)
    text = text[found.end() if found else 0 :]
    return text.rstrip() if text[:1].isspace() and _BLOCK.match(text) else text.strip()


def _outside(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    """Where the pattern occurs, but for blocks of code."""
    if "```" not in text:
        return list(pattern.finditer(text))
    fences = [fence.start() for fence in FENCE.finditer(text)]
    fences = fences[: len(fences) // 2 * 2]  # one that is not closed is no block
    return [mark for mark in pattern.finditer(text) if bisect(fences, mark.start()) % 2 == 0]


def _between(marks: Iterable[re.Match[str]], text: str) -> list[str]:
    """The pieces between the marks, one more than there are marks."""
    ends = [place for mark in marks for place in mark.span()]
    return [text[start:end] for start, end in zip([0, *ends[1::2]], [*ends[::2], len(text)], strict=True)]


def _marker(words: str) -> re.Pattern[str]:
    """The words and a colon where a line begins, maybe with a number between, maybe in bold or as a heading."""
    name = rf"(?:{words})[^\S\n]*+(?P<number>\d{{0,3}})[^\S\n]*+"
    return re.compile(rf"^[^\S\n]*+(?:#{{2,6}} )?(?P<bold>\*\*)?{name}(?:\*\*)?[:：](?(bold)(?:\*\*)?)", re.MULTILINE)


INPUT, OUTPUT = _marker("Input"), _marker("Output")
LABEL, SHORT_LABEL = _marker("Class [Ll]abel"), _marker("Label")
_FIELD, _MARKER = _marker("Input|Output"), _marker("Input|Output|(?:Class )?[Ll]abel|Example")
TASK = re.compile(r"^(?:\*\*)?Task(?:\*\*)?:", re.MULTILINE)
_EXAMPLE = r"(?:#{1,6} )?(?:\*\*)?Example[^\S\n]*+(?P<number>\d{0,3})[.:：]?(?:\*\*)?[.:]?[^\S\n]*+$"
_TITLED = r"(?:#{1,6} )?(?:\*\*)?Example \d{1,3}(?:\*\*)?(?:[.:：]| [-–—])(?P<title> [^\n]{1,80})$"
EXAMPLE = re.compile(rf"^[^\S\n]*+(?:{_EXAMPLE}|{_TITLED})", re.MULTILINE)
MARKER_LINE = re.compile(
    rf"(?:\n[^\S\n]*+)++(?={_EXAMPLE}|(?:#{{1,6}} )?(?:\*\*)?(?:Task|Input|Output|Class [Ll]abel|Label)"
    r"[^\S\n]*+\d{0,3}[^\S\n]*+(?:\*\*)?[:：])",
    re.MULTILINE,
)
# The same label again, at the beginning of its field.
INPUTS, OUTPUTS, LABELS = (
    re.compile(rf"(?:\s*+[*`]*+(?:{words})[^\S\n]*+\d{{0,3}}[*`]*+[:：][*`]*+)*+")
    for words in ("Input", "Output", "Class [Ll]abel|Label|Output|Answer")
)

_BLOCK = re.compile(r"\s*\n[^\S\n]")  # lines that are indented begin below the field
MAX_WORDS, MAX_LABELS = 4, 100  # of a line that is taken for a label; more of these are not looked for
_POINT = re.compile(r"^[-*•] (?=(?:\*\*)?(?:Input|Output)\b)", re.MULTILINE)
_ITEM = re.compile(r"(?:[-*•]|\d{1,2}[.)])[^\S\n]++")
_RULE = re.compile(r"\n[^\S\n]*+(?:-{3,}|\*{3,}|_{3,})\s*+\Z")
_EMPHASIS = re.compile(r"^(\*\*?|`|__)(.+)\1$")
_ABOUT_THEM = re.compile(  # the examples, in a sentence below them
    r"(?:these|the above|both|all) (?:\w+ ){0,2}(?:examples|labels|instances|inputs)\b[^.!?\n]{0,120}[.!]",
    re.IGNORECASE,
)
_OF_EXAMPLES = re.compile(r"\b(?:examples?|tasks?|instances?|labels?)\b", re.IGNORECASE)
