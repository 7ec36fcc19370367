"""Remove short outputs that the model does not give again."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from pipeline.asking.ask import is_answer, request, seeded
from pipeline.asking.demos import pick, shuffled
from pipeline.asking.examples import parse_input_first
from pipeline.asking.templates import render
from pipeline.engines.base import Completion, Request, Sampling
from pipeline.runs.context import Context
from pipeline.seeds.kinds import labelled
from pipeline.stage import Reason, Stage
from pipeline.stages._counts import with_counts
from pipeline.stages.instances import as_demo
from pipeline.task import Instance, Task
from pipeline.text import folded

REASON = "not_repeated"
STOP = ("\nTask:", "\nExample", "\nInput:")  # what follows an answer in the template


class Verify(Stage):
    """Removes outputs that may be slips: an output that the model gives twice is wrong less often.

    That is the idea of self-consistency (arXiv 2203.11171), with two answers. Outputs of up to `max_words` words are
    asked for again, greedily and with both kinds of seed tasks as demos, however the instance was written. The answer
    must be the same, apart from case, white space, a full stop, and quotes or emphasis around it. Longer outputs pass,
    since they may be worded differently. Removed instances are counted in `meta["left_out"]`; a task with none left
    is rejected.
    """

    templates: ClassVar[tuple[str, ...]] = ("verify",)
    writes: ClassVar[bool] = False
    optional: ClassVar[bool] = True
    selects: ClassVar[bool] = True
    reasons: ClassVar[Mapping[str, Reason]] = {
        REASON: Reason("The model, asked again, gives another output.", "Name the tallest animal. → giraffe / elephant")
    }

    max_words: int = Field(default=10, ge=1, description="of an output that is verified; longer ones pass")
    num_demos: int = Field(default=9, ge=0, description="seed tasks shown, a third of them classification")
    random_seed: int = Field(default=0, description="another number makes other random choices")
    sampling: Sampling = Field(
        default=Sampling(temperature=0, max_tokens=64, stop=STOP),
        description="how the model writes",
    )

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        demos = self.demos(context.seeds)
        waiting: deque[Task] = deque()  # tasks in order, and the answers to those they need
        answers: dict[str, dict[int, Completion]] = {}

        def requests() -> Iterator[Request]:
            for task in todo:
                waiting.append(task)
                answers[task.id] = {}
                for number in self.short(task):
                    id = f"{task.id}:{number}"
                    sampling = seeded(self.sampling, self.random_seed, id)
                    yield request(context.engine, id, self.prompt(task, number, demos), sampling)

        def decided() -> Iterator[Task]:
            while waiting and len(answers[waiting[0].id]) == len(self.short(waiting[0])):
                task = waiting.popleft()
                given = answers.pop(task.id)
                if all(map(is_answer, given.values())):  # otherwise the next run asks again
                    yield self.judge(task, {number: parse_answer(answer.text) for number, answer in given.items()})

        for completion in context.engine.generate(requests()):
            id, _, number = completion.id.rpartition(":")
            answers[id][int(number)] = completion
            yield from decided()
        yield from decided()

    def short(self, task: Task) -> list[int]:
        """The indices of the instances to verify."""
        return [n for n, instance in enumerate(task.instances) if len(instance.output.split()) <= self.max_words]

    def judge(self, task: Task, answers: dict[int, str]) -> Task:
        good = tuple(i for n, i in enumerate(task.instances) if n not in answers or agrees(i, answers[n]))
        if num_left_out := len(task.instances) - len(good):
            task = with_counts(task, "left_out", {REASON: num_left_out})
        return task.update(instances=good) if good else task.reject(REASON)

    def demos(self, seeds: Sequence[Task]) -> list[Task]:
        """Seed tasks to show; where there are too few of one kind, more of the other."""
        usable = [task for task in seeds if task.instances]
        classification, rest = labelled(usable, True), [task for task in usable if not task.is_classification]
        num_labels = max(self.num_demos // 3, self.num_demos - len(rest))
        labels = pick(classification, num_labels, f"{self.random_seed}:verify")
        others = pick(rest, self.num_demos - len(labels), f"{self.random_seed}:verify")
        return [as_demo(demo) for demo in shuffled(labels + others, f"{self.random_seed}:verify")]

    def prompt(self, task: Task, number: int, demos: Sequence[Task]) -> str:
        shown = as_demo(task)
        fields = {"instruction": shown.instruction, "input": shown.instances[number].input}
        return render("verify", self, **fields, demos=demos)


def parse_answer(text: str) -> str:
    """The output, without a label before it or further examples after it; empty if there is none."""
    found = parse_input_first(f"Output: {text}")
    return found[0].output if found else ""


def agrees(instance: Instance, answer: str) -> bool:
    return bare(instance.output) == bare(answer)


def bare(text: str) -> str:
    return folded(text).rstrip(".").strip("*`\"'“”‘’").rstrip(".")
