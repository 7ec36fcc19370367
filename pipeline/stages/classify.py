"""Say which tasks are classification, which determines how their instances are written."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from pipeline.asking.ask import ask
from pipeline.asking.demos import one_line, pick, shuffled
from pipeline.asking.templates import filled_but_for
from pipeline.asking.verdicts import parse_yes_no
from pipeline.engines.base import Sampling
from pipeline.runs.context import Context
from pipeline.seeds.kinds import labelled
from pipeline.stage import LongestPrompt, Reason, Stage
from pipeline.task import Task


class Classify(Stage):
    """Few-shot, with demos from the seed set: 12 classification tasks and 19 others, as in Self-Instruct (its code)."""

    templates: ClassVar[tuple[str, ...]] = ("classify",)
    reasons: ClassVar[Mapping[str, Reason]] = {
        "unclear_answer": Reason("The model said neither yes nor no when asked for a classification.", "It depends.")
    }

    num_classification_demos: int = Field(
        default=12, ge=0, description="tasks in a prompt that are classification; Self-Instruct"
    )
    num_other_demos: int = Field(default=19, ge=0, description="tasks in a prompt that are not; Self-Instruct")
    random_seed: int = Field(default=0, description="another number makes other random choices")
    sampling: Sampling = Field(
        default=Sampling(temperature=0, max_tokens=8, stop=("\n", "Task:")), description="how the model writes"
    )

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        kinds = {kind for kind in (True, False) if labelled(context.seeds, kind)}
        if len(kinds) == 1:  # all seeds are of one kind, so there is nothing to ask
            yield from (task.update(is_classification=True in kinds) for task in todo)
            return
        prompt = self.prompts(self.demos(context.seeds))
        for task, completion in ask(context.engine, todo, prompt, self.sampling, self.random_seed):
            answer = parse_yes_no(completion.text)
            yield task.reject("unclear_answer") if answer is None else task.update(is_classification=answer)

    def check_seeds(self, seeds: Sequence[Task]) -> Iterator[str]:
        kinds = {seed.is_classification for seed in seeds}
        if len(kinds) == 1:
            yield (
                f"{'every' if True in kinds else 'no'} task is a classification: {self.name} then has no choice, "
                f"all are taken as {'' if True in kinds else 'not '}classification; add some of the other kind"
            )
        for kind, noun, most in (
            (True, "classification", self.num_classification_demos), (False, "other", self.num_other_demos),
        ):  # fmt: skip
            if 0 < (there := len(labelled(seeds, kind))) < most:
                yield f"{self.name} shows {most} {noun} tasks, there are {there}"

    def longest_prompts(self, seeds: Sequence[Task]) -> Iterator[LongestPrompt]:
        if len({seed.is_classification for seed in seeds}) > 1:
            longest = max(seeds, key=lambda seed: len(seed.instruction))
            text = self.prompts(self.demos(seeds))(longest)
            yield LongestPrompt(self.name, text, self.sampling.max_tokens, f"{self.name}.num_other_demos")

    def demos(self, seeds: Sequence[Task]) -> list[Task]:
        yes = pick(labelled(seeds, True), self.num_classification_demos, f"{self.random_seed}:classify")
        no = pick(labelled(seeds, False), self.num_other_demos, f"{self.random_seed}:classify")
        return [as_demo(demo) for demo in shuffled(yes + no, f"{self.random_seed}:classify")]

    def prompts(self, demos: Sequence[Task]) -> Callable[[Task], str]:
        """The prompt of each task."""
        prompt = filled_but_for("instruction", "classify", self, demos=demos)
        return lambda task: prompt(one_line(task.instruction))


def as_demo(task: Task) -> Task:
    return task.update(instruction=one_line(task.instruction))
