"""How `instances` asks a chat model: for an input where the task names one, then the task itself, as a user would."""

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

from pipeline.asking.ask import in_chat, seeded
from pipeline.asking.clean import clean_text
from pipeline.asking.converse import Conversation, Turns, messages, question
from pipeline.asking.examples import parse_output_first
from pipeline.asking.examples.whole import given_alone
from pipeline.asking.phrases import REFUSES, names_input
from pipeline.asking.templates import filled_but_for
from pipeline.engines.base import Completion, Engine, Message, Request
from pipeline.filters.find import INSTANCE, applied, instance_reason
from pipeline.task import Instance, Task
from pipeline.text import one_line, trimmed

if TYPE_CHECKING:
    from pipeline.stages.instances import Instances

INPUT, LABELS = "instances_input", "instances_labels"
LABEL = "Class label:"
MOST_INPUT_WORDS = 60  # of a demo: its input is shown whole, and a long one teaches to go on and on
Step = Generator[Request, Completion, str]


class Asked:
    """The conversations of one run: demos are turns, and what the model answers to the task is its output.

    Args:
        stage: Whose settings say how many demos there are, how to sample, and how often to ask.
        demos: Tasks with instances, by whether they are classification.
    """

    def __init__(self, stage: "Instances", engine: Engine, demos: dict[bool, Sequence[Task]]) -> None:
        self.stage, self.engine = stage, engine
        self.filters = applied(INSTANCE, stage.filters or {})
        self.question = {name: filled_but_for("instruction", name, stage) for name in (INPUT, LABELS)}
        self.input_turns = self._turns(INPUT, [demo for demo in demos[False] if _short_input(demo)], _first_input)
        self.label_turns = self._turns(LABELS, demos[True], _labels)

    def talk(self, task: Task) -> Conversation:
        if task.is_classification:
            return (yield from self._classification(task))
        given = ""
        if names_input(task.instruction) and not (given := (yield from self._input(task))):
            return task.reject("no_input")
        for attempt in range(1, self.stage.max_attempts + 1):
            completion = yield self._request(f"{task.id}:{attempt}", as_asked(task.instruction, given))
            instance = Instance(input=given, output=trimmed(clean_text(completion.text)))
            reason = (
                "cut_off" if completion.finish_reason == "length" else instance_reason(instance, task, self.filters)
            )
            if reason == "asks_back" and not given and attempt < self.stage.max_attempts:
                given = yield from self._input(task)
            elif reason is None:
                break
        return task.reject("cut_off") if reason == "cut_off" else task.update(instances=(instance,))

    def _classification(self, task: Task) -> Conversation:
        prefill = LABEL if self.engine.can_prefill else ""
        prompt = messages(self.label_turns, self.question[LABELS](one_line(task.instruction)))
        completion = yield self._request(f"{task.id}:labels", prompt, prefill)
        cut = completion.finish_reason == "length"
        found = parse_output_first(clean_text(completion.text), cut, task.instruction)
        kept = self.stage.drawn(task, found)
        return task.update(instances=kept) if kept else task.reject("no_instances")

    def _input(self, task: Task) -> Step:
        """One input for the task; empty if none came whole."""
        for attempt in range(1, self.stage.max_attempts + 1):
            prompt = messages(self.input_turns, self.question[INPUT](one_line(task.instruction)))
            completion = yield self._request(f"{task.id}:input{attempt}", prompt)
            text = given_alone(clean_text(completion.text), task.instruction)
            if text and completion.finish_reason != "length" and not REFUSES.match(text):
                return text
        return ""

    def _request(self, id: str, prompt: tuple[Message, ...], prefill: str = "") -> Request:
        whole = self.stage.sampling.model_copy(update={"stop": ()})  # a turn ends by itself
        sampling = seeded(whole, self.stage.random_seed, id)
        return in_chat(Request(id=id, prompt="", sampling=sampling, prefill=prefill), self.engine, prompt)

    def _turns(self, name: str, demos: Sequence[Task], answer: Callable[[Task], str]) -> Turns:
        return [(self.question[name](demo.instruction), answer(demo)) for demo in demos]


def as_asked(instruction: str, given: str) -> tuple[Message, ...]:
    """A task as a user puts it: the instruction, and below it what it is to be done with."""
    return messages((), question(instruction, given))


def _short_input(demo: Task) -> bool:
    return any(0 < len(instance.input.split()) <= MOST_INPUT_WORDS for instance in demo.instances)


def _first_input(demo: Task) -> str:
    return next(i.input for i in demo.instances if 0 < len(i.input.split()) <= MOST_INPUT_WORDS)


def _labels(demo: Task) -> str:
    return "\n".join(f"{LABEL} {i.output}" + (f"\nInput: {i.input}" if i.input else "") for i in demo.instances)
