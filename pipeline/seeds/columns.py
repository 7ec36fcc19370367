"""The names that public datasets have for an instruction, its input and its output."""

import reprlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipeline.errors import SproutError
from pipeline.seeds.shapes import CONVERSATIONS, SYSTEM
from pipeline.seeds.transcripts import with_messages
from pipeline.seeds.values import printable

# Dolly: instruction, context, response. GSM8K: question, answer. OpenOrca: question, response. MetaMathQA: query,
# response. MATH and NuminaMath: problem, solution. xP3 and FLAN: inputs, targets. HelpSteer: prompt, response.
INSTRUCTIONS = ("instruction", "question", "query", "problem", "inputs", "prompt", "user", "human", "q")
INPUTS = ("input", "context")
OUTPUTS = (
    *("output", "response", "answer", "solution", "targets", "target", "completion", "reply", "generation"),
    *("assistant", "gpt", "a"),
    *("outputs", "references"),  # of held-out tasks, which keep these names
)
NAMES = {"instruction": INSTRUCTIONS, "input": INPUTS, "output": OUTPUTS}
KEPT = ("outputs", "references")
# Fields that a question leans on: without them its answer means something else, or nothing.
PARTS = frozenset(
    {
        *("choices", "options", "endings", "candidates", "distractors", "passage", "article", "document", "paragraph"),
        *("story", "table", "image", "images", "audio", "video", "premise", "hypothesis", "schema", "tools"),
    }
)
MARKS = {name: f"<{name.rstrip('s')}>" for name in ("image", "images", "audio", "audios", "video", "videos")}
WHOLE = ({"instruction", "output"}, {"prompt", "completion"}, {"instances"}, {"chosen"}, {"rejected"}, {"prediction"})


def in_our_names(row: Mapping[str, Any], where: str, notes: Counter[str]) -> dict[str, Any]:
    """The row with its fields named instruction, input and output, if they have other names that are well known.

    Of a conversation it makes a list of messages. A row in one of our layouts stays as it is, and so does one in which
    no field can be an instruction, or an output.

    Raises:
        SproutError: where several fields can be the same one of ours, one holds no text, or a question leans on fields
            that a task does not have.
    """
    row = with_messages(dict(row), INSTRUCTIONS, OUTPUTS, notes)
    given = {key: value for key, value in row.items() if value not in (None, "")}
    for media in sorted(MARKS.keys() & given.keys()):
        if any(MARKS[media] in str(value) for value in given.values()):
            raise SproutError(f"{where}: {MARKS[media]} in it stands for what is in {media}; leave the row out")
    if isinstance(given.get("chosen"), str) and isinstance(given.get("rejected"), str):
        return _with_prompt(row, given, notes)
    if any(names <= given.keys() for names in WHOLE) or any(name in given for name in CONVERSATIONS):
        return dict(row)
    folded = {key.casefold(): key for key in given}
    found = {ours: [folded[name] for name in names if name in folded] for ours, names in NAMES.items()}
    if not found["instruction"] or not found["output"]:
        return dict(row)
    names: dict[str, str] = {}
    for ours, theirs in found.items():
        if len(theirs) > 1:
            several = " and ".join(map(printable, theirs))
            raise SproutError(f"{where}: {several} can each be the {ours}; rename the one that is, and drop the others")
        if theirs and theirs[0].casefold() not in KEPT:
            _check_text(given[theirs[0]], theirs[0], ours, where)
            names[theirs[0]] = ours
    changed = {theirs: ours for theirs, ours in names.items() if theirs != ours}
    if changed and (parts := [folded[name] for name in folded if name in PARTS]):
        raise SproutError(
            f"{where}: {printable(parts[0])} is a part of the question that a task has no field for; write it into the "
            f"question, and name the fields instruction, input and output"
        )
    if changed:
        notes[f"rows whose {_listed(changed)} are read as {_listed(changed.values())}"] += 1
    return {changed.get(key, key): value for key, value in row.items() if key in changed or key not in changed.values()}


def _with_prompt(row: Mapping[str, Any], given: Mapping[str, Any], notes: Counter[str]) -> dict[str, Any]:
    """A better and a worse answer, with all that they answer as their prompt."""
    asked = [name for name in given if name.casefold() in INSTRUCTIONS]
    parts = [name for name in (*SYSTEM, *asked, "input") if name in given]
    if parts == ["prompt"] or len(asked) != 1 or not all(isinstance(given[name], str) for name in parts):
        return dict(row)
    notes[f"rows whose {_listed(parts)} are read as the prompt of two answers"] += 1
    rest = {key: value for key, value in row.items() if key not in parts}
    return rest | {"prompt": "\n\n".join(given[name] for name in parts)}


def _check_text(value: Any, theirs: str, ours: str, where: str) -> None:
    if not isinstance(value, str | int | float):
        raise SproutError(
            f"{where}: {printable(theirs)} would be the {ours}, and holds no text (found {reprlib.repr(value)})"
        )


def _listed(names: Any) -> str:
    *others, last = map(printable, names)
    return f"{', '.join(others)} and {last}" if others else last
