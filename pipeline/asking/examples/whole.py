"""Takes a completion without any field for the whole output of a task that needs no input."""

from pipeline.asking.examples.instruction import needs_input
from pipeline.asking.phrases import ANNOUNCES, is_preamble


def whole_output(text: str, instruction: str) -> str:
    """The text as an output; empty where the task needs an input, so that it may be anything.

    An announcement on a line of its own is left out.
    """
    if not instruction.strip() or needs_input(instruction):
        return ""
    text = text.strip()
    line, newline, rest = text.partition("\n")
    announced = ANNOUNCES.fullmatch(line.strip()) or is_preamble(line.strip())
    return rest.strip() if newline and announced else text
