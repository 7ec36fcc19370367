"""One request to a server that speaks the OpenAI API, and what its answer comes to: a completion or some trouble."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pipeline.engines.base import Completion, Request
from pipeline.engines.server.address import Address
from pipeline.engines.server.answer import Reply, read, repeated
from pipeline.engines.server.body import Unreadable, read_json
from pipeline.engines.server.dialect import Attempt, Dialect, lessons
from pipeline.engines.server.names import is_another, note_of
from pipeline.engines.server.refusals import after_refusal, after_reply, cut_at_stop, shape_ignored
from pipeline.engines.server.sender import MAX_CONNECT, Sender
from pipeline.engines.server.shape import taken_out
from pipeline.engines.server.trouble import Trouble
from pipeline.engines.shape import has_shape
from pipeline.text import short

MAX_ATTEMPTS = 18  # ways to put one request; a server that refuses all parameters one by one takes about fourteen
MAX_MUTE = 3  # times that leaving out stop strings brings no text either, and is not tried any more
MIN_READ = 500  # tokens of a prompt; a server that says less may count only what it had not read before
PER_TOKEN = 8  # characters; no tokenizer puts so many of a text into each of its tokens
EMPTY = "the answer holds no text, and nothing in it says why; maybe the prompt did not fit into the model"


class Wire:
    """Asks once, in the way that the server takes. All that goes wrong is a `Trouble`, and none of them holds the key.

    Args:
        timeout: Seconds for one answer.
        dialect: What is known of the server.
        max_thought_tokens: What a model that thinks first may use for that, besides max_tokens.

    Attributes:
        tell: Is told what is learned of the server, a sentence each.
    """

    def __init__(
        self,
        model: str,
        url: str,
        timeout: float,
        dialect: Dialect | None = None,
        max_thought_tokens: int = 0,
    ) -> None:
        self.model, self.url, self.address, self.timeout = model, url, Address(url), timeout
        self.dialect, self.max_thought_tokens = dialect or Dialect(), max_thought_tokens
        self.tell: Callable[[str], None] = lambda lesson: None
        self.sender = Sender(url, self.address.key_header)
        self.counted = True  # as far as is known, it tells how many tokens requests take
        self.holds = True  # as far as is known, it holds completions to a shape
        self.repeats = False  # the prompt before its completions
        self.mute = 0  # answers with thoughts alone, with stop strings and without
        self.reads_all = True  # as far as is known, of a prompt
        self.own_name = True  # as far as is known, it answers as the model that is asked for

    async def complete(self, request: Request, thinking: bool = True) -> Completion:
        """The completion. What a refusal says is done otherwise, and from then on.

        Args:
            thinking: Whether a model that thinks first is given more tokens for that.
        """
        attempt, spent = Attempt(self.dialect), (0, 0)
        tried = [attempt.body(request)]
        before: Reply | None = None  # an answer that ended in thoughts
        thoughts = self.max_thought_tokens if thinking else 0
        while True:
            try:
                reply = await self._complete(request, attempt, tried[-1])
            except Trouble as trouble:
                ways = after_refusal(attempt, request, trouble, thoughts) if trouble.refused else iter(())
                other = next((way for way in ways if way.body(request) not in tried), None)
                if not other or len(tried) >= MAX_ATTEMPTS:
                    if before and trouble.refused:
                        return self._whole(request, before, (0, 0))
                    raise
            else:
                other = after_reply(attempt, request, reply, thoughts, without_stop=self.mute < MAX_MUTE)
                if not other or len(tried) >= MAX_ATTEMPTS or other.body(request) in tried:
                    if not reply.empty:
                        self._learn(request, attempt, reply)
                    elif "stop" in attempt.dialect.omit - self.dialect.omit:
                        self._note_mute(reply.thought)
                    return self._whole(request, reply, spent)
                before = reply
                spent = (spent[0] + reply.completion.prompt_tokens, spent[1] + reply.completion.completion_tokens)
            attempt = other
            tried.append(attempt.body(request))

    async def _complete(self, request: Request, attempt: Attempt, body: dict[str, Any]) -> Reply:
        path = "/completions" if isinstance(request.prompt, str) else "/chat/completions"
        content = await self.sender.ask(self.address.at(path), self.timeout, {"model": self.model} | body)
        try:
            reply = read(content, request, attempt.limit_of(request))
        except Unreadable as problem:
            trouble = self._unreadable(problem, content)
        except Trouble as error:
            error.message, error.path = self.sender.clean(error.message), path
            trouble = error
        else:
            self._count(reply, request)
            self._compare(reply.model)
            return self._ended(reply, request, attempt)
        raise trouble from None

    def _unreadable(self, problem: Unreadable, content: bytes) -> Trouble:
        start = short(self.sender.clean(content.decode(errors="replace")), 80)
        return Trouble("answer unreadable", f"not as an OpenAI server does: {problem}: {start!r}")

    def _ended(self, reply: Reply, request: Request, attempt: Attempt) -> Reply:
        """With its text up to the first stop string, which some servers do not keep to; without the key in an error.

        A choice comes without what is around it.
        """
        completion = reply.completion
        if (sent := repeated(completion.text, request)) and completion.finish_reason != "error":
            self._note_repeat()
            completion = completion.model_copy(update={"text": completion.text[len(sent) :]})
            reply = reply._replace(completion=completion)
        if request.choices and attempt.shape(request) and completion.finish_reason == "stop":
            completion = completion.model_copy(update={"text": taken_out(completion.text, request)})
            reply = reply._replace(completion=completion)
            if completion.text in request.choices:
                return reply
        if completion.finish_reason == "error":
            return reply._replace(completion=completion.model_copy(update={"text": self.sender.clean(completion.text)}))
        if request.sampling.min_tokens:
            return reply  # a stop string among the first tokens does not count, and which these are is not known here
        text = cut_at_stop(completion.text, request)
        if text == completion.text:
            return reply
        return reply._replace(completion=completion.model_copy(update={"text": text, "finish_reason": "stop"}))

    def _whole(self, request: Request, reply: Reply, spent: Sequence[int]) -> Completion:
        """The completion with all that was spent on it.

        Raises:
            Trouble: for one that holds no text, where nothing says that the model chose so.
        """
        completion = reply.completion
        chosen = completion.completion_tokens > 0 if isinstance(request.prompt, str) else reply.thought
        if reply.empty and completion.finish_reason == "stop" and not chosen:
            raise Trouble("answer empty", EMPTY)
        prompt, written = spent[0] + completion.prompt_tokens, spent[1] + completion.completion_tokens
        return completion.model_copy(update={"prompt_tokens": prompt, "completion_tokens": written})

    def _learn(self, request: Request, attempt: Attempt, reply: Reply) -> None:
        """Keep what a request that succeeded shows of the server."""
        ignored = shape_ignored(attempt, request, reply)
        thinks = attempt.dialect.thinks or (reply.thought and not isinstance(request.prompt, str))
        if attempt.dialect is not self.dialect or ignored or thinks != self.dialect.thinks:
            self._join(replace(attempt.dialect, omit=attempt.dialect.omit | ignored, thinks=thinks), request, attempt)
        if self.holds and has_shape(request) and not replace(attempt, dialect=self.dialect).shape(request):
            self.holds = False
            thinks_first = "the model thinks first, so its"
            why = thinks_first if self.dialect.thinks else "it does not know how to do that, so"
            self.tell(f"{why} answers are not held to a few words, or to JSON, but read as they come")

    def _join(self, learned: Dialect, request: Request, attempt: Attempt) -> None:
        if attempt.most is not None and learned.thoughts > self.dialect.thoughts:  # all that the context leaves
            left = (attempt.most - request.sampling.max_tokens) * 9 // 10  # the next prompt may be somewhat longer
            learned = replace(learned, thoughts=max(self.dialect.thoughts, left))
        joined = self.dialect.joined(learned)
        for lesson in lessons(self.dialect, joined, self.sender.clean(attempt.words)):
            self.tell(lesson)
        self.dialect = joined

    def _count(self, reply: Reply, request: Request) -> None:
        if self.counted and not reply.counted:
            self.counted = False
            self.tell("does not say how many tokens a request takes; they are estimated from the length of the text, 4 "
                      "bytes each, and so is what --max-tokens, --max-cost and plan count")  # fmt: skip
        elif self.reads_all and reply.counted:
            self._note_cut(reply.completion.prompt_tokens, request)

    def _note_cut(self, tokens: int, request: Request) -> None:
        """Say if a prompt took so few tokens that some of it was not read: Ollama drops what does not fit."""
        prompt = request.prompt
        length = len(prompt) if isinstance(prompt, str) else sum(len(message["content"]) for message in prompt)
        if tokens >= MIN_READ and length > PER_TOKEN * tokens:
            self.reads_all = False
            self.tell(
                f"read only {tokens:,} tokens of a prompt of {length:,} characters; it cuts prompts to its context "
                f"without saying so: serve the model with a longer one, in Ollama by OLLAMA_CONTEXT_LENGTH"
            )

    def _note_mute(self, thought: bool) -> None:
        self.mute += 1
        if self.mute == MAX_MUTE and thought:
            self.tell("gave thoughts and no text, with stop strings and without; if all its answers are like that, it "
                      "hands out all text as thoughts: turn its reasoning parser off")  # fmt: skip

    def _note_repeat(self) -> None:
        if not self.repeats:
            self.repeats = True
            self.tell("repeats the prompt before each completion; that is left out")

    def _compare(self, said: str) -> None:
        if self.own_name and not self.address.names_deployments and is_another(self.model, said):
            self.own_name = False
            self.tell(note_of(self.model, self.sender.clean(said), self.address.at("/models")))

    async def served(self) -> list[str]:
        """The names of the models the server has."""
        return [model["id"] for model in await self.entries()]

    async def entries(self) -> list[dict[str, Any]]:
        """What the server tells of each of its models; all have an id."""
        content = await self.sender.ask(self.address.at("/models"), MAX_CONNECT)
        try:
            found = json.loads(content)
            models = found if isinstance(found, list) else found["data"] or []  # a list alone: Together; null: Ollama
            return [{**model, "id": self.sender.clean(str(model["id"]))} for model in models]
        except (ValueError, LookupError, TypeError, RecursionError):
            pass
        raise Trouble("answer unreadable", "it answers something else")

    async def queue(self) -> tuple[float, float] | None:
        """How many requests run and wait in the server, whoever asked them; None if it has no such metrics of vLLM."""
        try:
            content = await self.sender.ask(self.address.beside("/metrics"), MAX_CONNECT)
            return queue(content.decode(errors="replace"))
        except Trouble as trouble:
            if trouble.refused or trouble.hopeless:
                return None
            raise

    async def post(self, url: str, payload: dict[str, Any]) -> Any:
        """The JSON of a good answer to anything else than a request for a completion."""
        content = await self.sender.ask(url, self.timeout, payload)
        try:
            return read_json(content)
        except Unreadable as problem:
            trouble = self._unreadable(problem, content)
        raise trouble

    async def close(self) -> None:
        await self.sender.close()


NUMBER = r"(\d+(?:\.\d+)?(?:[eE]\+?\d+)?)"


def queue(metrics: str) -> tuple[float, float] | None:
    """Requests that run and that wait, summed over vLLM's engines, from its Prometheus metrics."""
    sums = []
    for name in ("running", "waiting"):
        lines = re.findall(rf"^vllm:num_requests_{name}(?:\{{.*\}})? {NUMBER}\s*$", metrics, re.MULTILINE)
        sums.append(sum(map(float, lines)) if lines else None)
    running, waiting = sums
    return None if running is None or waiting is None else (running, waiting)
