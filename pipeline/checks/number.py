"""Is the last number of the answer the one that is expected?"""

import math
import re

from pipeline.checks.base import Case, Verdict
from pipeline.checks.contains import texts_of

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?![\d])|\d+)(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    rf"(?P<sign>(?<![\w.)\]}}])[-+−–])?\s?[$€£]?\s?(?:\\[dt]?frac\s*\{{\s*(?P<over>{_DIGITS})\s*\}}\s*\{{\s*(?P<under>{_DIGITS})\s*\}}"
    rf"|(?P<whole>{_DIGITS})(?:[eE](?P<power>[-+]?\d{{1,3}})(?!\w)|\s?/\s?(?P<below>{_DIGITS}))?)"
)


def number(case: Case, tolerance: float) -> Verdict:
    """Passes an answer whose last number is that of the expected text, or of one of several.

    Args:
        tolerance: How far it may be off, as a share of the expected number, or of 1 if that is smaller.
    """
    wanted = [value for text in texts_of(case.expected) if (value := last_number(text)) is not None]
    if not wanted:
        return Verdict(False, f"no number is expected, but {case.expected!r}")
    found = last_number(case.text)
    if found is None:
        return Verdict(False, "it has no number")
    if any(abs(found - value) <= tolerance * max(1.0, abs(value)) for value in wanted):
        return Verdict(True)
    return Verdict(False, f"its last number is {found:.12g}, not {' or '.join(f'{value:.12g}' for value in wanted)}")


def last_number(text: str) -> float | None:
    """The last number of a text, as in "1,234.5", "-3", "1e5", "3/4" and r"\\frac{3}{4}"; None if there is none."""
    value = None
    for found in _NUMBER.finditer(text):
        value = _value(found)
    return value


def _value(found: re.Match[str]) -> float | None:
    over, under = found["over"] or found["whole"], found["under"] or found["below"]
    value = float(f"{over.replace(',', '')}e{found['power'] or 0}")
    if under:
        divisor = float(under.replace(",", ""))
        value = value / divisor if divisor else math.inf
    return -value if found["sign"] and found["sign"] != "+" else value
