"""Takes out of a label what is said about it."""

import re


def bare_label(label: str, instruction: str) -> str:
    """The label without what is said about it, where the instruction names what is left.

    The same goes for a full stop and for quotes, and for brackets unless the instruction has them too.
    """
    if (stated := _STATED.fullmatch(label)) and mentions(instruction, stated["label"]):
        return stated["label"]
    inner = label.strip(".\"'“”‘’")
    inner = inner if label in instruction else inner.strip("[](){}<>")
    if inner != label and mentions(instruction, inner):
        return inner
    if mentions(instruction, label) or _ASKS_REASON.search(instruction):
        return label
    bare = _REMARK.split(label, maxsplit=1)[0].strip()
    return bare if mentions(instruction, bare) else label


def mentions(instruction: str, label: str) -> bool:
    """Whether the label stands in the instruction, as words of its own and in any case."""
    if not label or len(label) > len(instruction):
        return False
    if label.isascii() and instruction.isascii() and label.lower() not in instruction.lower():
        return False
    return bool(re.search(rf"(?<!\w){re.escape(label)}(?!\w)", instruction, re.IGNORECASE))


_REMARK = re.compile(r"[.:](?=\s|$)| \(|—| [-–] | because\b| since\b")
_ASKS_REASON = re.compile(r"\b(?:why|explain\w*|explanation|reasons?|justif\w+|brackets|parenthes\w+)\b", re.IGNORECASE)
_STATED = re.compile(
    r"(?:the )?(?:(?:class|correct|right) )?(?:label|answer|category|class|output) (?:is|would be)[ :]+[\"'“*`]*"
    r"(?P<label>[^\"'”*`\n]{1,40}?)[\"'”*`]*\.?",
    re.IGNORECASE,
)
