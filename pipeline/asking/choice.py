"""Reads an answer that is one of a few: a letter, or a number on a scale."""

import re
from collections.abc import Sequence
from unicodedata import decimal

from pydantic import JsonValue

from pipeline.asking.clean import clean_text
from pipeline.asking.values import read_values

SAYS = r"(?:answer|rating|rate|score|verdict|choice|grade|mark|points?)"
MARKUP = re.compile(r"\\(?:boxed|text|textbf|mathrm)\b|[*_`~>#|\"“”{}\[\]\\$]")
SCALE = re.compile(r"(?<!\d)(\d++(?:\.\d+)?)\s*\(?(?:/|(?:points? )?out of)\s*(\d+)(?:(?<=\d)\))?", re.IGNORECASE)
LISTED = re.compile(r"1[.)]\s[^\n]*\n(?s:.*?)^\s*2[.)]\s", re.MULTILINE)
ITEM = re.compile(r"^\s*\d+[.)]\s", re.MULTILINE)
UNIT = re.compile(r"(?<=\d)\s?[分点點점]")
STATED = (
    r"(?i:\b(?:option|choose|pick|select|it is|it's)) [\W_]*({choice}){end}"
    r"|(?<![\w'’])({choice}) is (?:the )?(?:correct|right|best)\b"
)
WHOLE = re.compile(r"(?<=\d)\.0+\b")
NUMBER = re.compile(r"(?<![\w.,-])\d+(?![\w%]|[.,–-]\d)")
END = r"(?![\w'’%]|[.,]\d|[-–/]\w|\s*[-–]\s*\d|,?\s*(?:or|and)\b)"
PAUSE = r"(?=\s*(?:\n|$)|\s+(?:because|since)\b|\s*[.):;!–—-]|\s*,\s*\w{2})"


def parse_choice(text: str, choices: Sequence[str]) -> str | None:
    """Which of the choices an answer names, whatever stands around it; None for none, for several, and for a guess.

    A rating may say its scale, as "4/5" does; one on another scale than that of the choices is none.
    """
    text = clean_text(text)
    by_name = {choice.casefold(): choice for choice in choices}
    if (said := _value(text)) is not None:
        return by_name.get(said.casefold())
    text = text if text.isascii() else _in_ascii_digits(text)
    text = WHOLE.sub("", MARKUP.sub(" ", text)).strip()
    if LISTED.match(text):
        text = ITEM.sub("", text)
    are_numbers = all(choice.isdecimal() for choice in choices)
    if are_numbers:
        scale = rf"\b(?:from )?{choices[0]} ?(?:to|-|–|through) ?{choices[-1]}\b"
        text = re.sub(rf"\({scale}\)|(?:on )?a scale (?:of )?{scale}", "", text, flags=re.IGNORECASE)
        if {scale for _, scale in SCALE.findall(text)} - {choices[-1]}:
            return None
        text = SCALE.sub(r"\1", text)
    choice = "|".join(sorted(map(re.escape, choices), key=len, reverse=True))
    alone = re.fullmatch(rf"[\W_]*(?<!-)({choice})[\W_]*", text, re.IGNORECASE)
    if found := alone or re.match(rf"[\W_]*(?<!-)({choice}){END}{PAUSE}", text):
        return by_name[found[1].casefold()]
    named = rf"(?i:\b{SAYS}\b[^\n\d:=]{{0,30}}?(?:\b(?:is|of|as|it)\b|[:=]))[\W_]*(?<!-)({choice}){END}"
    several = {*re.findall(named, text)}
    line = text.rstrip().rpartition("\n")[2]
    if not several and (last := re.fullmatch(rf"[\W_]*(?<!-)({choice})[\W_]*", line)):
        several = {last[1]}
    if not several and are_numbers:
        several = {*NUMBER.findall(text)}
    if not several and not are_numbers:
        several = {one for pair in re.findall(STATED.format(choice=choice, end=END), text) for one in pair if one}
    return by_name.get(several.pop().casefold()) if len(several) == 1 else None


def _in_ascii_digits(text: str) -> str:
    """With digits of other scripts as 0 to 9, and without the word for points behind them."""
    return UNIT.sub("", "".join(str(decimal(one)) if one.isdecimal() else one for one in text))


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
