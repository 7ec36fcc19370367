"""Write inputs and outputs: output first for classification, so that all labels occur; input first otherwise."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator

from pipeline.asking.ask import ask
from pipeline.asking.clean import clean_text
from pipeline.asking.converse import converse
from pipeline.asking.demos import pick
from pipeline.asking.examples import (
    MARKER_LINE,
    TASK,
    parse_input_first,
    parse_output_first,
    parse_whole,
)
from pipeline.asking.examples.label import bare_label
from pipeline.asking.templates import filled_but_for, render
from pipeline.engines.base import Completion, Sampling
from pipeline.runs.context import Context
from pipeline.seeds.kinds import labelled
from pipeline.stage import LongestPrompt, Product, Reason, Stage
from pipeline.stages._asked import INPUT, LABELS, Asked
from pipeline.stages.filter import Filter, known_filters
from pipeline.task import Instance, Task
from pipeline.text import are, first_few, one_line

TEMPLATES = {False: "instances_input_first", True: "instances_output_first"}  # by whether it is a classification


class Instances(Stage):
    """Writes inputs and outputs of each task.

    A base model is asked for up to `max_instances` worked examples, in one completion. A chat model gets the task
    as a user's message, and its answer is the output; if the task speaks of an input, the model writes that first. For
    a classification it names the labels, each with an input.

    Numbers of demos and sampling are those of Self-Instruct (its published code); demos come from the seed set. A
    completion without any field is the output of a task that, by its instruction, needs no input; `meta["no_fields"]`
    says so. For any other task it is ignored.
    """

    templates: ClassVar[tuple[str, ...]] = (*TEMPLATES.values(), INPUT, LABELS)
    reasons: ClassVar[Mapping[str, Reason]] = {
        "no_instances": Reason("Nothing in the completion can be read as an instance.", "I need more details."),
        "no_input": Reason(
            "The instruction speaks of an input, and a chat model named none.", "Sum up the report below."
        ),
        "cut_off": Reason("The answer of a chat model reached `max_tokens` each time.", "Once upon a time there was a"),
    }

    growable: ClassVar[frozenset[str]] = frozenset({"filters"})  # they decide what is asked twice, not what is kept

    layout: Literal["examples", "chat"] | None = Field(
        default=None,
        description="ask for worked examples, or put each task as a user does; unset: chat for chat models",
    )
    max_attempts: int = Field(
        default=2,
        ge=1,
        description="times a task is put to a chat model until its answer is whole and passes the filters of instances",
    )
    filters: dict[str, bool] | None = Field(
        default=None,
        description="filters that a chat model's answer must pass, or it is asked again; unset: those of [filter]",
    )
    num_input_first_demos: int = Field(default=11, ge=0, description="tasks in a prompt; Self-Instruct")
    num_output_first_demos: int = Field(
        default=16, ge=0, description="tasks in a prompt for a classification; Self-Instruct"
    )
    max_instances: int = Field(
        default=5, ge=1, description="of each task, the first ones; of a classification drawn; Self-Instruct"
    )
    random_seed: int = Field(default=0, description="another number makes other random choices")
    sampling: Sampling = Field(
        default=Sampling(temperature=0, presence_penalty=1.5, max_tokens=350, stop=("\nTask:", "\nExample 6")),
        description="how the model writes",
    )

    @field_validator("filters")
    @classmethod
    def _check_filters(cls, choice: dict[str, bool] | None) -> dict[str, bool] | None:
        return choice and known_filters(choice)

    def resolve(self, stages: Sequence[Stage | Product]) -> Self:
        """Takes the filters of the stage that judges the instances, unless it has some of its own."""
        if self.filters is not None:
            return self
        judging = next((stage for stage in stages if isinstance(stage, Filter)), Filter())
        return self.model_copy(update={"filters": judging.filters})

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        yield f"instances: {len(task.instances)}"
        for instance in task.instances:
            yield instance.model_dump_json()

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        demos: dict[bool, Sequence[Task]] = {kind: self.demos(context.seeds, kind) for kind in (True, False)}
        if context.engine.chat if self.layout is None else self.layout == "chat":
            asked = Asked(self, context.engine, demos)
            yield from converse(context.engine, todo, asked.talk)
            return
        prompt = self.prompts(demos)
        for task, completion in ask(context.engine, todo, prompt, self.sampling, self.random_seed):
            if found := self.parse(task, completion):
                yield task.update(instances=found)
            elif found := self.whole(task, completion):
                yield task.update(instances=found, meta=task.meta | {"no_fields": "the whole output"})
            else:
                yield task.reject("no_instances")

    def check_seeds(self, seeds: Sequence[Task]) -> Iterator[str]:
        if large := [seed.id for seed in seeds if len(seed.instances) > self.max_instances]:
            yield (
                f"more than {self.max_instances} instances, and each prompt that shows the task shows all of them: "
                f"{first_few(large)}"
            )
        for kind, noun, most in (
            (True, "classification", self.num_output_first_demos), (False, "other", self.num_input_first_demos),
        ):  # fmt: skip
            if 0 < (there := sum(bool(seed.instances) for seed in labelled(seeds, kind))) < most:
                yield f"add {noun} tasks with instances: a prompt of {self.name} shows {most}, and there {are(there)}"

    def longest_prompts(self, seeds: Sequence[Task]) -> Iterator[LongestPrompt]:
        longest = max(seeds, key=lambda seed: len(seed.instruction))
        for kind, order in ((False, "input"), (True, "output")):
            if demos := self.demos(seeds, kind):
                text = self.prompts({kind: demos, not kind: ()})(longest.update(is_classification=kind))
                setting = f"{self.name}.num_{order}_first_demos"
                yield LongestPrompt(f"{self.name}, {order} first", text, self.sampling.max_tokens, setting)

    def demos(self, seeds: Sequence[Task], is_classification: bool) -> list[Task]:
        most = self.num_output_first_demos if is_classification else self.num_input_first_demos
        with_instances = [task for task in labelled(seeds, is_classification) if task.instances]
        return [as_demo(demo) for demo in pick(with_instances, most, f"{self.random_seed}:instances")]

    def prompts(self, demos: Mapping[bool, Sequence[Task]]) -> Callable[[Task], str]:
        """The prompt of each task, from the demos for classification tasks (True) and for others (False)."""
        prompt = {
            kind: filled_but_for("instruction", name, self, demos=demos[kind]) for kind, name in TEMPLATES.items()
        }
        return lambda task: prompt[bool(task.is_classification)](one_line(task.instruction))

    def parse(self, task: Task, completion: Completion) -> tuple[Instance, ...]:
        text = self.after_echo(task, clean_text(completion.text))
        cut = completion.finish_reason == "length"
        if not task.is_classification:
            return tuple(parse_input_first(text, cut, task.instruction)[: self.max_instances])
        return self.drawn(task, parse_output_first(text, cut, task.instruction))

    def drawn(self, task: Task, found: Sequence[Instance]) -> tuple[Instance, ...]:
        """As many instances of a classification as may stay: drawn, since models name the same label first always."""
        places = list(range(len(found)))
        if len(found) > self.max_instances:
            places = sorted(Random(f"{self.random_seed}:{task.id}:labels").sample(places, self.max_instances))
        return tuple(_labelled(found[n], bare_label(found[n].output, task.instruction)) for n in places)

    def whole(self, task: Task, completion: Completion) -> tuple[Instance, ...]:
        """A completion without any field, as the output of a task that needs no input."""
        if task.is_classification:
            return ()
        text = self.after_echo(task, clean_text(completion.text))
        cut = completion.finish_reason == "length"
        return tuple(parse_whole(text, cut, task.instruction)[: self.max_instances])

    def after_echo(self, task: Task, text: str) -> str:
        """A completion without the prompt, or the last task of it, that it repeats at its beginning."""
        first = TASK.search(text) if "Task" in text else None
        if not first:
            return text
        instruction = one_line(task.instruction)
        prompt = render(TEMPLATES[bool(task.is_classification)], self, demos=(), instruction=instruction)
        echoed = not text[: first.start()].strip() or text.lstrip().startswith(prompt.partition("\n")[0])
        _, _, after = text.partition(f"Task: {instruction}")
        return after if echoed and after else text


def _labelled(instance: Instance, label: str) -> Instance:
    return instance if label == instance.output else instance.model_copy(update={"output": label})


def as_demo(task: Task) -> Task:
    """The task as a prompt can show it: instruction and label on one line, and no line that would be read as a marker.

    Such a line is joined to the one before it.
    """

    def flat(text: str) -> str:
        return MARKER_LINE.sub(" ", text)

    instances = tuple(
        Instance(input=flat(i.input), output=one_line(i.output) if task.is_classification else flat(i.output))
        for i in task.instances
    )
    return task.update(instruction=one_line(task.instruction), instances=instances)
