"""Say which tasks are classification, which determines how their instances are written."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import ClassVar, Literal

from pydantic import Field

from pipeline.asking.ask import OneOf, ask, ending
from pipeline.asking.demos import pick, shuffled
from pipeline.asking.templates import filled_but_for
from pipeline.asking.verdicts import parse_yes_no
from pipeline.engines.base import Completion, Engine, Likelihood, Sampling, ScoreRequest
from pipeline.errors import SproutError
from pipeline.runs.context import Context
from pipeline.seeds.kinds import labelled
from pipeline.stage import LongestPrompt, Reason, Stage
from pipeline.stages._threshold import learn
from pipeline.task import Task
from pipeline.text import are, one_line

logger = logging.getLogger(__name__)

WORDS = ("Yes", "No")  # as the demos of the template have them
MIN_KNOWN = 12  # seed tasks of each kind that a threshold is learned from
MAX_KNOWN = 64
SAMPLING = Sampling(temperature=0, max_tokens=8, stop=("\n", "Task:"))
LEAST = -1000.0  # stands for the logarithm of a probability that is rounded to 0


class Classify(Stage):
    """Few-shot, with demos from the seed set: 12 classification tasks and 19 others, as in Self-Instruct (its code).

    By likelihood, a task is a classification if log P(Yes) - log P(No) is above a threshold. That is learned from the
    labelled seed tasks that are no demos, so it makes up for a model that says one of the two to nearly everything. The
    prompt is plain text then, also for a chat model.
    """

    templates: ClassVar[tuple[str, ...]] = ("classify",)
    writes: ClassVar[bool] = False
    reasons: ClassVar[Mapping[str, Reason]] = {
        "unclear_answer": Reason("The model said neither yes nor no when asked for a classification.", "It depends.")
    }

    num_classification_demos: int = Field(
        default=12, ge=0, description="tasks in a prompt that are classification; Self-Instruct"
    )
    num_other_demos: int = Field(default=19, ge=0, description="tasks in a prompt that are not; Self-Instruct")
    random_seed: int = Field(default=0, description="another number makes other random choices")
    decide_by: Literal["answer", "likelihood"] = Field(
        default="answer",
        description="what the model says, or how much likelier it finds Yes than No; the second takes 12 labelled seed "
        "tasks of each kind besides the demos",
    )
    constrain: bool = Field(
        default=True, description="the model can say Yes or No and nothing else, if its engine can enforce that"
    )
    sampling: Sampling = Field(
        default=SAMPLING, description="how the model writes; unless set, `stop` is for base models alone"
    )

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        kinds = kinds_of(context.seeds)
        if len(kinds) == 1:  # all seeds are of one kind, so there is nothing to ask
            yield from (task.update(is_classification=True in kinds) for task in todo)
            return
        if self.decide_by == "likelihood":
            yield from self.by_likelihood(todo, context) if todo else ()
            return
        prompt = self.prompts(self.demos(context.seeds))
        engine = OneOf(context.engine, WORDS) if self.constrain else context.engine
        sampling = ending(self.sampling, SAMPLING, engine.chat)  # a chat model may begin with a fence and a new line
        for task, completion in ask(engine, todo, prompt, sampling, self.random_seed):
            answer = parse_yes_no(completion.text)
            yield task.reject("unclear_answer") if answer is None else task.update(is_classification=answer)

    def by_likelihood(self, todo: Sequence[Task], context: Context) -> Iterator[Task]:
        """Yield each task that can be scored. One with an error stays undecided.

        Raises:
            SproutError: when there are too few seed tasks to learn a threshold from.
        """
        if lack := self.lack_of_seeds(context.seeds):
            raise SproutError(lack)
        known = self.known(context.seeds)
        tasks = chain(((f"known:{seed.id}", seed) for seed in known), ((task.id, task) for task in todo))
        margins = self.margins(context.engine, tasks, self.prompts(self.demos(context.seeds)))
        learned = list(islice(margins, len(known)))
        if len(learned) < len(known):  # whoever plans a run asks only a few
            return
        scored = [(margin, bool(seed.is_classification)) for seed, margin in learned if margin is not None]
        if min(sum(yes is kind for _, yes in scored) for kind in (True, False)) < MIN_KNOWN:
            raise SproutError(
                f"{self.name}: {len(known) - len(scored)} of {len(known)} seed tasks cannot be scored, the log says "
                f"why; {self.advice}"
            )
        threshold = learn(scored)
        logger.info(
            "%s: a task is a classification if log P(Yes) - log P(No) is above %.4f, learned from %d seed tasks; "
            "balanced accuracy %.0f %% on them, %.0f %% on each of them by a threshold from the others",
            self.name, threshold.value, len(scored), 100 * threshold.accuracy, 100 * threshold.accuracy_left_out,
        )  # fmt: skip
        for task, margin in margins:
            if margin is not None:
                why = {"margin": round(margin, 4), "threshold": round(threshold.value, 4)}
                yield task.update(is_classification=margin > threshold.value, meta=task.meta | {"classify": why})

    def margins(
        self, engine: Engine, tasks: Iterable[tuple[str, Task]], prompt: Callable[[Task], str]
    ) -> Iterator[tuple[Task, float | None]]:
        """log P(Yes) - log P(No) after the prompt of each task, in order; None for one that cannot be scored.

        Args:
            tasks: Each with an id for its requests.
        """
        waiting: deque[Task] = deque()

        def requests() -> Iterator[ScoreRequest]:
            for id, task in tasks:
                waiting.append(task)
                for word in WORDS:
                    yield ScoreRequest(id=f"{id}:{word}", prompt=prompt(task), continuation=f" {word}")

        likelihoods = engine.score(requests())
        for yes, no in zip(likelihoods, likelihoods, strict=False):
            yield waiting.popleft(), None if yes.error or no.error else _sum(yes) - _sum(no)

    def known(self, seeds: Sequence[Task]) -> list[Task]:
        """The labelled seed tasks that a threshold is learned from: none that is a demo."""
        known = []
        for kind in (True, False):
            shown = {demo.id for demo in self.picked(seeds, kind)}
            rest = [seed for seed in labelled(seeds, kind) if seed.id not in shown]
            known += pick(rest, MAX_KNOWN, f"{self.random_seed}:classify:known")
        return known

    def lack_of_seeds(self, seeds: Sequence[Task]) -> str | None:
        if self.decide_by == "answer" or len(kinds_of(seeds)) == 1:
            return None
        counts = [len(labelled(self.known(seeds), kind)) for kind in (True, False)]
        if min(counts) >= MIN_KNOWN:
            return None
        return (
            f"{self.name}: to decide by likelihood takes {MIN_KNOWN} labelled seed tasks of each kind besides the "
            f"demos, and there are {counts[0]} that are classification and {counts[1]} that are not; {self.advice}"
        )

    @property
    def advice(self) -> str:
        shown = f"{self.name}.num_classification_demos, {self.name}.num_other_demos"
        return f'add seed tasks, show fewer of them ({shown}), or set {self.name}.decide_by = "answer"'

    def requests_before(self, seeds: Sequence[Task]) -> int:
        if self.decide_by == "answer" or len(kinds_of(seeds)) == 1:
            return 0
        return len(WORDS) * len(self.known(seeds))

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        why = task.meta.get("classify")
        if not isinstance(why, dict):
            yield from super().explain(task, before, completions)
            return
        yield f"classification: {'yes' if task.is_classification else 'no'}"
        yield (
            f"log P(Yes) - log P(No) is {why.get('margin')}, and the threshold learned from the seed tasks is "
            f"{why.get('threshold')}"
        )

    def check_seeds(self, seeds: Sequence[Task]) -> Iterator[str]:
        kinds = {seed.is_classification for seed in seeds}
        if len(kinds) == 1:
            yield (
                f"{'every' if True in kinds else 'no'} task is a classification, so {self.name} takes every new task "
                f"as {'' if True in kinds else 'not '}one; add some of the other kind"
            )
        for kind, noun, most in (
            (True, "classification", self.num_classification_demos), (False, "other", self.num_other_demos),
        ):  # fmt: skip
            if 0 < (there := len(labelled(seeds, kind))) < most:
                yield f"add {noun} tasks: a prompt of {self.name} shows {most}, and there {are(there)}"
        if lack := self.lack_of_seeds(seeds):
            yield lack

    def longest_prompts(self, seeds: Sequence[Task]) -> Iterator[LongestPrompt]:
        if len({seed.is_classification for seed in seeds}) > 1:
            longest = max(seeds, key=lambda seed: len(seed.instruction))
            text = self.prompts(self.demos(seeds))(longest)
            yield LongestPrompt(self.name, text, self.sampling.max_tokens, f"{self.name}.num_other_demos")

    def demos(self, seeds: Sequence[Task]) -> list[Task]:
        both = self.picked(seeds, True) + self.picked(seeds, False)
        return [as_demo(demo) for demo in shuffled(both, f"{self.random_seed}:classify")]

    def picked(self, seeds: Sequence[Task], kind: bool) -> list[Task]:
        most = self.num_classification_demos if kind else self.num_other_demos
        return pick(labelled(seeds, kind), most, f"{self.random_seed}:classify")

    def prompts(self, demos: Sequence[Task]) -> Callable[[Task], str]:
        """The prompt of each task."""
        prompt = filled_but_for("instruction", "classify", self, demos=demos)
        return lambda task: prompt(one_line(task.instruction))


def kinds_of(seeds: Sequence[Task]) -> set[bool]:
    """Whether there are seed tasks that are marked as classification, and as not."""
    return {kind for kind in (True, False) if labelled(seeds, kind)}


def _sum(likelihood: Likelihood) -> float:
    return max(likelihood.sum, LEAST)


def as_demo(task: Task) -> Task:
    return task.update(instruction=one_line(task.instruction))
