"""What every engine promises: requests in, completions out; texts in, their likelihood out."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import cached_property, partial
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.errors import SproutError
from pipeline.strict import Strict

AHEAD = 4  # windows to read ahead
MOST_AHEAD = 16_384  # requests besides the window; more of them take memory and win nothing
Message = dict[str, str]  # {"role": "user", "content": "..."}
Prompt = str | tuple[Message, ...]  # a string is completed as it stands; messages go through the chat template

# The values that leave a model's own distribution as it is.
NEUTRAL = {"top_p": 1.0, "top_k": 0, "presence_penalty": 0.0, "min_tokens": 0, "stop": (), "seed": None}


class Sampling(Strict):
    """How to sample, in the words vLLM and the OpenAI API share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(
        default=0.7, ge=0, description="0 always takes the likeliest token; higher values vary more"
    )
    top_p: float = Field(
        default=1.0, gt=0, le=1, description="sample from the likeliest tokens that reach this share together; 1: all"
    )
    top_k: int = Field(default=0, ge=0, description="sample from this many of the likeliest tokens; 0: all")
    presence_penalty: float = Field(
        default=0.0, ge=-2, le=2, description="above 0, tokens that were already written become less likely"
    )
    max_tokens: int = Field(default=1024, ge=1, description="a longer completion is cut off")
    min_tokens: int = Field(default=0, ge=0, description="a completion does not end before it has this many tokens")
    stop: tuple[str, ...] = Field(
        default=(), description="generation ends before the first of these; it is not part of the text"
    )
    seed: int | None = Field(default=None, description="each request gets its own, made from random_seed")

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.min_tokens > self.max_tokens:
            raise ValueError(f"min_tokens is {self.min_tokens}, more than max_tokens, {self.max_tokens}")
        return self

    def bearing(self) -> dict[str, Any]:
        """What bears on the text: `temperature`, and every other field that is not neutral.

        `max_tokens` is left out: it only cuts a text off.
        """
        fields = self.model_dump(exclude={"max_tokens"})
        return {key: value for key, value in fields.items() if key not in NEUTRAL or value != NEUTRAL[key]}


class Request(BaseModel):
    """What an engine is asked to complete: a text, or messages for a chat model.

    Example:
        >>> Request(id="1", prompt="Task: Name a river.\\nOutput:", sampling=Sampling(temperature=0, max_tokens=20))

    Raises:
        ValueError: for choices that are empty or alike, and for choices beside a JSON schema.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    prompt: Prompt
    sampling: Sampling
    demos: tuple[str, ...] = ()  # ids of the tasks the prompt shows, where they differ from request to request
    # What the chat template gets besides messages, as of `engine`.
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)
    prefill: str = ""  # the answer begins with this, which is not part of the completion; see `Engine.can_prefill`
    choices: tuple[str, ...] = ()  # the completion is exactly one of these, where the engine can see to that
    json_schema: dict[str, Any] | None = None  # the completion is JSON that this schema describes, likewise

    @model_validator(mode="after")
    def _check_shape(self) -> Self:
        if not self.choices:
            return self
        if self.json_schema is not None:
            raise ValueError("a completion has choices or a json_schema, not both")
        if not all(self.choices) or len({*self.choices}) < len(self.choices):
            raise ValueError(f"choices must differ, and none may be empty: {', '.join(map(repr, self.choices))}")
        return self


class Completion(BaseModel):
    """What an engine wrote; tokens are counted by the engine, and are 0 where it does not tell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str  # of the request it answers
    text: str
    finish_reason: Literal["stop", "length", "error"] = "stop"  # error: this request can't succeed; text says why
    prompt_tokens: int = 0
    cached_tokens: int = 0  # of the prompt's, those the engine had computed for an earlier request
    completion_tokens: int = 0
    demos: tuple[str, ...] | None = None  # of a completion that is decided anew: what its own prompt showed


class ScoreRequest(BaseModel):
    """A text whose likelihood is asked for, given the prompt before it.

    After messages, the continuation is the assistant's answer, as the chat template renders it: some templates strip
    white space at its ends.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    prompt: Prompt
    continuation: str
    count_end: bool = False  # the token that ends the answer counts too: end of turn after messages, else end of text
    # What the chat template gets besides messages, as of `engine`.
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)


class Likelihood(BaseModel):
    """How likely a model finds a continuation: natural logarithms of probabilities, one for each of its tokens.

    Only tokens of the continuation count. After an empty prompt, and where the tokenizer puts no token of its own
    before a text, the first token has nothing before it and so no likelihood: it does not count either.

    Example:
        >>> Likelihood(id="a", per_token=(-0.5, -1.5)).mean
        -1.0
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str  # of the request it answers
    per_token: tuple[float, ...] = ()
    prompt_tokens: int = 0  # before the continuation
    error: str = ""  # why it cannot be scored; there are no tokens then

    @property
    def sum(self) -> float:
        """The log-probability of the whole continuation."""
        return math.fsum(self.per_token)

    @property
    def num_tokens(self) -> int:
        return len(self.per_token)

    @property
    def mean(self) -> float:
        """The log-probability of a token on average: the negative of the cross-entropy loss.

        Raises:
            ZeroDivisionError: for a continuation that cannot be scored.
        """
        return self.sum / self.num_tokens


Arrived = Callable[[Request, Completion], None]
Completions = Generator[Completion, None, None]  # a caller that has enough closes it
Scored = Callable[[ScoreRequest, Likelihood], None]
Likelihoods = Generator[Likelihood, None, None]
R = TypeVar("R")


class Options(Strict):
    """What the table of an engine may hold in a settings file: the arguments of its constructor, with their limits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="a folder, a name on the hub, a name on the server, or nano")


class ChatOptions(Options):
    """Options of engines that put messages through a chat template."""

    chat: bool | None = Field(
        default=None,
        description="prompts are messages (true) or plain text (false); unset: as the chat template says",
    )
    chat_template_kwargs: dict[str, Any] | None = Field(
        default=None, description="for the chat template, such as { enable_thinking = false }"
    )


class Engine(ABC):
    """A source of completions, and of the likelihood of texts.

    An engine of one's own needs `model` and `generate`; all else has a default.

    Attributes:
        options: What a settings file may say of this engine.
        model: The name or folder of the model.
        window: How many requests it keeps in flight at most.
        can_prefill: Whether it can begin the answer to messages with a given text. Plain prompts always can.

    Example:
        >>> class Echo(Engine):
        ...     model = "echo"
        ...
        ...     def generate(self, requests, arrived=None):
        ...         for request in at_hand(iter(requests)):
        ...             yield Completion(id=request.id, text=str(request.prompt))
    """

    options: ClassVar[type[BaseModel]] = Options
    loads_folders: bool = True  # false: its model is a name that a server knows, never a folder here
    model: str
    window: int = 1

    @cached_property
    def chat(self) -> bool:
        """Whether prompts are put as messages (a chat model) or as plain text (a base model)."""
        return False

    def remember(self, chat: bool) -> None:  # noqa: B027 - most engines know it without asking
        """Take what is known of the model from before, whether it is a chat model, instead of finding out."""

    @cached_property
    def chat_template_kwargs(self) -> dict[str, Any]:
        """What the chat template gets besides messages."""
        return {}

    @cached_property
    def can_prefill(self) -> bool:
        """Whether the answer to messages can begin with `Request.prefill`."""
        return False

    @cached_property
    def revision(self) -> str:
        """What tells which weights the model has: a commit of the hub, or a digest of a folder; empty if unknown."""
        return ""

    @cached_property
    def context_limit(self) -> int | None:
        """How many tokens a prompt and its answer may have, if the settings say so; else the model's config does."""
        return None

    @abstractmethod
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

    def score(self, requests: Iterable[ScoreRequest | None], arrived: Scored | None = None) -> Likelihoods:
        """Yield the likelihood of each continuation, in the order of the requests, under the rules of `generate`.

        Prompt and continuation meet between two tokens: the prompt has the tokens it has when it stands alone.

        Raises:
            SproutError: for an engine that cannot tell likelihoods.
            EngineUnreachable: as `generate`. A request that fails by itself gives a likelihood with an `error`.
        """
        raise SproutError(
            f"the engine {type(self).__name__} cannot tell how likely a text is; take vllm, transformers or a server"
        )

    def pre_query(self, system: str | None = None) -> str | None:
        """The chat template up to where the user's message begins, as a plain prompt; None if it is not known here.

        A chat model that completes it writes a user's message (Magpie, arXiv 2406.08464).

        Args:
            system: A system message before it; None leaves that to the template, which may have one of its own.
        """
        return None

    def close(self) -> None:  # noqa: B027 - most engines hold nothing
        """Give back the memory that the engine holds. It loads its model again when it is asked again."""


def reach(window: int) -> int:
    """How many requests to pull at most where so many are in flight: more, so that no straggler stalls the rest."""
    return min(AHEAD * window, window + MOST_AHEAD)


def at_hand(source: Iterator[R | None]) -> Iterator[R]:
    """The requests up to the next None: those there are for now."""
    return iter(partial(next, source, None), None)


def refused(request: Request | ScoreRequest, problem: str) -> Completion | Likelihood:
    """The answer to a request that can't succeed."""
    if isinstance(request, ScoreRequest):
        return Likelihood(id=request.id, error=problem)
    return Completion(id=request.id, text=problem, finish_reason="error")
