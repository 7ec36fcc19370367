"""What templates and models leave in the texts of a file: marks of no input, tokens that end a text, thoughts."""

import re
from collections import Counter

from pipeline.asking.clean import may_hold_marks, without_thoughts
from pipeline.thoughts import CLOSES, OPENS, end_of_first

_NO_INPUT = re.compile(r"[<\[(]?\s*(?:no[\s_-]?input|#?n/a)\s*/?[>\])]?\.?", re.IGNORECASE)
_PERHAPS_NONE = re.compile(r"none|null|nil|nan|-+|empty", re.IGNORECASE)
_NOT_AVAILABLE = re.compile(r"#?n/a\.?|null|nan", re.IGNORECASE)
_TOKEN = r"<\|\w{2,30}\|>|<｜[\w▁]{2,30}｜>|<(?:start|end)_of_turn>|<[be]os>|\[(?:BOS|EOS)\]"
_FIRST = re.compile(rf"\s*(?:(?:{_TOKEN}|<s>)\s*)+(?:(?<=>)(?:assistant|user|system|model)\n)?")
_LAST = re.compile(rf"\s*(?:(?:{_TOKEN}|</s>)\s*)+\Z")
_INSIDE = re.compile(rf"{_TOKEN}|\[/?INST\]")
_THOUGHT_OPENS = re.compile(OPENS)
_THOUGHT_CLOSES = re.compile(CLOSES)
_CLOSES_ALONE = re.compile(rf"(?:{CLOSES})[^\S\n]*\n")


def without_marks(instruction: str, input: str, output: str, notes: Counter[str]) -> tuple[str, str, str]:
    """The texts without what is certainly no part of them; `notes` gets what was removed, and what only looks so."""
    if _NO_INPUT.fullmatch(input.strip()):
        notes[f"inputs that are {input.strip()!r}, and so are left empty"] += 1
        input = ""
    elif _PERHAPS_NONE.fullmatch(input.strip()):
        notes[f"inputs that are {input.strip()!r} and are kept; leave them empty if they mean that there is none"] += 1
    if _NOT_AVAILABLE.fullmatch(output.strip()):
        notes[f"outputs that are {output.strip()!r} and are kept; leave these rows out if the answer is missing"] += 1
    output = _without_thoughts(output, f"{instruction}\n{input}", notes)
    return _without_tokens(instruction, notes), _without_tokens(input, notes), _without_tokens(output, notes)


def _without_tokens(text: str, notes: Counter[str]) -> str:
    """Tokens at both ends are removed; inside, and where <s> and </s> strike out a passage, they are the text's own."""
    if "<" not in text and "[" not in text:
        return text
    bare = text[found.end() :] if (found := _FIRST.match(text)) else text
    if "<s>" not in bare:
        bare = bare[: found.start()] if (found := _LAST.search(bare)) else bare
    if bare != text:
        notes["texts that begin or end with a model's token, such as </s>, which is removed"] += 1
    if _INSIDE.search(bare):
        notes["texts with a model's token inside, such as <|im_end|>, which is kept; was a chat template applied?"] += 1
    return bare


def _without_thoughts(output: str, question: str, notes: Counter[str]) -> str:
    if not may_hold_marks(output):
        return output
    if end_of_first(output):
        notes["outputs that begin with what may be thoughts, such as <reasoning>, and are kept as they are"] += 1
        return output
    opened, closed = len(_THOUGHT_OPENS.findall(output)), len(_THOUGHT_CLOSES.findall(output))
    if not opened and not closed:
        return output
    asked = _THOUGHT_OPENS.search(question) or _THOUGHT_CLOSES.search(question)
    begins = _THOUGHT_OPENS.match(output.lstrip())
    ends_one = closed == 1 and not opened and _CLOSES_ALONE.search(output)
    if asked or not (begins or opened == closed or ends_one):
        notes["outputs with a mark of thoughts, such as <think>, that are kept as they are"] += 1
        return output
    notes["outputs with thoughts, which are removed"] += 1
    return without_thoughts(output).strip()
