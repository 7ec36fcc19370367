"""Does the answer contain what is expected?"""

from pydantic import JsonValue

from pipeline.checks.base import Case, Verdict
from pipeline.text import folded, short


def contains(case: Case) -> Verdict:
    """Passes an answer that contains the text that is expected, or one of several, apart from case and white space.

    That is what counts as known in R-Tuning (arXiv 2311.09677).
    """
    wanted = texts_of(case.expected)
    text = folded(case.text)
    if any(folded(one) in text for one in wanted):
        return Verdict(True)
    return Verdict(False, f"it does not contain {short(' or '.join(map(repr, wanted)))}")


def texts_of(value: JsonValue) -> list[str]:
    """A text or number, or a list of them, as a list of texts that are not blank."""
    values = value if isinstance(value, list) else [value]
    texts = [str(one) for one in values if isinstance(one, (str, int, float)) and not isinstance(one, bool)]
    return [text for text in texts if text.strip()]
