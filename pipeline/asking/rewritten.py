"""Reads a rewritten task: the text itself, without what a model says around it, and the example it may come with."""

import re
from collections.abc import Sequence

from pipeline.asking.clean import clean_text
from pipeline.asking.examples import parse_input_first
from pipeline.asking.examples.fields import INPUTS, OUTPUTS
from pipeline.asking.examples.records import from_records
from pipeline.asking.lists.marks import KEY
from pipeline.asking.lists.records import from_values
from pipeline.asking.phrases import SIGNS_OFF, is_preamble
from pipeline.task import Instance
from pipeline.text import words


def parse_rewritten(text: str) -> str:
    """The text of a task that a model was asked for: no announcement, label, quotes or sign-off around it.

    Its lines stay as they are. What a base model goes on with, an example or the next "Task:", is left out.
    """
    text = _FENCED.sub(r"\1", clean_text(text).strip())
    text = _in_values(_TAGGED.sub(r"\2", text))
    text = _ORIGINAL.sub("", text)
    before = None
    while text != before:
        before = text
        first, _, rest = text.partition("\n")
        if rest.strip() and (is_preamble(first.strip()) or KEY.fullmatch(first.strip())):
            text = rest.strip()
        text = _LABEL_ABROAD.sub("", _LABEL.sub("", _AGREES.sub("", text, count=1), count=1), count=1).strip()
    if found := _NEXT.search(text):
        text = text[: found.start()]
    if found := _CHANGES.search(text):
        text = text[: found.start()]
    *paragraphs, last = re.split(r"\n\s*\n", text.strip())
    said_about = SIGNS_OFF.match(last.strip()) or _ABOUT_ITSELF.match(last.strip())
    text = "\n\n".join(paragraphs if paragraphs and said_about else [*paragraphs, last])
    text = text.strip()
    return _unquoted(_ONE_ITEM.sub("", text) if "\n" in text else _POINT.sub("", text))


def _in_values(text: str) -> str:
    """The task of a text that is JSON and names one; any other text as it is."""
    if not text.startswith(("{", "[")) or not (found := from_values(text)):
        return text
    tasks = [task for task in found if task]
    return tasks[0] if len(tasks) == 1 else text


def parse_with_instance(text: str, cut: bool) -> tuple[str, tuple[Instance, ...]]:
    """A task and the worked example behind it: the text up to the first field, and what follows from there on."""
    text = clean_text(text)
    if text.lstrip().startswith(("{", "[", "```")) and (found := from_records(text, cut)):
        return _in_values(_FENCED.sub(r"\1", text.strip())), tuple(found[:1])
    if (start := _first_field(text)) is None:
        return parse_rewritten(text), ()
    instruction = parse_rewritten(text[:start])
    return instruction, tuple(parse_input_first(text[start:], cut, instruction)[:1])


def _first_field(text: str) -> int | None:
    """Where the first input or output begins, whatever it is called; behind a colon it is a form to be kept to."""
    starts = [found.start() for found in [_FIELD.search(text)] if found]
    for names in (INPUTS, OUTPUTS):
        named = (found.start() for found in names.finditer(text))
        starts += [start for start in named if not text[:start].rstrip().endswith((":", "："))][:1]
    return min(starts, default=None)


def copied(text: str, frame: str, parents: Sequence[str], num_words: int = 6) -> str:
    """The first words in a row that a text shares with the prompt that asked for it, and with none of its parents.

    Args:
        frame: The prompt without the task that it shows.
    """
    allowed = {run for parent in parents for run in _runs(parent, num_words)}
    asked = set(_runs(frame, num_words)) - allowed
    return next((run for run in _runs(text, num_words) if run in asked), "")


def _runs(text: str, num_words: int) -> list[str]:
    found = words(text)
    return [" ".join(found[start : start + num_words]) for start in range(len(found) - num_words + 1)]


def _unquoted(text: str) -> str:
    """Without quotes or bold around all of it."""
    for opens, closes in (("**", "**"), ("*", "*"), ('"', '"'), ("“", "”"), ("«", "»"), ("`", "`")):
        inner = text[len(opens) : -len(closes)]
        if text.startswith(opens) and text.endswith(closes) and inner and opens not in inner and closes not in inner:
            return inner.strip()
    return text


_KIND = r"(?:(?:re-?written|new|revised|improved|refined|evolved|translated|updated|final|rephrased|my) )*"
_LABEL = re.compile(
    rf"\A(?:1[.)] (?=[^\n]*:))?(?:[#>]+ *)?(?:\*\*|__)?(?:the )?{_KIND}"
    r"(?:(?:[A-Z][a-z]+ )?translation|task|instruction|prompt|question|version)"
    r"(?: in(?:to)? [\w ]{1,30}| \([^()\n]{1,30}\))?"
    r"(?: is| would be)?(?:(?:\*\*|__|#+)?[:：]|[:：](?:\*\*|__)|(?:#+|(?<=[a-z]))(?:\*\*)?[^\S\n]*\n)(?:\*\*|__)?\s*",
    re.IGNORECASE,
)
_LABEL_ABROAD = re.compile(  # the same in other languages; in Chinese and Japanese without blanks between the words
    r"\A(?:\*\*)?(?:(?:nueva|nouvelle|neue|nuova|nova|nieuwe|новая|новое|нове|yeni) )?"
    r"(?:tarea|tâche|aufgabe|compito|tarefa|taak|opdracht|задача|задание|завдання|görev|traducción|traduction|übersetzung"
    r"|traduzione|tradução|vertaling|перевод|переклад|çeviri|(?:改写后的|重写后的|新的|新)?(?:任务|指令|翻译|译文)|翻訳|번역)"
    r"(?: (?:reescrita|réécrite|riscritta|modificada|modifiée|traducida|traduite|traduzida))?"
    r"(?:\*\*)?\s?[:：](?:\*\*)?\s*(?=\S)",
    re.IGNORECASE,
)
_REWRITTEN = r"(?:re-?written|revised|evolved|improved|refined|updated|new|translated|rephrased)"
_ORIGINAL = re.compile(  # the task as it was, before it is given anew; or no word for what is given
    rf"\A(?:\W*original\b[^\n]{{0,400}}\n\s*)?\W*{_REWRITTEN}(?: version)?(?:\*\*)?:(?:\*\*)?\s+", re.IGNORECASE
)
_AGREES = re.compile(r"\A(?:Sure|Certainly|Of course|Absolutely)(?: thing)?!\s+(?=\S)")
_TAGGED = re.compile(r"\A\s*<(task|instruction|prompt|question|rewritten_\w+|new_\w+)>(.*)</\1>\s*\Z", re.DOTALL)
_CHANGES = re.compile(
    r"\n\s*\n(?:\s*-{3,}\s*\n)?\s*(?:#+ |\*\*)?(?:(?:key|main) )?(?:changes|modifications|improvements)(?: made)?"
    r"(?:\*\*)?:"
    r"|\n\s*-{3,}\s*\Z",
    re.IGNORECASE,
)
_POINT = re.compile(r"\A(?:1[.)]|[-*•>])\s+")
_ONE_ITEM = re.compile(r"\A1[.)]\s+(?!.*^\s*2[.)]\s)", re.MULTILINE | re.DOTALL)  # of a list that has no other
_WRITTEN = r"(?:new|re-?written|revised|updated|modified|original) (?:version|task|instruction|prompt|question)"
_ABOUT_ITSELF = re.compile(  # what a model says of the task that it has written
    rf"\W*(?:(?:this|the) {_WRITTEN}\b|(?:explanation|note)\W*:[^\n]*\b{_WRITTEN}\b"
    r"|this (?:version|rewrite) (?:now |also )?(?:adds|asks|requires|includes|introduces|keeps|makes|has|is)\b"
    r"|i(?:'ve| have)? (?:added|rewritten|changed|made|included|introduced|increased|modified|replaced)\b[^\n]*"
    r"\b(?:(?:the|this) (?:task|prompt|instruction|original)|harder|more (?:complex|difficult|specific))\b"
    r"|\((?:english )?translation:)",
    re.IGNORECASE,
)
_NEXT = re.compile(  # another task, or an example of this one; a line that ends in a colon may announce that
    rf"^(?:\*\*)?{_KIND}task(?:\*\*)?:|(?<!:\n)^(?:\*\*)?"
    r"(?:(?:input|output|answer|solution|response|classification):|example \d+:?$)",
    re.MULTILINE | re.IGNORECASE,
)
_FENCED = re.compile(r"\A```[^\n`]*\n(.*)\n```\Z", re.DOTALL)
_FIELD = re.compile(
    r"^[^\S\n]*(?:(?:#{1,6} )?(?:\*\*|__)?(?:Example \d|Input|Output)\b|<(?:input|output)>)", re.MULTILINE
)
