"""Puts what scorers ask to several engines at once, and brings the scored tasks back in order."""

from collections import deque
from collections.abc import Callable, Iterator

from pipeline.engines.base import Completions, Engine, Likelihoods, Request, ScoreRequest
from pipeline.scorers.base import Ask
from pipeline.scorers.scored import ScoredTask

AHEAD = 8192  # tasks that are begun before the first of them has its numbers


class Queues:
    """Asks for many tasks side by side; what one scorer asks in later rounds goes out among the rest.

    An engine has one queue for completions and one for likelihoods.

    Args:
        tasks: Are begun as the engines have room for their requests.
        engine: From the name of an engine to the engine.
    """

    def __init__(self, tasks: Iterator[ScoredTask], engine: Callable[[str], Engine]) -> None:
        self.tasks, self.engine = tasks, engine
        self.waiting: deque[ScoredTask] = deque()
        self.queues: dict[tuple[str, bool], _Queue] = {}

    def scored(self) -> Iterator[ScoredTask]:
        """The tasks in their order, each once all it asked is answered.

        They end with the first task whose requests no engine takes any more, as when only a few are tried.
        """
        try:
            while self.waiting or self.begin():
                first = self.waiting[0]
                if first.complete:
                    yield self.waiting.popleft()
                elif not self.queue_of(next(iter(first.open.values()))).bring():
                    for queue in self.queues.values():
                        while queue.bring():
                            pass
                    return
        finally:
            for queue in self.queues.values():
                queue.close()

    def begin(self) -> bool:
        """Begin one more task, unless there is none or too many wait."""
        if len(self.waiting) >= AHEAD or (task := next(self.tasks, None)) is None:
            return False
        self.waiting.append(task)
        self.put(task)
        return True

    def put(self, task: ScoredTask) -> None:
        for id, ask in task.new_requests():
            self.queue_of(ask).unasked.append((task, id, ask))

    def queue_of(self, ask: Ask) -> "_Queue":
        key = ask.engine, isinstance(ask.request, Request)
        if key not in self.queues:
            self.queues[key] = _Queue(self, self.engine(ask.engine))
        return self.queues[key]


class _Queue:
    """What waits for one engine, and what is in flight there."""

    def __init__(self, queues: Queues, engine: Engine) -> None:
        self.queues, self.engine = queues, engine
        self.unasked: deque[tuple[ScoredTask, str, Ask]] = deque()
        self.asked: deque[tuple[ScoredTask, str]] = deque()
        self.answers: Completions | Likelihoods | None = None

    def bring(self) -> bool:
        """Take the next answer, if there is one to come."""
        while self.unasked or self.asked:
            begun = self.answers is None
            if self.answers is None:
                ask = self.engine.generate if isinstance(self.unasked[0][2].request, Request) else self.engine.score
                self.answers = ask(self._requests())  # type: ignore[arg-type]  # all in a queue are of one kind
            if (answer := next(self.answers, None)) is not None:
                task, id = self.asked.popleft()
                task.take(id, answer)
                self.queues.put(task)
                return True
            if begun or self.asked:
                return False
            self.answers = None  # it ended while nothing was in flight; there is more now
        return False

    def close(self) -> None:
        if self.answers is not None:
            self.answers.close()

    def _requests(self) -> Iterator[Request | ScoreRequest | None]:
        while True:
            if self.unasked:
                task, id, ask = self.unasked.popleft()
                self.asked.append((task, id))
                yield ask.request
            elif self.queues.begin():
                continue
            elif self.asked:
                yield None  # an answer may lead to more
            else:
                return
