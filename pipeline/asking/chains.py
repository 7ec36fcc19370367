"""Several requests per task, one after another: each may depend on the answers before it."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Generic, TypeVar

from pipeline.asking.ask import is_answer
from pipeline.engines.base import Completion, Engine, Request
from pipeline.task import Task

R = TypeVar("R")
Chain = Generator[Request, Completion, R]  # yields a request, is sent its completion, and returns what came of them


def ask_chains(engine: Engine, tasks: Iterable[Task], chain: Callable[[Task], Chain[R]]) -> Iterator[tuple[Task, R]]:
    """Yield each task with what its chain returns, in the order of the tasks.

    The chains of many tasks run side by side, so the engine has as much to do as it takes. A task of which a request
    failed, or brought no text, is left out: it stays undecided, and the next run tries it again.
    """
    waiting: deque[_Link[R]] = deque()  # in the order of the tasks
    asked: deque[_Link[R]] = deque()  # in the order of the requests
    ready: deque[_Link[R]] = deque()  # those with a request that is not put yet
    source = iter(tasks)

    def requests() -> Iterator[Request | None]:
        while True:
            if ready:
                asked.append(ready.popleft())
                yield asked[-1].request
            elif (task := next(source, None)) is not None:
                waiting.append(_Link(task, chain(task)))
                ready.extend([waiting[-1]] if waiting[-1].request else [])
            elif asked:
                yield None  # what is in flight may lead to more
            else:
                return

    def ended() -> Iterator[tuple[Task, R]]:
        while waiting and waiting[0].request is None:
            link = waiting.popleft()
            yield from ((link.task, result) for result in link.result)

    with closing(engine.generate(requests())) as completions:
        for completion in completions:
            link = asked.popleft()
            link.answer(completion)
            ready.extend([link] if link.request else [])
            yield from ended()
    yield from ended()


class _Link(Generic[R]):
    """A chain, and the request whose answer it waits for."""

    def __init__(self, task: Task, chain: Chain[R]) -> None:
        self.task, self.chain = task, chain
        self.request: Request | None = None
        self.result: list[R] = []  # what the chain has returned, if it has
        self._go_on(None)

    def answer(self, completion: Completion) -> None:
        self.request = None
        if is_answer(completion):
            self._go_on(completion)

    def _go_on(self, completion: Completion | None) -> None:
        try:
            self.request = self.chain.send(completion)  # type: ignore[arg-type]  # None begins it
        except StopIteration as end:
            self.request, self.result = None, [end.value]
