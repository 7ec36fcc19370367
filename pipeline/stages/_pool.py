"""The pool of the stage `instructions`: the seeds and the tasks kept so far."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from pipeline.errors import SproutError
from pipeline.filters.find import first_reason
from pipeline.novelty.rouge import RougeIndex
from pipeline.runs.context import Context
from pipeline.task import Task

if TYPE_CHECKING:
    from pipeline.stages.instructions import Instructions

RECENT = 100  # recent requests from which the yield of the next ones is estimated
FIRST = 4  # expected tasks per request, before the first completion


class Shown(NamedTuple):
    """The part of a task that a prompt shows, and all that the pool holds of it in memory."""

    id: str
    instruction: str


class Pool:
    """The seeds and the tasks kept so far, with the request each came from."""

    def __init__(self, stage: "Instructions", context: Context, done: Sequence[Task]) -> None:
        self.stage, self.seeds = stage, [Shown(seed.id, seed.instruction) for seed in context.seeds]
        self.most = context.engine.window  # requests in flight
        self.filters = stage.filters_applied()
        self.generated: list[Shown] = []
        self.visible: list[int] = []  # visible[k]: how many of the generated were kept up to request k
        self.reasons: Counter[str] = Counter()
        self.idle = self.num_kept = 0
        self.index = RougeIndex((seed.instruction for seed in self.seeds), stage.max_rouge)
        self.interrupted: set[str] = set()  # what is decided of the last request, which is asked again
        for task in done:
            number = _request(task)
            while len(self.visible) < number:
                self.close(len(self.visible))
                self.interrupted.clear()
            self.interrupted.add(task.id)
            self._count(task)
        self.next_request = len(self.visible)

    def close(self, number: int) -> None:
        """Record that all items of request `number` are decided."""
        before = self.visible[-1] if self.visible else 0
        self.visible.append(len(self.generated))
        self.idle = 0 if len(self.generated) > before else self.idle + 1

    def num_needed(self) -> int:
        """How many more requests are needed at the yield of the last ones, those in flight included."""
        recent = self.visible[-RECENT:]
        before = self.visible[-len(recent) - 1] if len(self.visible) > len(recent) else 0
        each = (recent[-1] - before) / len(recent) if recent else FIRST
        needed = math.ceil((self.stage.num_tasks - self.num_kept) / max(each, 1 / RECENT))
        return needed + math.isqrt(needed) + 1  # a margin: the yield varies, and an idle engine costs as much

    def demos(self, number: int) -> tuple[Shown, ...]:
        """The demos of request `number`, in random order: 6 seeds and, once there are some, 2 generated tasks."""
        rng = random.Random(f"{self.stage.random_seed}:{number}")
        last = number - self.stage.window_at(number, self.most)
        known = self.visible[last] if last >= 0 else 0
        num_new = min(self.stage.num_generated_demos, known)
        new = [self.generated[i] for i in rng.sample(range(known), num_new)]
        old = rng.sample(self.seeds, min(self.stage.num_demos - num_new, len(self.seeds)))
        return tuple(rng.sample(new + old, len(new) + len(old)))

    def decide(self, task: Task) -> Task:
        if task.kept:
            task = self._judge(task)
        self._count(task, add=False)
        return task

    def _judge(self, task: Task) -> Task:
        if reason := first_reason(task, self.filters):
            return task.reject(reason)
        score, text = self.index.nearest(task.instruction)
        if text is not None:
            return task.score(rouge_l=round(score, 4)).update(meta=task.meta | {"nearest": text}).reject("not_new")
        self.index.add(task.instruction)
        return task

    def _count(self, task: Task, add: bool = True) -> None:
        self.reasons[task.rejected or "kept"] += 1
        if task.kept:
            self.generated.append(Shown(task.id, task.instruction))
            self.num_kept += 1
            if add:
                self.index.add(task.instruction)

    def stuck(self) -> str:
        """Why no more tasks are to be had, and what can be done; each command it names works in this state."""
        name = self.stage.name
        counts = ", ".join(f"{reason} {count}" for reason, count in self.reasons.most_common() if reason != "kept")
        looser = min(0.95, round(self.stage.max_rouge + 0.1, 2))
        alike = (
            f"; to take tasks that are more alike, `sprout run … --redecide --set {name}.max_rouge={looser}` and then "
            f"the same without --redecide"
        )
        advice = (
            f"To go on trying, give more --set {name}.patience{alike if looser > self.stage.max_rouge else ''}; a "
            f"higher {name}.sampling.temperature and more seeds help a run in another folder"
        )
        if self.reasons["empty"] > self.reasons.total() / 2:
            advice = (
                "Most completions hold no text: if the model thinks first, set engine.chat_template_kwargs = "
                "{ enable_thinking = false }, or its word for that; if not, see that its stop strings fit"
            )
        return (
            f"{name}: {self.idle} requests in a row brought no new task; stuck at {self.num_kept} of "
            f"{self.stage.num_tasks} (rejected: {counts or 'none'}). {advice}"
        )


def _request(task: Task) -> int:
    number = task.meta.get("request")
    if not isinstance(number, int):
        raise SproutError(f"instructions: task {task.id} does not say which request it is from; its file was edited")
    return number
