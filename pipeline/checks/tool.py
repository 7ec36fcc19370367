"""Is the answer the right call of a tool, and how far off is it?"""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from pipeline.checks.base import Case, Verdict
from pipeline.checks.json_text import NotJson, read_json
from pipeline.errors import SproutError

# Rewards of TL-Training (arXiv 2412.15495, its code): by the faults that a call has.
UNREADABLE = UNKNOWN_TOOL = -2.0
WRONG_TOOL = -1.5
FAULTS = {
    ("invented", "redundant", "missing"): -1.8,
    ("invented", "redundant"): -1.3,
    ("invented", "missing"): -1.3,
    ("redundant", "missing"): -1.0,
    ("invented",): -0.8,
    ("redundant",): -0.5,
    ("missing",): -0.5,
}
WRONG_VALUE = -0.25
RIGHT = 1.0
MEANING = {
    "invented": "parameters that the tool does not have",
    "redundant": "parameters that the right call does not have",
    "missing": "parameters that are missing",
}


def tool(case: Case) -> Verdict:
    """Passes a call that is the expected one; its grade is the reward of TL-Training.

    A call is JSON: {"name": …, "arguments": {…}}, also as OpenAI writes it, with its arguments as a text, or between
    <tool_call> tags. The tools of a task are in `meta["tools"]`, each with a name and a JSON Schema of its parameters.

    Raises:
        SproutError: for an expected call or tools that cannot be read, naming the task.
    """
    name, wanted = _expected(case)
    known = _tools(case)
    try:
        called, given = read_call(case.text)
    except NotJson as error:
        return Verdict(False, str(error), UNREADABLE)
    if called not in known:
        return Verdict(False, f"there is no tool {called!r}", UNKNOWN_TOOL)
    if called != name:
        return Verdict(False, f"it calls {called!r}, and {name!r} is right", WRONG_TOOL)
    faults = {
        "invented": [key for key in given if key not in known[called] and key not in wanted],
        "redundant": [key for key in given if key in known[called] and key not in wanted],
        "missing": [key for key in wanted if key not in given],
    }
    if found := tuple(fault for fault, keys in faults.items() if keys):
        said = "; ".join(f"{MEANING[fault]}: {', '.join(faults[fault])}" for fault in found)
        return Verdict(False, f"it has {said}", FAULTS[found])
    if different := [key for key in wanted if not _same(given[key], wanted[key])]:
        return Verdict(False, f"values differ: {', '.join(different)}", WRONG_VALUE)
    return Verdict(True, grade=RIGHT)


def read_call(text: str) -> tuple[str, Mapping[str, JsonValue]]:
    """The name of the tool that a text calls, and its arguments.

    Raises:
        NotJson: for a text that is no call.
    """
    inside = text.partition("<tool_call>")[2].partition("</tool_call>")[0] or text
    value = read_json(inside)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    call = _call_in(value)
    if call is None:
        raise NotJson("it is not a call: a call has a name and arguments")
    return call


def _call_in(value: Any) -> tuple[str, Mapping[str, JsonValue]] | None:
    call = value.get("function", value) if isinstance(value, dict) else None
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return None
    arguments: Any = next((call[key] for key in ("arguments", "parameters") if key in call), {})
    if isinstance(arguments, str):
        arguments = read_json(arguments)
    return (call["name"], arguments) if isinstance(arguments, dict) else None


def _expected(case: Case) -> tuple[str, Mapping[str, JsonValue]]:
    value = case.expected
    try:
        call = read_call(value) if isinstance(value, str) else _call_in(value)
    except NotJson:
        call = None
    if call is None:
        raise SproutError(f'task {case.task.id}: its right call should be {{"name": …, "arguments": {{…}}}}')
    return call


def _tools(case: Case) -> dict[str, set[str]]:
    """The names of the parameters of each tool."""
    listed, found = case.task.meta.get("tools"), dict[str, set[str]]()
    for each in listed if isinstance(listed, list) else []:
        tool = each.get("function", each) if isinstance(each, dict) else None
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
            raise SproutError(f'task {case.task.id}: a tool in meta["tools"] has no name')
        described = tool.get("parameters") or {}
        properties = described.get("properties", described) if isinstance(described, dict) else {}
        found[str(tool["name"])] = {*properties} if isinstance(properties, dict) else set()
    if not found:
        raise SproutError(f'task {case.task.id}: it has a right call and no tools; list them in meta["tools"]')
    return found


def _same(one: JsonValue, other: JsonValue) -> bool:
    """Equal as JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other
