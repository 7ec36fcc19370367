"""Check answers by running code with its tests, or against a text, a number, a schema or a call of a tool."""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property, partial
from queue import SimpleQueue
from typing import ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from pipeline.checks.base import Case, Verdict
from pipeline.checks.contains import contains, texts_of
from pipeline.checks.number import number
from pipeline.checks.python import NAME, program_of, python
from pipeline.checks.schema import schema
from pipeline.checks.tool import tool
from pipeline.engines.base import Completion
from pipeline.errors import SproutError
from pipeline.runs.context import Context
from pipeline.sandbox.cell import Cell
from pipeline.sandbox.find import find_way
from pipeline.sandbox.limits import Limits
from pipeline.stage import Reason, Stage
from pipeline.stages._counts import with_counts
from pipeline.task import Answer, Instance, Task
from pipeline.text import short

logger = logging.getLogger(__name__)

REASON, NOTHING = "fails_check", "nothing_to_check"
MOST_CHARS = 1500  # of a message; tracebacks are longer if a program wants them to be
Kind = Literal["python", "contains", "number", "schema", "tool"]
KEYS = {"contains": "expected", "number": "expected", "schema": "schema", "tool": "call"}


class Check(Stage):
    """Passes or fails each answer of an instance, or its output if it has no answers.

    An answer that passes has 1 in its `scores["check"]`, one that fails has 0; the score of a task is the share that
    passes. The message of each is in `meta["check"]`, in their order. With `reject`, an output that fails, and an
    instance none of whose answers passes, is left out.

    Code runs in a sandbox: without a network, without the files of this machine, and with limits.
    """

    selects: ClassVar[bool] = True
    asks: ClassVar[bool] = False
    growable: ClassVar[frozenset[str]] = frozenset({"workers", "run_untrusted_code_without_a_sandbox"})
    reasons: ClassVar[Mapping[str, Reason]] = {
        REASON: Reason("No answer of it passes the check.", "What is 7 × 8? → 54"),
        NOTHING: Reason("There is nothing to check it against.", "a task without tests"),
    }

    by: Kind = Field(default="python", description="python (runs it with tests), contains, number, schema or tool")
    program: str = Field(
        default="{answer}\n\n{tests}\n",
        description="of python: what is run; names in braces stand for the answer and for keys of `meta`",
    )
    key: str = Field(
        default="",
        description="of `meta`: what answers are held against; empty: expected, schema or call, as the check has it; "
        "for contains and number without it, the output of an instance that has answers",
    )
    tolerance: float = Field(default=1e-6, ge=0, description="of number: how far off it may be, as a share of it")
    reject: bool = Field(default=True, description="false: a failure is only recorded")
    limits: Limits = Field(default=Limits(), description="what a program may use")
    packages: bool = Field(default=False, description="programs may import the packages that are installed here")
    workers: int = Field(default=0, ge=0, description="programs that run at a time; 0: one for each core")
    run_untrusted_code_without_a_sandbox: bool = Field(
        default=False,
        description="where no sandbox can be made, run the code of a model with the rights of whoever starts this run",
    )

    @model_validator(mode="after")
    def _check_program(self) -> Self:
        if "answer" not in NAME.findall(self.program):
            raise ValueError('program: {answer} is not in it; write where the answer goes, as in "{answer}\\n{tests}"')
        return self

    @property
    def uses_model(self) -> bool:
        return False

    def needs(self) -> dict[str, str]:
        return {"jsonschema": "check"} if self.by == "schema" else {}

    def num_requests(self, num_given: int) -> int:
        return 0

    def lack_of_seeds(self, seeds: Sequence[Task]) -> str | None:
        """Refuses a machine without a sandbox before anything is asked."""
        try:
            if self.by == "python":
                _ = self._cell
        except SproutError as error:
            return str(error)
        return None

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        num_unchecked, first = 0, ""
        for task, verdicts in self._checked(todo):
            if all(verdict is None for verdict in verdicts):
                num_unchecked, first = num_unchecked + 1, first or task.id
            yield self._judged(task, verdicts)
        if num_unchecked:
            logger.warning(
                "%s: %d of %d tasks have nothing to check against; the first is %s", self.name, num_unchecked,
                len(todo), first,
            )  # fmt: skip

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        messages = task.meta.get(self.name)
        for place, said in enumerate(messages if isinstance(messages, list) else [], 1):
            for which, message in enumerate(said if isinstance(said, list) else [said], 1):
                place_in = f", answer {which}" if isinstance(said, list) else ""
                yield f"instance {place}{place_in}: {short(str(message).strip().rpartition(chr(10))[2])}"

    def _checked(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, list[Verdict | None]]]:
        """Each task with the verdicts on its answers, in their order; several are checked at a time."""
        workers = (self.workers or num_cores()) if self.by == "python" else 1
        slots: SimpleQueue[int] = SimpleQueue()
        for slot in range(workers):
            slots.put(slot)
        waiting: deque[tuple[Task, list[Future[Verdict | None]]]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            try:
                for task in tasks:
                    waiting.append((task, [pool.submit(self._verdict, case, slots) for case in cases_of(task)]))
                    while sum(len(found) for _, found in waiting) > 2 * workers or (waiting and not waiting[0][1]):
                        yield _ready(*waiting.popleft())
                while waiting:
                    yield _ready(*waiting.popleft())
            finally:
                pool.shutdown(cancel_futures=True)

    def _verdict(self, case: Case, slots: "SimpleQueue[int]") -> Verdict | None:
        """What a check says; None where there is nothing to check against."""
        if self.by == "python":
            parts = program_of(case, self.program)
            if parts is None:
                return None
            slot = slots.get()
            try:
                return python(parts, self.limits, self._cell, slot)
            finally:
                slots.put(slot)
        expected = self._expected(case)
        if expected is None or (self.by in ("contains", "number") and not texts_of(expected)):
            return None
        checks: dict[str, Callable[[Case], Verdict]] = {
            "contains": contains, "number": partial(number, tolerance=self.tolerance), "schema": schema, "tool": tool,
        }  # fmt: skip
        return checks[self.by](Case(case.text, case.instance, case.task, expected))

    def _expected(self, case: Case) -> JsonValue:
        if (key := self.key or KEYS[self.by]) in case.task.meta:
            return case.task.meta[key]
        return (
            case.instance.output
            if case.instance.answers and not self.key and self.by in ("contains", "number")
            else None
        )

    def _judged(self, task: Task, verdicts: Sequence[Verdict | None]) -> Task:
        given = [verdict for verdict in verdicts if verdict]
        if not given:
            return task.reject(NOTHING) if self.reject else task
        left, kept, messages = iter(verdicts), list[Instance](), list[JsonValue]()
        for instance in task.instances:
            own = [next(left) for _ in instance.answers or (None,)]
            if not self.reject or any(verdict is not None and verdict.passed for verdict in own):
                kept.append(self._scored(instance, own))
                said: list[JsonValue] = [_message(verdict) for verdict in own]
                messages.append(said if instance.answers else said[0])
        share = sum(verdict.passed for verdict in given) / len(given)
        grades = [verdict.grade for verdict in given if verdict.grade is not None]
        scores = {self.name: share} | ({f"{self.name}_grade": sum(grades) / len(grades)} if grades else {})
        if not kept:  # with what was said of each, for `sprout why`
            failed = [_message(verdict) for verdict in verdicts]
            return task.update(meta=task.meta | {self.name: failed}).score(**scores).reject(REASON)
        num_left_out = len(task.instances) - len(kept)
        task = task.update(instances=tuple(kept), meta=task.meta | {self.name: messages}).score(**scores)
        return with_counts(task, "left_out", {REASON: num_left_out} if num_left_out else {})

    def _scored(self, instance: Instance, verdicts: Sequence[Verdict | None]) -> Instance:
        """The instance with what the check says of each of its answers."""
        answers = [
            self._marked(answer, verdict) if verdict else answer
            for answer, verdict in zip(instance.answers, verdicts, strict=False)
        ]
        return instance.model_copy(update={"answers": tuple(answers)})

    def _marked(self, answer: Answer, verdict: Verdict) -> Answer:
        grade = {} if verdict.grade is None else {f"{self.name}_grade": verdict.grade}
        return answer.model_copy(update={"scores": answer.scores | {self.name: float(verdict.passed)} | grade})

    @cached_property
    def _cell(self) -> Cell:
        """Where programs run.

        Raises:
            SproutError: if this machine has no sandbox, and the settings do not say to do without.
        """
        try:
            return Cell(find_way(), self.packages)
        except SproutError as error:
            if self.run_untrusted_code_without_a_sandbox:
                return Cell("none", self.packages)
            raise SproutError(
                f"{self.name}: {error}. Only where it can do no harm, set "
                f"run_untrusted_code_without_a_sandbox = true in [{self.name}]"
            ) from None


def cases_of(task: Task) -> list[Case]:
    """What is checked: the answers of each instance, or its output if it has none."""
    return [
        Case(answer.text if answer else instance.output, instance, task)
        for instance in task.instances
        for answer in instance.answers or (None,)
    ]


def num_cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _ready(task: Task, verdicts: Sequence[Future[Verdict | None]]) -> tuple[Task, list[Verdict | None]]:
    return task, [verdict.result() for verdict in verdicts]


def _message(verdict: Verdict | None) -> str:
    """The end of a message, which is where a traceback says what was raised."""
    return "nothing to check it against" if verdict is None else verdict.message[-MOST_CHARS:]
