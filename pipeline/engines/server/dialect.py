"""What a server takes and what it does not, as its refusals teach it; and the body of a request in that dialect."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.engines.base import Request, Sampling
from pipeline.engines.server.shape import FORMAT, SHAPES, fields, room
from pipeline.text import short

# What the API does by itself, so that it need not be sent.
NEUTRAL = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "top_k": 0, "min_tokens": 0}
LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens")  # names of the same thing
NUMBERS = tuple(key for key in Sampling.model_fields if key in NEUTRAL)
OMITTABLE = (
    "temperature", "top_p", "top_k", "presence_penalty", "min_tokens", "stop", "seed", "stream_options", *SHAPES,
)  # fmt: skip
WHOLE = ("max_tokens", "top_k", "min_tokens")  # numbers without a fraction
IN_PIECES = {"stream": True, "stream_options": {"include_usage": True}}
GOES_ON = {"continue_final_message": True, "add_generation_prompt": False}  # vLLM, SGLang: the last message is begun


@dataclass(frozen=True)
class Dialect:
    """How to put requests to one server."""

    omit: frozenset[str] = frozenset()  # parameters that it refuses
    limit: str = "max_tokens"  # its name for the most tokens of a completion
    low: Mapping[str, float] = field(default_factory=dict)  # by parameter: the least it takes, the limit as max_tokens
    high: Mapping[str, float] = field(default_factory=dict)
    thoughts: int = 0  # tokens for thoughts, besides those that the answer may have
    thinks: bool = False  # the model thinks before it answers, which a shape would keep it from
    streams: bool = False  # it answers in pieces alone, and wants to be asked so

    def joined(self, other: "Dialect") -> "Dialect":
        """With what another one has learned."""
        low = {**self.low, **{key: max(value, self.low.get(key, value)) for key, value in other.low.items()}}
        high = {**self.high, **{key: min(value, self.high.get(key, value)) for key, value in other.high.items()}}
        limit = self.limit if other.limit == Dialect.limit else other.limit
        thoughts, thinks = max(self.thoughts, other.thoughts), self.thinks or other.thinks
        streams = self.streams or other.streams
        return Dialect(self.omit | other.omit, limit, low, high, thoughts, thinks, streams)

    def within(self, key: str, value: float) -> float:
        """The nearest value that the server takes; a whole number stays one."""
        if (high := self.high.get(key)) is not None:
            value = min(value, math.floor(high) if key in WHOLE else high)
        if (low := self.low.get(key)) is not None:
            value = max(value, math.ceil(low) if key in WHOLE else low)
        return value


@dataclass(frozen=True)
class Attempt:
    """One way to put a request: in a dialect, with at most as many tokens as a refusal said there may be."""

    dialect: Dialect
    most: int | None = None
    words: str = ""  # of the refusal that led to it
    shapeless: bool = False  # the shape of the completion is not told

    @property
    def plain(self) -> bool:
        """Whether no refusal led to it."""
        return not self.words

    def changed(self, words: str, **changes: Any) -> "Attempt":
        return replace(self, dialect=replace(self.dialect, **changes), words=words)

    def shape(self, request: Request) -> dict[str, Any]:
        """The parameters that tell the shape of the completion, if it has one that can be told."""
        if self.shapeless or (self.dialect.thinks and not isinstance(request.prompt, str)):
            return {}
        return fields(request, self.dialect.omit)

    def limit_of(self, request: Request) -> int:
        most = room(request, self.shape(request))
        asked = self.dialect.within("max_tokens", most + self.dialect.thoughts)
        return int(asked if self.most is None else min(asked, self.most))

    def body(self, request: Request) -> dict[str, Any]:
        """The body of the request; never without a limit on its tokens."""
        dialect, sampling = self.dialect, request.sampling
        settings = self.shape(request)
        leave, stop = set[str](), list(sampling.stop)
        if settings and request.choices:
            leave = {"min_tokens"}
            stop = [one for one in stop if FORMAT not in settings and not any(one in text for text in request.choices)]
        for key in NUMBERS:
            value = dialect.within(key, getattr(sampling, key))
            greedy = key in ("top_p", "top_k") and sampling.temperature == 0
            if key not in dialect.omit | leave and value != NEUTRAL.get(key) and not greedy:
                settings[key] = value
        settings[dialect.limit] = self.limit_of(request)
        if "min_tokens" in settings:
            settings["min_tokens"] = min(settings["min_tokens"], settings[dialect.limit])
        if stop and "stop" not in dialect.omit:
            settings["stop"] = stop
        if sampling.seed is not None and "seed" not in dialect.omit:
            settings["seed"] = sampling.seed
        if dialect.streams:
            settings |= {key: value for key, value in IN_PIECES.items() if key not in dialect.omit}
        if isinstance(request.prompt, str):
            return settings | {"prompt": request.prompt + request.prefill}
        more: dict[str, Any] = (
            {"chat_template_kwargs": request.chat_template_kwargs} if request.chat_template_kwargs else {}
        )
        if not request.prefill:
            return settings | {"messages": list(request.prompt)} | more
        begun = [*request.prompt, {"role": "assistant", "content": request.prefill}]
        return settings | {"messages": begun, **GOES_ON} | more


def lessons(before: Dialect, after: Dialect, words: str) -> list[str]:
    """What was learned, a sentence each."""
    said = f' ("{short(words, 160)}")' if words else ""
    omitted = after.omit - before.omit - {*SHAPES}  # there may be another word for a shape; see `Wire`
    found = [f"refuses {key}{said}; it is left out from now on{ADDED.get(key, '')}" for key in omitted]
    if after.limit != before.limit:
        found.append(f"takes {after.limit} in place of {before.limit}")
    found += [f"takes {key} from {value:g} on; less is sent as that" for key, value in after.low.items()
              if value != before.low.get(key)]  # fmt: skip
    found += [f"takes {key} up to {value:g}; more is sent as that" for key, value in after.high.items()
              if value != before.high.get(key)]  # fmt: skip
    if after.streams != before.streams:
        found.append(f"answers in pieces alone{said}; it is asked for them from now on")
    if after.thoughts != before.thoughts:
        found.append(
            f"the model thinks first, and max_tokens is used up by that; up to {after.thoughts:,} tokens more are "
            f"asked for, which have to be paid for: to turn thinking off, set engine.chat_template_kwargs = "
            f"{{ enable_thinking = false }} or whatever the model calls it, or set engine.max_thought_tokens"
        )
    return found


ADDED = {
    "stop": ", and texts are cut at their stop strings here",
    "seed": ", so another run may get other texts",
}
