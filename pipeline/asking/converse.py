"""Conversations about tasks: what is asked next may depend on the answers so far."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing

from pipeline.asking.ask import is_answer
from pipeline.engines.base import Completion, Engine, Message, Request
from pipeline.task import Task

Conversation = Generator[Request, Completion, Task]  # requests out, their completions in, the decided task at the end
Turns = Sequence[tuple[str, str]]  # what the user says, and what the assistant answers


def converse(engine: Engine, tasks: Iterable[Task], talk: Callable[[Task], Conversation]) -> Iterator[Task]:
    """Hold one conversation for each task, many at once, and yield the decided tasks in the order they came in.

    Each request has an id of its own, best made from that of its task. A task of which a request failed, or brought
    no text, is left out: it stays undecided, and the next run tries it again.

    Example:
        >>> def talk(task):
        ...     request = Request(id=task.id, prompt=task.instruction, sampling=Sampling())
        ...     completion = yield request
        ...     return task.update(instances=(Instance(output=completion.text),))
    """
    source = iter(tasks)
    begun: deque[str] = deque()  # ids of tasks, in order
    ended: dict[str, Task | None] = {}
    follow_ups: deque[Request] = deque()
    talks: dict[str, tuple[str, Conversation]] = {}  # by the id of the request that is in flight

    def advance(id: str, conversation: Conversation, completion: Completion | None) -> Request | None:
        """The next request of a conversation; None once it has ended."""
        try:
            request = next(conversation) if completion is None else conversation.send(completion)
        except StopIteration as end:
            ended[id] = end.value
            return None
        talks[request.id] = (id, conversation)
        return request

    def requests() -> Iterator[Request | None]:
        while True:
            if follow_ups:
                yield follow_ups.popleft()
            elif (task := next(source, None)) is not None:
                begun.append(task.id)
                if request := advance(task.id, talk(task), None):
                    yield request
            elif talks:
                yield None  # what is in flight may lead to more
            else:
                return

    def in_order() -> Iterator[Task]:
        while begun and begun[0] in ended:
            if (task := ended.pop(begun.popleft())) is not None:
                yield task

    with closing(engine.generate(requests())) as completions:
        for completion in completions:
            id, conversation = talks.pop(completion.id)
            if not is_answer(completion):
                conversation.close()
                ended[id] = None
            elif request := advance(id, conversation, completion):
                follow_ups.append(request)
            yield from in_order()
    yield from in_order()


def messages(turns: Turns, question: str) -> tuple[Message, ...]:
    """Demos as turns of a conversation, then the question: every request of a stage begins with the same turns."""
    shown = [
        message
        for asked, answered in turns
        for message in ({"role": "user", "content": asked}, {"role": "assistant", "content": answered})
    ]
    return (*shown, {"role": "user", "content": question})
