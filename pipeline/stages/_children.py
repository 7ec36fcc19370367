"""Versions of a task that a model has rewritten: what eliminates one, and which of a family are kept."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from pipeline.asking.rewritten import copied, parse_rewritten, parse_with_instance
from pipeline.engines.base import Completion
from pipeline.filters.find import INSTRUCTION, first_reason, ours, reasons_of
from pipeline.novelty.rouge import RougeIndex
from pipeline.novelty.tokens import count_words, tokens
from pipeline.stage import Reason
from pipeline.stages._gate import Gate
from pipeline.task import Instance, Task
from pipeline.text import folded

OF_ONE_TEXT = ("request", "item", "nearest", "nearest_id", "left_out", "no_fields", "copied", "action")  # in `meta`
REASONS = reasons_of(INSTRUCTION) | {
    "cut_off": Reason("The version reached `max_tokens`.", "Write a letter to the"),
    "same": Reason("The version has the words of the task it was made from.", "Name a river! / Name a river."),
    "copies_prompt": Reason("The version has words of the prompt: its label, its example.", "New task: Name a river."),
    "not_new": Reason("Its ROUGE-L with a text of the pool is above `max_rouge`.", "Name three rivers of Asia."),
    "evolved": Reason("A later version takes its place.", "Name a river. / Name a river that floods each spring."),
    "source": Reason('Its versions take its place, by `keep = "versions"`.', "Name a river."),
}


@dataclass(frozen=True)
class Step:
    """What a round does to a task, and the request that it puts."""

    parent: Task
    number: int  # of the round, from 1
    operation: str
    values: Mapping[str, str]
    prompt: str
    request: str

    def meta(self, stage: str) -> dict[str, JsonValue]:
        """What a version says of its making, and of the parent what holds for it too."""
        inherited: dict[str, JsonValue] = {
            name: value for name, value in self.parent.meta.items() if name not in OF_ONE_TEXT
        }
        made: dict[str, JsonValue] = {
            "by": stage,
            "request": self.request,
            "operation": self.operation,
            "round": self.number,
        }
        return {**inherited, **made, **self.values}


@dataclass
class Family:
    """A task, and the versions of it by round."""

    root: Task
    children: list[Task] = field(default_factory=list)
    replaced: bool = False  # whether a version takes the place of the root

    @property
    def latest(self) -> Task:
        """The last version that passed, or the root."""
        return next((child for child in reversed(self.children) if child.kept), self.root)

    def add(self, child: Task) -> None:
        self.children.append(child)

    def versions(self, keep: str, gate: Gate) -> Iterator[Task]:
        """All versions in their order, decided; the gate takes those in that are kept."""
        lines = self._lines()
        if keep != "final":
            self.children = [gate.judge(one, lines[one.id]) if one.kept else one for one in self.children]
        else:
            for place in reversed(range(len(self.children))):
                if self.children[place].kept:
                    judged = self.children[place].reject("evolved") if self.replaced else None
                    self.children[place] = judged or gate.judge(self.children[place], lines[self.children[place].id])
                    self.replaced = self.replaced or self.children[place].kept
        yield from self.children

    def given(self, keep: str) -> Task:
        """The root, decided after its versions."""
        if keep == "versions":
            return self.root.reject("source")
        return self.root.reject("evolved") if self.replaced else self.root

    def _lines(self) -> dict[str, set[str]]:
        """The texts each version was made from, by its id."""
        lines: dict[str, set[str]] = {self.root.id: set()}
        texts = {one.id: one.instruction for one in (self.root, *self.children)}
        for child in self.children:
            (parent,) = child.parents
            lines[child.id] = lines[parent] | {texts[parent]}
        return lines


def text_and_instances(completion: Completion, instances: str) -> tuple[str, tuple[Instance, ...]]:
    """The instruction that a completion holds and, where it is asked for one, the worked example behind it."""
    if instances == "written":
        return parse_with_instance(completion.text, completion.finish_reason == "length")
    return parse_rewritten(completion.text), ()


def eliminated(task: Task, step: Step, completion: Completion, min_words: int) -> Task:
    """The version, rejected with the first reason against it.

    The reasons are those of WizardLM (arXiv 2304.12244), section 3.2, as far as they are about the instruction: a copy
    of words of the prompt. That it brings nothing new is asked of the model. The others are ours.
    """
    if completion.finish_reason == "length":
        return task.reject("cut_off")
    if not task.instruction.strip():
        return task.reject("empty")
    if reason := first_reason(task, ours(INSTRUCTION)):
        return task.reject(reason)
    if is_excuse(task.instruction):
        return task.reject("refusal")
    if tokens(task.instruction) == tokens(step.parent.instruction):
        return task.reject("same")
    if count_words(task.instruction) < min_words:
        return task.reject("too_short")
    if words := of_prompt(task.instruction, step):
        return task.update(meta=task.meta | {"copied": words}).reject("copies_prompt")
    return task


def is_excuse(text: str) -> bool:
    """Whether it declines in words that a user may begin a task with, but hardly a version that a model writes."""
    return bool(EXCUSE.match(text.replace("’", "'")))


def of_prompt(text: str, step: Step) -> str:
    """What a version has from the prompt and not from its parent: its last label, words in a row, or an example."""
    frame, parent = step.prompt.replace(step.parent.instruction, "\n"), step.parent.instruction
    if (marked := MARKED.search(text)) and not MARKED.search(parent):
        return marked[0]
    label = folded(frame.rsplit("\n", 1)[-1]).rstrip(":： ")
    if label and label in folded(text) and label not in folded(parent):
        return label
    if words := copied(text, frame, [parent]):
        return words
    examples = RougeIndex((LABEL.sub("", line) for line in frame.split("\n") if line.strip()), MAX_ROUGE)
    nearest = examples.nearest(text).text
    return nearest if nearest and examples.nearest(parent).text != nearest else ""


EXCUSE = re.compile(
    r"(?:i'm|i am) (?:sorry|afraid)\b.{0,80}\b(?:can't|cannot|unable|not able|don't have)\b"
    r"|(?:i'm|i am) (?:unable|not able) to (?:assist|help|provide|fulfil|complete|rewrite|create|do)\b",
    re.IGNORECASE | re.DOTALL,
)
MARKED = re.compile(r"\b(?:given|rewritten|created) prompt\b", re.IGNORECASE)  # by which WizardLM's code knows a copy
LABEL = re.compile(r"^[A-Z][\w ]{1,30}: ")
MAX_ROUGE = 0.5  # with a line of the prompt; a small model likes to vary the example
