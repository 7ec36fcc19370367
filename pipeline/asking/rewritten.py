"""Reads a rewritten task: the text itself, without what a model says around it, and the example it may come with."""

import re
from collections.abc import Sequence

from pipeline.asking.clean import clean_text
from pipeline.asking.examples import parse_input_first
from pipeline.asking.lists.marks import KEY
from pipeline.asking.phrases import SIGNS_OFF, is_preamble
from pipeline.task import Instance
from pipeline.text import words


def parse_rewritten(text: str) -> str:
    """The text of a task that a model was asked for: no announcement, label, quotes or sign-off around it.

    Its lines stay as they are. What a base model goes on with, an example or the next "Task:", is left out.
    """
    text = _FENCED.sub(r"\1", clean_text(text).strip())
    before = None
    while text != before:
        before = text
        first, _, rest = text.partition("\n")
        if rest.strip() and (is_preamble(first.strip()) or KEY.fullmatch(first.strip())):
            text = rest.strip()
        text = _LABEL.sub("", text, count=1).strip()
    if found := _NEXT.search(text):
        text = text[: found.start()]
    *paragraphs, last = re.split(r"\n\s*\n", text.strip())
    said_about = SIGNS_OFF.match(last.strip()) or _ABOUT_ITSELF.match(last.strip())
    text = "\n\n".join(paragraphs if paragraphs and said_about else [*paragraphs, last])
    return _unquoted(_ONE_ITEM.sub("", text.strip()))


def parse_with_instance(text: str, cut: bool) -> tuple[str, tuple[Instance, ...]]:
    """A task and the worked example behind it: the text up to the first field, and what follows from there on."""
    text = clean_text(text)
    field = _FIELD.search(text)
    if not field:
        return parse_rewritten(text), ()
    instruction = parse_rewritten(text[: field.start()])
    return instruction, tuple(parse_input_first(text[field.start() :], cut, instruction)[:1])


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
    for opens, closes in (("**", "**"), ('"', '"'), ("“", "”"), ("«", "»"), ("`", "`")):
        inner = text[len(opens) : -len(closes)]
        if text.startswith(opens) and text.endswith(closes) and inner and opens not in inner and closes not in inner:
            return inner.strip()
    return text


_KIND = r"(?:(?:re-?written|new|revised|improved|refined|evolved|translated|updated|final|rephrased|my) )*"
_LABEL = re.compile(
    rf"\A(?:[#>]+ *)?(?:\*\*|__)?(?:the )?{_KIND}(?:task|instruction|prompt|question|translation)"
    r"(?: in(?:to)? [\w ]{1,30}| \([^()\n]{1,30}\))?"
    r"(?: is| would be)?(?:(?:\*\*|__|#+)?[:：]|[:：](?:\*\*|__)|#+[^\S\n]*\n)(?:\*\*|__)?\s*",
    re.IGNORECASE,
)
_ONE_ITEM = re.compile(r"\A1[.)]\s+(?!.*^\s*2[.)]\s)", re.MULTILINE | re.DOTALL)  # of a list that has no other
_WRITTEN = r"(?:new|re-?written|revised|updated|modified|original) (?:version|task|instruction|prompt|question)"
_ABOUT_ITSELF = re.compile(  # what a model says of the task that it has written
    rf"\W*(?:(?:this|the) {_WRITTEN}\b|(?:explanation|note)\W*:[^\n]*\b{_WRITTEN}\b"
    r"|this (?:version|rewrite) (?:now |also )?(?:adds|asks|requires|includes|introduces|keeps|makes|has|is)\b"
    r"|i(?:'ve| have)? (?:added|rewritten|changed)\b[^\n]*\b(?:the|this) (?:task|prompt|instruction)\b)",
    re.IGNORECASE,
)
_NEXT = re.compile(  # another task, or an example of this one; a line that ends in a colon may announce that
    rf"^(?:\*\*)?{_KIND}task(?:\*\*)?:|(?<!:\n)^(?:\*\*)?(?:(?:input|output|classification):|example \d+:?$)",
    re.MULTILINE | re.IGNORECASE,
)
_FENCED = re.compile(r"\A```[^\n`]*\n(.*)\n```\Z", re.DOTALL)
_FIELD = re.compile(r"^[^\S\n]*(?:#{1,6} )?(?:\*\*|__)?(?:Example \d|Input|Output)\b", re.MULTILINE)
