"""Whether a reader would call an answer the same as a reference: signs and decimal points count, typography does
not."""

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from functools import cache


def match(prediction: str, references: Sequence[str]) -> float:
    """1 if the prediction says the same as a reference, else 0.

    Case, white space, full-width forms, typographic quotes, dashes and ellipses, digits of other scripts, a full stop
    at the end and quotes, ** or ` around the whole are ignored. Numbers are compared as numbers (1,000 is 1000 and
    3.10 is 3.1, where there is nothing else in the text). All other signs count: -5 is not 5, 3.14 not 314, C not C++.
    """
    said = canonical(prediction)
    return float(any(_same(said, canonical(reference)) for reference in references))


def canonical(text: str) -> str:
    """The text as `match` compares it."""
    grouped = _GROUPED.sub("", unicodedata.normalize("NFC", text))
    folded = "".join(map(_fold, grouped)).casefold()
    folded = _SPACE_BEFORE_PERCENT.sub("", " ".join(unicodedata.normalize("NFC", folded).split()))
    while (bare := _bare(folded)) != folded:
        folded = bare
    return _THOUSANDS.sub(lambda found: found[0].replace(",", "").replace("'", ""), folded)


_SPACE_BEFORE_PERCENT = re.compile(r"(?<=\d)\s+(?=%)")
_THOUSANDS = re.compile(r"(?<![\d.,'])\d{1,3}(?:(?:,\d{3})+|('\d{3})+)(?![\d,'])")
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:e[-+]?\d{1,3})?")  # 007 is a name, not a number
_SPACED = re.compile(r"[-+]?[1-9]\d{0,2}(?: \d{3})+(?:\.\d+)?")
_ENDS = re.compile(r"(?<=[^\W\d_])[!?.,;:]+\Z|(?<=.)[.,;:]+\Z", re.DOTALL)
_QUOTES = ("**", '"', "'", "`")
_PUNCTUATION = {
    **dict.fromkeys("“”„‟«»〝〞", '"'),
    **dict.fromkeys("‘’‚‛‹›′´", "'"),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("。।۔٫", "."),
    **dict.fromkeys("、،٬", ","),
    **{"؟": "?", "…": "...", "⁄": "/", "∕": "/"},
}
_NARROW_SPACES = "\u00a0\u2009\u202f"  # with which some languages group the digits of a number
_GROUPED = re.compile(rf"(?<=\d)[{_NARROW_SPACES}](?=\d{{3}}(?!\d))")


def _same(said: str, reference: str) -> bool:
    if said == reference:
        return True
    both = [text.replace(" ", "") if _SPACED.fullmatch(text) else text for text in (said, reference)]
    return all(map(_NUMBER.fullmatch, both)) and Decimal(both[0]) == Decimal(both[1])


@cache
def _fold(char: str) -> str:
    """A character in its plain form; an invisible one becomes empty."""
    if char in _PUNCTUATION:
        return _PUNCTUATION[char]
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.digit(char))
    if category == "Cf":
        return ""
    if unicodedata.decomposition(char).startswith(("<wide>", "<narrow>", "<noBreak>", "<compat>")):
        return unicodedata.normalize("NFKC", char)
    return char


def _bare(text: str) -> str:
    """The text without a final full stop and without quotes around all of it."""
    for quote in _QUOTES:
        if len(text) > 2 * len(quote) and text.startswith(quote) and text.endswith(quote):
            inner = text[len(quote) : -len(quote)]
            if quote not in inner:
                return inner.strip()
    return _ENDS.sub("", text).rstrip()
