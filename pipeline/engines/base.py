"""Where completions come from: requests go in, completions come out, in the same order."""

from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

Message = dict[str, str]  # {"role": "user", "content": "..."}
Prompt = str | tuple[Message, ...]  # a string is completed as it stands; messages go through the chat template


class Sampling(BaseModel):
    """How to sample, in the words vLLM and the OpenAI API share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(
        default=0.7, ge=0, description="0 always takes the likeliest token; a higher one gives more varied text"
    )
    top_p: float = Field(
        default=1.0, gt=0, le=1, description="take only the likeliest tokens that have this share together; 1: all"
    )
    presence_penalty: float = Field(
        default=0.0, ge=-2, le=2, description="above 0, what was written already becomes less likely"
    )
    max_tokens: int = Field(default=1024, ge=1, description="a longer completion is cut off")
    stop: tuple[str, ...] = Field(
        default=(), description="generation ends before the first of these, which is not part of the text"
    )
    seed: int | None = Field(default=None, description="unset: each request has its own, from random_seed")


class Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    prompt: Prompt
    sampling: Sampling
    demos: tuple[str, ...] = ()  # ids of the tasks the prompt shows, where they differ from request to request
    chat_template_kwargs: dict[str, Any] = {}  # what the chat template gets besides messages, as of `engine`


class Completion(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str  # of the request it answers
    text: str
    finish_reason: Literal["stop", "length", "error"] = "stop"  # error: this request can't succeed; text says why
    prompt_tokens: int = 0
    cached_tokens: int = 0  # of the prompt's, those the engine had computed for an earlier request
    completion_tokens: int = 0
    demos: tuple[str, ...] | None = None  # of a completion that is decided anew: what its own prompt showed


Arrived = Callable[[Request, Completion], None]
Completions = Generator[Completion, None, None]  # a caller that has enough closes it


class Engine(Protocol):
    """A source of completions.

    `chat` says whether prompts are put as messages (a chat model) or as plain text (a base model); `window` is how many
    requests it keeps in flight at most.
    """

    model: str
    window: int

    @property
    def chat(self) -> bool: ...

    def generate(self, requests: Iterable[Request | None], arrived: Arrived | None = None) -> Completions:
        """Yield one completion per request, in the order of the requests.

        Requests are pulled while earlier ones are still running, as many as the engine likes. None among them says
        that there is none for now; they are asked for again once the next completion has been handed out (of an engine
        that works in batches, the last of its batch), so a caller may build prompts from completions and have as many
        in flight as it wants. They end where None comes and nothing is in flight. A caller that has enough closes the
        iterator; what is in flight is dropped.

        `arrived` is called with each request and its completion the moment it is there, maybe long before it is its
        turn, and maybe in another thread. It is how completions are kept that a straggler holds up.

        Raises:
            EngineUnreachable: when no request can succeed any more. A request that fails by itself gives a
                completion with `finish_reason` "error" instead.
        """
        ...


def at_hand(source: Iterator[Request | None]) -> Iterator[Request]:
    """The requests up to the next None: those there are for now."""
    return iter(partial(next, source, None), None)


def template_kwargs(engine: Engine) -> dict[str, Any]:
    """What the chat template gets besides messages; an engine need not have any."""
    return getattr(engine, "chat_template_kwargs", None) or {}


def release(engine: Engine) -> None:
    """Have an engine give back the memory it holds, if it can; it loads its model again when it is asked again."""
    if close := getattr(engine, "close", None):
        close()
