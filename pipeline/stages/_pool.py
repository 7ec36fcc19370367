"""The pool of a stage that writes tasks until it has enough, and the loop that asks for them."""

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import count
from typing import NamedTuple, Protocol

from pipeline.engines.base import Completion, Engine, Request
from pipeline.errors import SproutError
from pipeline.stages._gate import Gate
from pipeline.task import Task

RECENT = 100  # recent requests from which the yield of the next ones is estimated
FIRST = 4  # expected tasks per request, before the first completion


class Writes(Protocol):
    """What the pool must know of its stage."""

    num_tasks: int
    patience: int

    @property
    def name(self) -> str: ...


class Shown(NamedTuple):
    """The part of a task that a prompt shows, and all that the pool holds of it in memory."""

    id: str
    instruction: str


class Pool:
    """The tasks written so far, with the request each came from.

    Args:
        stage: Whose tasks they are.
        gate: Decides them; it knows the texts that are not of this stage.
        done: What the stage has written before, in the order it was decided.
        advice: What to do when nothing new comes any more.
    """

    def __init__(self, stage: Writes, gate: Gate, done: Iterable[Task], advice: str = "raise max_rouge") -> None:
        self.stage, self.gate, self.advice = stage, gate, advice
        self.generated: list[Shown] = []
        self.visible: list[int] = []  # visible[k]: how many of the generated were kept up to request k
        self.reasons: Counter[str] = Counter()
        self.idle = self.num_kept = 0
        self.interrupted: set[str] = set()  # what is decided of the last request, which is asked again
        for task in done:
            number = self._request(task)
            while len(self.visible) < number:
                self.close(len(self.visible))
                self.interrupted.clear()
            self.interrupted.add(task.id)
            self._count(task)
            if task.kept:
                gate.add(task.instruction)
        self.next_request = len(self.visible)

    @property
    def full(self) -> bool:
        return self.num_kept >= self.stage.num_tasks

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

    def decide(self, task: Task) -> Task:
        if task.kept:
            task = self.gate.judge(task)
        self._count(task)
        return task

    def _count(self, task: Task) -> None:
        self.reasons[task.rejected or "kept"] += 1
        if task.kept:
            self.generated.append(Shown(task.id, task.instruction))
            self.num_kept += 1

    def stuck(self) -> str:
        counts = ", ".join(f"{reason} {count}" for reason, count in self.reasons.most_common() if reason != "kept")
        advice = f"Ask for fewer tasks, {self.advice}, or sample with a higher temperature"
        if self.reasons["empty"] > self.reasons.total() / 2:
            advice = (
                "Most completions hold no text: if the model thinks first, set engine.chat_template_kwargs = "
                "{ enable_thinking = false }, or its word for that; if not, see that its stop strings fit"
            )
        return (
            f"{self.stage.name}: {self.idle} requests in a row brought no new task; stuck at {self.num_kept} of "
            f"{self.stage.num_tasks} (rejected: {counts or 'none'}). {advice}"
        )

    def _request(self, task: Task) -> int:
        number = task.meta.get("request")
        if not isinstance(number, int):
            raise SproutError(
                f"{self.stage.name}: task {task.id} does not say which request it is from; its file was edited"
            )
        return number


def fill(
    pool: Pool,
    engine: Engine,
    request: Callable[[int], Request],
    tasks_of: Callable[[Completion, Request, int], Iterable[Task]],
    window: Callable[[int], int],
) -> Iterator[Task]:
    """Ask until the pool is full, and yield each task decided.

    Args:
        request: The request of a number.
        tasks_of: The tasks of its completion, at least one: unusable ones are included, with a reason.
        window: How many requests may be in flight when that of this number is made.

    Raises:
        SproutError: when too many requests in a row bring nothing new.
    """
    if pool.full:
        return
    position = pool.next_request
    asked: deque[Request] = deque()  # those in flight

    def requests() -> Iterator[Request | None]:
        for number in count(position):
            while len(asked) >= min(window(number), pool.num_needed()):
                yield None
            asked.append(request(number))
            yield asked[-1]

    with closing(engine.generate(requests())) as completions:
        for completion in completions:
            for task in tasks_of(completion, asked.popleft(), position):
                if not pool.full and task.id not in pool.interrupted:
                    yield pool.decide(task)
            pool.close(position)
            position += 1
            if pool.full:
                return
            if pool.idle >= pool.stage.patience:
                raise SproutError(pool.stuck())


def all_but(tasks: Sequence[Task], ids: Iterable[str]) -> Iterator[Task]:
    return (task for task in tasks if task.id not in ids)
