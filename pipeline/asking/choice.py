"""Reads an answer that is one of a few: a letter, or a number on a scale."""

import re
from collections.abc import Sequence

from pydantic import JsonValue

from pipeline.asking.clean import clean_text
from pipeline.asking.values import read_values

SAYS = r"(?:answer|rating|rate|score|verdict|choice|grade|mark|points?)"
MARKUP = re.compile(r"\\(?:boxed|text|textbf|mathrm)\b|[*_`~>#|\"“”{}\[\]\\$]")
SCALE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:/|(?:points? )?out of)\s*(\d+)", re.IGNORECASE)
WHOLE = re.compile(r"(?<=\d)\.0+\b")
NUMBER = re.compile(r"(?<![\w.,-])\d+(?![\w%]|[.,–-]\d)")
END = r"(?![\w'’%]|[.,]\d|[-–/]\w|\s*[-–]\s*\d|,?\s*(?:or|and)\b)"
PAUSE = r"(?=\s*(?:\n|$)|\s*[.):;!–—-]|\s*,\s*\w{2})"


def parse_choice(text: str, choices: Sequence[str]) -> str | None:
    """Which of the choices an answer names, whatever stands around it; None for none, for several, and for a guess.

    A rating may say its scale, as "4/5" does; one on another scale than that of the choices is none.
    """
    text = clean_text(text)
    by_name = {choice.casefold(): choice for choice in choices}
    if (said := _value(text)) is not None:
        return by_name.get(said.casefold())
    text = WHOLE.sub("", MARKUP.sub(" ", text)).strip()
    are_numbers = all(choice.isdecimal() for choice in choices)
    if are_numbers:
        if {scale for _, scale in SCALE.findall(text)} - {choices[-1]}:
            return None
        text = SCALE.sub(r"\1", text)
    choice = "|".join(sorted(map(re.escape, choices), key=len, reverse=True))
    alone = re.fullmatch(rf"[\W_]*(?<!-)({choice})[\W_]*", text, re.IGNORECASE)
    if found := alone or re.match(rf"[\W_]*(?<!-)({choice}){END}{PAUSE}", text):
        return by_name[found[1].casefold()]
    named = rf"(?i:\b{SAYS}\b[^\n\d:=]{{0,30}}?(?:\b(?:is|of|as|it)\b|[:=]))[\W_]*(?<!-)({choice}){END}"
    several = {*re.findall(named, text)}
    if not several and are_numbers:
        several = {*NUMBER.findall(text)}
    return by_name.get(several.pop().casefold()) if len(several) == 1 else None


def _value(text: str) -> str | None:
    """What JSON in the answer says, if there is a single word or number in it."""
    if not (found := read_values(text)) or len(found[0]) != 1:
        return None
    value: JsonValue = found[0][0]
    if isinstance(value, dict):
        said = [one for name, one in value.items() if re.fullmatch(SAYS, name.strip(), re.IGNORECASE)]
        value = said[0] if len(said) == 1 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None
