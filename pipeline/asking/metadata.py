"""Reads what a model says about a task: the kinds of metadata, what each consists of, and tolerant parsers of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from pipeline.asking.choice import parse_choice
from pipeline.asking.clean import clean_text
from pipeline.asking.phrases import REFUSES, is_preamble
from pipeline.asking.values import read_values
from pipeline.text import folded


@dataclass(frozen=True)
class Field:
    """A piece of metadata, as it is called in `meta`.

    Attributes:
        labels: What a line that states it may begin with.
        many: Whether it is a list of short texts; otherwise it is one text.
        choices: If not empty, what it may be.
        most: Of a list, how many are taken.
    """

    name: str
    labels: tuple[str, ...]
    many: bool = False
    choices: tuple[str, ...] = ()
    most: int = 5


_LEVELS = "remember, understand, apply, analyze, evaluate, create"  # Bloom's, as revised in 2001
BLOOM = tuple(_LEVELS.split(", "))
SKILLS = ("skills", "skill", "required skills", "skills required", "needed skills", "skills needed")
KINDS: Mapping[str, tuple[Field, ...]] = {
    "use_case": (  # CodecLM (arXiv 2404.05875): a use case, and the skills that an answer takes
        Field("use_case", ("use case", "task", "usage")),
        Field("skills", SKILLS, many=True, most=3),
    ),
    "concepts": (
        Field("subject", ("subject", "field", "discipline", "area", "domain")),
        Field("concepts", ("concepts", "concept", "key concepts", "topics"), many=True),
    ),
    "persona": (Field("persona", ("persona", "person")),),
    "tags": (Field("tags", ("tags", "tag", "keywords"), many=True),),
    "difficulty": (
        Field("difficulty", ("difficulty", "rating", "score"), choices=("1", "2", "3", "4", "5")),
    ),
    "level": (Field("level", ("level", "bloom level", "bloom's level", "cognitive level"), choices=BLOOM),),
}  # fmt: skip


def fields_of(kind: str) -> tuple[Field, ...]:
    """What a kind of metadata consists of; one of the user's own is a text of that name."""
    return KINDS.get(kind) or (Field(kind, (kind.replace("_", " "), kind)),)


def parse_metadata(text: str, fields: Sequence[Field], cut: bool = False) -> dict[str, JsonValue] | None:
    """The value of each field; None unless there is one for all of them.

    The prompt ends with the label of the first field, so its value may stand without one. The others are lines with
    labels, or the keys of a JSON object. Of a completion that was `cut` off, a text that ends with it does not count.

    Example:
        >>> parse_metadata(" Plan a party\\nSkills: budgeting, cooking", KINDS["use_case"])
        {'use_case': 'Plan a party', 'skills': ['budgeting', 'cooking']}
    """
    text = clean_text(text)
    if REFUSES.match(text.strip()) or _NOTHING.fullmatch(text.strip()):
        return None
    line, newline, rest = text.lstrip().partition("\n")
    if newline and rest.strip() and is_preamble(line.strip()):
        text = rest
    stated = _from_values(text, fields) or _from_lines(text, fields, cut)
    found = {field.name: _value(stated[field.name], field) for field in fields if field.name in stated}
    return found if len(found) == len(fields) and all(found.values()) else None


def _from_values(text: str, fields: Sequence[Field]) -> dict[str, str | list[str]]:
    """The values of a JSON object; an array is that of the one field there is."""
    values = read_values(text)
    value = values[0][0] if values and values[1] else None
    if isinstance(value, list) and len(fields) == 1:
        value = {fields[0].name: value}
    if not isinstance(value, dict):
        return {}
    named = {folded(name.replace("_", " ")): one for name, one in value.items()}
    return {
        field.name: [str(one) for one in said] if isinstance(said, list) else str(said)
        for field in fields
        for said in [next((named[label] for label in field.labels if label in named), None)]
        if said is not None
    }


def _from_lines(text: str, fields: Sequence[Field], cut: bool) -> dict[str, str | list[str]]:
    """What follows each label, up to the next; what comes before the first label is the value of the first field."""
    labels = {label: field for field in fields for label in field.labels}
    pattern = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True))
    marks = list(
        re.finditer(
            rf"^(?:[^\w\n]|_)*+(?:\d[.)] ?(?:[^\w\n]|_)*+)?(?P<label>{pattern})(?: \([^()\n]{{1,20}}\))?{_AFTER}",
            text,
            re.M | re.I,
        )
    )
    starts = [(fields[0], 0), *((labels[folded(mark["label"])], mark.end()) for mark in marks)]
    ends = [*(mark.start() for mark in marks), len(text)]
    stated: dict[str, str | list[str]] = {}
    for (field, start), end in zip(starts, ends, strict=True):
        said = text[start:end]
        torn = cut and end == len(text) and (field.many or "\n" not in said.strip())  # of one line, it is whole
        before = stated.get(field.name, "")
        if said.strip() and not torn and (not before or _announces(str(before))):
            stated[field.name] = said
    return stated


def _announces(text: str) -> bool:
    return text.strip().endswith((":", "："))


def _value(said: str | list[str], field: Field) -> JsonValue:
    if field.choices:
        return _choice(said if isinstance(said, str) else " ".join(said), field.choices)
    if field.many:
        parts = said if isinstance(said, list) else _parts(said)
        items = [part.strip(" \t.;*_-•\"'“”`[]").lstrip("#") for part in parts]
        found: list[JsonValue] = [item for item in dict.fromkeys(items) if item]
        return found[: field.most] if all(len(item.split()) <= MAX_WORDS for item in items) else []
    text = said if isinstance(said, str) else ", ".join(said)
    return _line(text)


def _parts(text: str) -> list[str]:
    """The items of a list: lines if there are several, else what stands between commas or semicolons."""
    lines = [re.sub(r"^\s*(?:[-*•]|\d+[.)])\s+", "", line) for line in text.strip().split("\n\n")[0].split("\n")]
    lines = [line for line in lines if line.strip()]
    if len(lines) > 1 and not any(separator in line for line in lines for separator in ",;、，|"):
        return lines
    if lines and _HASHED.fullmatch(lines[0]):
        return lines[0].split("#")
    return (
        re.split(r"[;；|]" if any(mark in lines[0] for mark in ";；|") else r"[,、，]|\band\b(?=[^,]*$)", lines[0])
        if lines
        else []
    )


def _choice(text: str, choices: Sequence[str]) -> str:
    """The one choice that is named first; none where it is but one end of a range, as in "1 to 5"."""
    if all(choice.isdecimal() for choice in choices) and (said := parse_choice(text, choices)):
        return said
    words = re.findall(r"\d+(?:[.,]\d+)?|\w+", folded(text.partition("\n")[0] or text))
    known = [spelt for word in words[:MAX_WORDS] if (spelt := _SPELT.get(word, word)) in choices]
    return known[0] if len(set(known)) == 1 or (known and words and _SPELT.get(words[0], words[0]) == known[0]) else ""


def _line(text: str) -> str:
    """The first line that says something, without quotes or emphasis around it."""
    line = next((line for line in text.split("\n") if any(map(str.isalnum, line))), "")
    return _POINT.sub("", " ".join(line.split()).strip("*_\"'“”` ")).strip()


_AFTER = r"(?:(?:\*\*|__)?[^\S\n]?[:：](?:\*\*|__)?|(?:(?<=\w)\*\*)?(?=[^\S\n]*\n[^\S\n]*\S))"  # or a line of its own
_HASHED = re.compile(r"\s*(?:#[^\s#,]+\s*){2,}")
_POINT = re.compile(r"\A(?:[-*•]|1[.)])\s+")
_NOTHING = re.compile(r"\W*(?:none|n/a|not applicable|unknown|null)\W*", re.IGNORECASE)
MAX_WORDS = 12  # of an item of a list, and of what is looked at for a choice
_OTHER_SPELLINGS = """one=1 two=2 three=3 four=4 five=5 remembering=remember understanding=understand applying=apply
    analyse=analyze analyzing=analyze analysing=analyze evaluating=evaluate creating=create knowledge=remember
    comprehension=understand application=apply analysis=analyze evaluation=evaluate synthesis=create"""
_SPELT = dict(pair.split("=") for pair in _OTHER_SPELLINGS.split())
