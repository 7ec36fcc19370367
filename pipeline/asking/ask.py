"""One request per task, in the form the model of the engine takes, each with a sampling seed of its own."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from pipeline.asking.clean import without_thoughts
from pipeline.engines.base import Arrived, Completion, Completions, Engine, Message, Request, Sampling
from pipeline.engines.proxy import Proxy
from pipeline.task import Task, with_fields
from pipeline.text import hash_of

SPARE = 64 - 31  # bits of a hash that do not fit into a seed: servers take signed numbers of 32 bits


def ask(
    engine: Engine, tasks: Iterable[Task], prompt: Callable[[Task], str], sampling: Sampling, random_seed: int = 0
) -> Iterator[tuple[Task, Completion]]:
    """Put one prompt per task to the engine and yield each task with its completion, in order.

    Each request samples with a seed of its own, made from `random_seed` and the id of its task. A task whose request
    failed, or brought no text, is left out: it stays undecided, and the next run tries it again.
    """
    waiting: dict[str, Task] = {}

    def requests() -> Iterator[Request]:
        for task in tasks:
            waiting[task.id] = task
            yield request(engine, task.id, prompt(task), seeded(sampling, random_seed, task.id))

    for completion in engine.generate(requests()):
        task = waiting.pop(completion.id)
        if is_answer(completion):
            yield task, completion


class OneOf(Proxy):
    """An engine whose completions are one of a few words, where it can see to that.

    After a prompt of plain text that does not end in white space, the word comes after a blank.

    Example:
        >>> engine = OneOf(engine, ("Yes", "No"))
    """

    def __init__(self, engine: Engine, words: tuple[str, ...]) -> None:
        super().__init__(engine)
        self.words = words

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        return self.engine.generate(map(self._held, requests), arrived)

    def _held(self, request: Request | None) -> Request | None:
        if request is None:
            return None
        goes_on = isinstance(request.prompt, str) and not (request.prompt + request.prefill)[-1:].isspace()
        words = (f" {word}" for word in self.words) if goes_on else self.words
        return with_fields(request, choices=tuple(words))


def is_answer(completion: Completion) -> bool:
    """Whether there is something to read: the request did not fail, and its completion is not empty."""
    return completion.finish_reason != "error" and not is_empty(completion)


def is_empty(completion: Completion) -> bool:
    """Whether a completion holds no text, or thoughts and nothing else."""
    return completion.finish_reason != "error" and not without_thoughts(completion.text).strip()


def lack_of(completion: Completion) -> str:
    """What an answer lacks, in a word that `said_of` knows: "cut off", "empty", or nothing."""
    if is_empty(completion):
        return "empty"
    return "cut off" if completion.finish_reason == "length" else ""


def said_of(lacks: Mapping[str, int]) -> str:
    """How many answers are cut off, and how many empty, by `lack_of`; nothing if none is."""
    return " and ".join(f"{lacks[lack]:,} are {lack}" for lack in ("cut off", "empty") if lacks.get(lack))


def seeded(sampling: Sampling, random_seed: int, request: object) -> Sampling:
    """The sampling of one request, by its id or number within its stage, with a seed of its own."""
    return with_fields(sampling, seed=hash_of(f"{random_seed}:sampling:{request}") >> SPARE)


def ending(sampling: Sampling, default: Sampling, chat: bool) -> Sampling:
    """The sampling, without the stop strings of a stage's default if a chat model is asked.

    These are what a base model goes on with after its answer. A chat model ends by itself, and may say the same before.
    """
    return sampling.model_copy(update={"stop": ()}) if chat and sampling.stop == default.stop else sampling


def request(engine: Engine, id: str, prompt: str, sampling: Sampling, demos: tuple[str, ...] = ()) -> Request:
    """A request in the form the engine's model takes: plain text, or one user message."""
    return put(Request(id=id, prompt=prompt, sampling=sampling, demos=demos), engine, engine.chat)


def begun(engine: Engine, id: str, prompt: str, sampling: Sampling) -> Request:
    """A request whose prompt ends with what its answer begins with: a line with a label, or the number of a list.

    A chat model that finds this line in the message takes it for a part of the task, and often says it again; so the
    line is the beginning of its own answer where the engine can begin one.
    """
    asked, _, line = prompt.rpartition("\n")
    if not engine.chat or not engine.can_prefill or not asked.strip() or not _BEGINS.fullmatch(line):
        return request(engine, id, prompt, sampling)
    return with_fields(request(engine, id, asked.rstrip(), sampling), prefill=line)


def put(plain: Request, engine: Engine, chat: bool) -> Request:
    """A plain request as it stands, or as one user message with what the engine's chat template gets besides."""
    if not chat:
        return plain
    return in_chat(plain, engine, ({"role": "user", "content": str(plain.prompt)},))


def in_chat(plain: Request, engine: Engine, messages: tuple[Message, ...]) -> Request:
    """A request with messages in place of its prompt; to check thirty of them anew would take most of its time."""
    return with_fields(plain, prompt=messages, chat_template_kwargs=engine.chat_template_kwargs)


_BEGINS = re.compile(r"\d+\.|[A-Z][\w ]{0,40}:")
