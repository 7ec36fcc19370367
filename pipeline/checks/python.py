"""Does the code of the answer pass its tests?"""

import re

from pydantic import JsonValue

from pipeline.checks.base import Case, Verdict
from pipeline.checks.fences import unwrapped
from pipeline.sandbox.cell import Cell
from pipeline.sandbox.limits import Limits
from pipeline.sandbox.run import run_program

NAME = re.compile(r"\{([A-Za-z_]\w*)\}")
LANGUAGES = ("python", "py", "python3")
_BEGINS = re.compile(r"(?:async )?def |class |import |from |[@#]|[A-Z_]+ =")
_DEFINES = re.compile(r"^(?:async def|def|class) \w+ ?[(:]", re.MULTILINE)


def python(parts: dict[str, str], limits: Limits, cell: Cell, slot: int) -> Verdict:
    """Passes a program that comes to its end within its limits; the message is its traceback, or what ended it."""
    outcome = run_program(parts, limits, cell, slot)
    return Verdict(outcome.passed, "passed" if outcome.passed else outcome.trace.strip() or outcome.message)


def program_of(case: Case, template: str) -> dict[str, str] | None:
    """The program that tests an answer, in two parts: up to the end of the answer, and the rest.

    Args:
        template: Names in braces stand for the answer without fences, the instruction and input of its task, and what
            the task has under such a key in `meta`, lines of a list one below the other.

    Returns:
        None for a task that has nothing under one of the keys.
    """
    values = {name: _value(case, name) for name in NAME.findall(template)}
    if any(value is None for value in values.values()):
        return None
    before, answer, after = template.partition("{answer}")
    first, rest = (NAME.sub(lambda found: values[found[1]] or "", text) for text in (before + answer, after))
    return {"answer.py": first, "tests.py": rest}


def is_code(text: str) -> bool:
    """Whether a text is the body of a function, indented as one, or has a function or a class of its own.

    Such a text before a fence is the answer, of which the prompt had opened the block, or a remark follows.
    """
    first = next((line for line in text.splitlines() if line.strip()), "")
    return first.startswith(("    ", "\t")) or bool(_BEGINS.match(first) and _DEFINES.search(text))


def _value(case: Case, name: str) -> str | None:
    answer = unwrapped(case.text, LANGUAGES, is_code)
    own = {"answer": answer, "instruction": case.task.instruction, "input": case.instance.input}
    return own[name] if name in own else _text_of(case.task.meta.get(name))


def _text_of(value: JsonValue) -> str | None:
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return "\n".join(map(str, value))
    return value if isinstance(value, str) else None
