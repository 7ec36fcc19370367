"""Takes a completion without any field for the whole output of a task that needs no input."""

from pipeline.asking.clean import FENCE
from pipeline.asking.examples.fields import ASKED, EXAMPLE_BEFORE, INPUTS, NO_INPUT, OUTPUTS
from pipeline.asking.examples.instruction import needs_input
from pipeline.asking.examples.remarks import without_remarks
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


def answers_in_code(text: str, instruction: str) -> bool:
    """Whether a block of code before any field is the answer to a task that needs no input.

    An input and an output below it show how the code is used.
    """
    if "```" not in text or not instruction.strip() or needs_input(instruction):
        return False
    fences = [fence.start() for fence in FENCE.finditer(text)][:2]
    fields = [found.start() for known in (INPUTS, OUTPUTS, ASKED) if (found := known.search(text))]
    before = text[: fences[0]].strip() if fences else ""
    return len(fences) == 2 and bool(fields) and min(fields) > fences[1] and not EXAMPLE_BEFORE.search(before)


def given_alone(text: str, instruction: str) -> str:
    """The input that a model was asked for, without an announcement, a name, or the output that it adds.

    An output counts where a line names it so, and an input that says there is none is empty.
    """
    text = text.strip()
    line, newline, rest = text.partition("\n")
    if newline and rest.strip() and is_preamble(line.strip()):
        text = rest.strip()
    if named := INPUTS.match(text):
        text = text[named.end() :].strip()
        output = OUTPUTS.search(text)
        text = text[: output.start()].rstrip() if output and text[: output.start()].strip() else text
    return "" if NO_INPUT.fullmatch(text) else without_remarks(text, instruction)
