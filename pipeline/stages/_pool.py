"""The pool of a stage that writes tasks until it has enough, and the loop that asks for them."""

import math
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import NamedTuple, Protocol

from pipeline.engines.base import Completion, Request
from pipeline.errors import SproutError
from pipeline.runs.context import Context
from pipeline.runs.remarks import remark
from pipeline.stages._gate import Gate
from pipeline.task import Task, bits, spelled

RECENT = 100  # recent requests from which the yield of the next ones is estimated
MAX_EMPTY = 30  # requests, if no completion so far holds any text
FIRST = 4  # expected tasks of a request, before the first completion


class Writes(Protocol):
    """What the pool must know of its stage."""

    num_tasks: int
    patience: int
    must_reach: bool
    max_rouge: float

    @property
    def name(self) -> str: ...


class Shown(NamedTuple):
    """The part of a task that a prompt shows."""

    id: str
    instruction: str


class Written:
    """Tasks as prompts show them, in 16 bytes each, besides the text, which the gate holds as well."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.ids = array("Q")  # the 64 bits of an id, as `new_id` makes it
        self.others: dict[int, str] = {}  # ids that people have given, by place

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, place: int) -> Shown:
        id = self.others.get(place) if self.others else None
        return Shown(spelled(self.ids[place]) if id is None else id, self.texts[place])

    def append(self, id: str, text: str) -> None:
        number = bits(id)
        if number is None:
            self.others[len(self.texts)] = id
        self.ids.append(number or 0)
        self.texts.append(text)


EMPTY = (
    "Most completions hold no text: if the model thinks first, set engine.chat_template_kwargs = { enable_thinking = "
    "false }, or its word for that; if a server hands out all text as thoughts, turn its reasoning parser off; else "
    "see that the stop strings fit"
)
OTHERWISE = (
    "`sprout show RUN --reason {reason}` shows what most are like, and `sprout why` what a filter says of one; another "
    "model, domain or template helps a run in another folder"
)

WANTED = (
    "; if they are what you want, `sprout run … --redecide --set {name}.filters.{reason}=false` keeps them, and then "
    "the same without --redecide"
)


class Pool:
    """The tasks written so far, with the request each came from.

    Args:
        stage: Whose tasks they are.
        gate: Decides them; it knows the texts that are not of this stage.
        done: What the stage has written before, in the order it was decided.
        more: What else to give a run, so that it does not end short.
    """

    def __init__(self, stage: Writes, gate: Gate, done: Iterable[Task], more: str = "more seeds") -> None:
        self.stage, self.gate, self.more = stage, gate, more
        self.generated = Written()
        self.visible = array("Q")  # visible[k]: how many of the generated were kept up to request k
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
        """How many more requests are needed at the yield of the last ones, those in flight included.

        Never more than were answered, unless as many were expected at first: some answers that bring nothing are not
        followed by a thousand requests.
        """
        recent = self.visible[-RECENT:]
        before = self.visible[-len(recent) - 1] if len(self.visible) > len(recent) else 0
        each = (recent[-1] - before) / len(recent) if recent else FIRST
        needed = with_margin((self.stage.num_tasks - self.num_kept) / max(each, 1 / RECENT))
        return min(needed, max(with_margin(self.stage.num_tasks / FIRST), len(self.visible)))

    def decide(self, task: Task) -> Task:
        if task.kept:
            task = self.gate.judge(task)
        self._count(task)
        return task

    def _count(self, task: Task) -> None:
        self.reasons[task.rejected or "kept"] += 1
        if task.kept:
            self.generated.append(task.id, task.instruction)
            self.num_kept += 1

    def end(self, folder: Path) -> None:
        """Note in the folder of the run whether there are as many tasks as were asked for, and why if not.

        Raises:
            SproutError: if there are fewer and that must not be, or there is none.
        """
        if not self.full and (self.stage.must_reach or not self.num_kept):
            raise SproutError(self.stuck())
        remark(folder, self.stage.name, "" if self.full else self.stuck())

    @property
    def ended(self) -> bool:
        """Whether there are enough, or nothing new has come for too long."""
        mute = self.reasons["empty"] == self.reasons.total()
        return self.full or self.idle >= (min(self.stage.patience, MAX_EMPTY) if mute else self.stage.patience)

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
            f"higher {name}.sampling.temperature and {self.more} help a run in another folder"
        )
        reason, number = next(iter(self.reasons.most_common(1)), ("", 0))
        if number > self.reasons.total() / 2 and reason not in ("kept", "not_new"):
            advice = EMPTY if reason == "empty" else OTHERWISE.format(reason=reason)
            if reason in self.gate.filters and hasattr(self.stage, "filters"):
                advice += WANTED.format(name=name, reason=reason)
        return (
            f"{name}: {self.idle} requests in a row brought no new task; stuck at {self.num_kept} of "
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
    context: Context,
    request: Callable[[int], Request],
    tasks_of: Callable[[Completion, Request, int], Iterable[Task]],
    window: Callable[[int], int],
) -> Iterator[Task]:
    """Ask until the pool is full, or nothing new has come for too long, and yield each task decided.

    Args:
        request: The request of a number.
        tasks_of: The tasks of its completion, at least one: unusable ones are included, with a reason.
        window: How many requests may be in flight when that of this number is made.

    Raises:
        SproutError: see `Pool.end`.
    """
    if pool.ended:
        pool.end(context.folder)
        return
    position = pool.next_request
    asked: deque[Request] = deque()  # those in flight

    def requests() -> Iterator[Request | None]:
        for number in count(position):
            while len(asked) >= min(window(number), pool.num_needed()):
                yield None
            asked.append(request(number))
            yield asked[-1]

    with closing(context.engine.generate(requests())) as completions:
        for completion in completions:
            for task in tasks_of(completion, asked.popleft(), position):
                if not pool.full and task.id not in pool.interrupted:
                    yield pool.decide(task)
            pool.close(position)
            position += 1
            if pool.ended:
                pool.end(context.folder)
                return


def with_margin(needed: float) -> int:
    """Somewhat more: the yield varies, and an idle engine costs as much."""
    return math.ceil(needed) + math.isqrt(math.ceil(needed)) + 1


def all_but(tasks: Sequence[Task], ids: Iterable[str]) -> Iterator[Task]:
    return (task for task in tasks if task.id not in ids)
