"""Write inputs and outputs: output first for classification, so that all labels occur; input first otherwise."""

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import Field

from pipeline.demos import pick
from pipeline.engines import Completion, Sampling, ask
from pipeline.prompts import render
from pipeline.seeds import labelled
from pipeline.stage import Run, Stage
from pipeline.task import Instance, Task


class Instances(Stage):
    """Up to `max_instances` worked examples of each task, in one completion.

    Numbers of demos and sampling are those of Self-Instruct (its published code); demos come from the seed set.
    """

    name: ClassVar[str] = "instances"
    templates: ClassVar[tuple[str, ...]] = ("instances_input_first", "instances_output_first")

    num_input_first_demos: int = Field(default=11, ge=0)
    num_output_first_demos: int = Field(default=16, ge=0)
    max_instances: int = Field(default=5, ge=1)
    random_seed: int = 0
    sampling: Sampling = Sampling(temperature=0, presence_penalty=1.5, max_tokens=350, stop=("\nTask:", "\nExample 6"))

    def decide(self, todo: Sequence[Task], done: Sequence[Task], run: Run) -> Iterator[Task]:
        demos = {kind: self.demos(run.seeds, kind) for kind in (True, False)}

        def prompt(task: Task) -> str:
            return self.prompt(task, demos[bool(task.is_classification)])

        for task, completion in ask(run.engine, todo, prompt, self.sampling, self.random_seed):
            found = self.parse(task, completion)
            yield task.update(instances=found) if found else task.reject("no_instances")

    def demos(self, seeds: Sequence[Task], is_classification: bool) -> list[Task]:
        most = self.num_output_first_demos if is_classification else self.num_input_first_demos
        with_instances = [task for task in labelled(seeds, is_classification) if task.instances]
        return pick(with_instances, most, f"{self.random_seed}:instances")

    def prompt(self, task: Task, demos: Sequence[Task]) -> str:
        order = "output_first" if task.is_classification else "input_first"
        return render(f"instances_{order}", instruction=task.instruction, demos=demos)

    def parse(self, task: Task, completion: Completion) -> tuple[Instance, ...]:
        parse = parse_output_first if task.is_classification else parse_input_first
        found = parse(completion.text)
        if completion.finish_reason == "length":
            found = found[:-1]  # it may be cut off in the middle
        return tuple(found[: self.max_instances])


EXAMPLE = re.compile(r"^[ \t]*(?:\*\*|#+ )?Example[ \t]*\d*[ \t]*[.:]?(?:\*\*)?[ \t]*$", re.MULTILINE)
INPUT = re.compile(r"^[ \t]*Input[ \t]*\d*[ \t]*:", re.MULTILINE)
OUTPUT = re.compile(r"^[ \t]*Output[ \t]*\d*[ \t]*:", re.MULTILINE)
LABEL = re.compile(r"^[ \t]*Class label[ \t]*\d*[ \t]*:", re.MULTILINE)


def parse_input_first(text: str) -> list[Instance]:
    """Worked examples in the layout of the prompt, which ends with "Example 1".

    Markers count only where a line begins with them, so the words may occur in the text. A piece without "Output:" is
    no instance. What a model adds after a second "Output:" or a new "Input:" without an "Example" line is left out.
    """
    found = []
    for piece in EXAMPLE.split(text):
        before, *after = OUTPUT.split(piece)
        if not after:
            continue
        output = INPUT.split(after[0])[0]
        given = INPUT.split(before)[-1]
        found.append(Instance(input=given.strip(), output=output.strip()))
    return found


def parse_output_first(text: str) -> list[Instance]:
    """Labels, each followed by an input; the prompt ends with the first "Class label:".

    The first line of a piece is the label, the rest is the input, with or without "Input:".
    """
    first, *rest = LABEL.split(text)
    pieces = [first, *rest] if first.strip() else rest
    found = []
    for piece in pieces:
        label, _, given = piece.strip().partition("\n")
        found.append(Instance(input=INPUT.sub("", given, count=1).strip(), output=label.strip()))
    return found
