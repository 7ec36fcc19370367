"""Ask whether a task is a classification: it decides how its instances are written."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from pydantic import Field

from pipeline.asking.ask import ask
from pipeline.asking.clean import clean_text
from pipeline.asking.demos import one_line, pick, shuffled
from pipeline.asking.templates import filled_but_for
from pipeline.engines.base import Sampling
from pipeline.seeds.kinds import labelled
from pipeline.stage import Run, Stage
from pipeline.task import Task

# Not "yes or no", "yes/no", "no-one", "no idea".
ANSWER = re.compile(
    r"[\W_]*+(?:\d+[.)]\s*)?(?:(?:a|answer|classification|output)\s*:[\W_]*+)?(yes|no)(?![^\W_]|-\w)"
    r"(?![\W_]*+(?:(?:or|and)\b\W*+)?(?!\1)(?:yes|no)\b)(?! (?:idea|clue|answer|information|opinion|comment)\b)",
    re.IGNORECASE,
)


class Classify(Stage):
    """Few-shot, with demos from the seed set: 12 classification tasks and 19 others, as in Self-Instruct (its code)."""

    name: ClassVar[str] = "classify"
    templates: ClassVar[tuple[str, ...]] = ("classify",)

    num_classification_demos: int = Field(default=12, ge=0)
    num_other_demos: int = Field(default=19, ge=0)
    random_seed: int = 0
    sampling: Sampling = Sampling(temperature=0, max_tokens=8, stop=("\n", "Task:"))

    def decide(self, todo: Sequence[Task], done: Sequence[Task], run: Run) -> Iterator[Task]:
        kinds = {kind for kind in (True, False) if labelled(run.seeds, kind)}
        if len(kinds) == 1:  # nothing to choose between, so nothing to ask
            yield from (task.update(is_classification=True in kinds) for task in todo)
            return
        prompt = self.prompts(self.demos(run.seeds))
        for task, completion in ask(run.engine, todo, prompt, self.sampling, self.random_seed):
            answer = parse_answer(completion.text)
            yield task.reject("unclear_answer") if answer is None else task.update(is_classification=answer)

    def demos(self, seeds: Sequence[Task]) -> list[Task]:
        yes = pick(labelled(seeds, True), self.num_classification_demos, f"{self.random_seed}:classify")
        no = pick(labelled(seeds, False), self.num_other_demos, f"{self.random_seed}:classify")
        return [as_demo(demo) for demo in shuffled(yes + no, f"{self.random_seed}:classify")]

    def prompts(self, demos: Sequence[Task]) -> Callable[[Task], str]:
        """The prompt of each task."""
        prompt = filled_but_for("instruction", "classify", demos=demos)
        return lambda task: prompt(one_line(task.instruction))


def as_demo(task: Task) -> Task:
    return task.update(instruction=one_line(task.instruction))


def parse_answer(text: str) -> bool | None:
    """Whether the answer begins with yes or no; None if with neither, or with both."""
    found = ANSWER.match(unicodedata.normalize("NFKC", clean_text(text)))
    return found[1].lower() == "yes" if found else None
