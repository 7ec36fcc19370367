"""Conversations about tasks: what is asked next may depend on the answers so far."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from pipeline.asking.chains import Chain, ask_chains
from pipeline.engines.base import Engine, Message
from pipeline.task import Task

Conversation = Chain[Task]  # requests out, their completions in, the decided task at the end
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
    return (decided for _, decided in ask_chains(engine, tasks, talk))


def messages(turns: Turns, question: str) -> tuple[Message, ...]:
    """Demos as turns of a conversation, then the question: every request of a stage begins with the same turns."""
    shown = [
        message
        for asked, answered in turns
        for message in ({"role": "user", "content": asked}, {"role": "assistant", "content": answered})
    ]
    return (*shown, {"role": "user", "content": question})


def question(instruction: str, input: str = "") -> str:
    """The user's message to a chat model, in training and in evaluation."""
    return f"{instruction}\n\n{input}" if input else instruction
