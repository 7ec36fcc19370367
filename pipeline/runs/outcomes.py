"""The outcomes of a stage's requests: stops early if none is answered, and reports what answers lack."""

import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Generic, TypeVar

from pipeline.asking.ask import is_empty
from pipeline.engines.base import Completion, Likelihood, Request, ScoreRequest
from pipeline.errors import SproutError
from pipeline.text import short

A = TypeVar("A", Completion, Likelihood)
HANDFUL = 5  # a stage gives up if so many first requests all bring nothing
MAX_TOO_LONG = 50  # likewise for requests refused for their length, which says nothing about the server
OF_LENGTH = re.compile(r"too long|too many tokens|context|length|exceed|longer than", re.IGNORECASE)


class Outcomes(Generic[A]):
    """Counts the answers to a stage.

    Args:
        stage: Its name in the settings.
        answered: Whether the model has answered the stage before.
        look: Turns an answer of another kind into an equivalent completion.
    """

    def __init__(self, stage: str, answered: bool, look: Callable[[A], Completion]) -> None:
        self.stage, self.answered = stage, answered
        self.look: Callable[[A], Completion] = look
        self.failed: list[str] = []
        self.empty: Counter[int] = (
            Counter()
        )  # completions without text, by the max_tokens they used up; 0 if they did not
        self.total = 0
        self.in_vain: list[Completion] = []
        self._held: list[A] = []

    def note(self, request: Request | ScoreRequest, answer: A) -> None:
        """Count an answer on arrival."""
        completion = self.look(answer)
        self.total += 1
        if completion.finish_reason == "error":
            self.failed.append(f"{request.id}: {completion.text}")
        elif isinstance(request, Request) and is_empty(completion):
            self.empty[request.sampling.max_tokens if completion.finish_reason == "length" else 0] += 1

    def checked(self, answers: Generator[A, None, None]) -> Iterator[A]:
        """Yield all answers; see `in_turn`."""
        with closing(answers):
            for answer in answers:
                yield from self.in_turn(answer)
                if self.answered:
                    break
            yield from answers

    def in_turn(self, answer: A) -> Iterator[A]:
        """Yield an answer; hold back the first ones that bring no text until one does.

        Raises:
            SproutError: when none of the first handful of requests has brought text.
        """
        completion = self.look(answer)
        failed = completion.finish_reason == "error"
        if self.answered or not (failed or (completion.finish_reason == "length" and is_empty(completion))):
            self.answered = True
            yield from self.held()
            yield answer
            return
        self.in_vain.append(completion)
        self._held.append(answer)
        others = sum(not (one.finish_reason == "error" and OF_LENGTH.search(one.text)) for one in self.in_vain)
        if others >= HANDFUL or len(self.in_vain) >= MAX_TOO_LONG:
            raise SproutError(self._stuck(completion))

    def held(self) -> Iterator[A]:
        """The answers held back; called when nothing else is in flight, so that the stage can continue."""
        held, self._held = self._held, []
        yield from held

    def said(self) -> list[str]:
        """Remarks for the end of the stage, one per line."""
        lines = []
        if self.failed:
            some = "1 request" if len(self.failed) == 1 else f"{len(self.failed)} requests"
            lines.append(f"{some} failed; the first is {short(self.failed[0])}")
        for most, number in sorted(self.empty.items()):
            why = self._thinking(most) if most else "the model ended its answer before writing any"
            lines.append(f"{number} of {self.total} completions hold no text: {why}")
        return [f"{self.stage}: {line}" for line in lines]

    def _stuck(self, last: Completion) -> str:
        if last.finish_reason != "error" and self.empty:
            why = self._thinking(max(self.empty))
            return f"{self.stage}: the first {len(self.in_vain)} completions hold no text: {why}"
        said = f"{self.stage}: the first {len(self.in_vain)} requests failed, and none was answered: {short(last.text)}"
        if len(self.in_vain) < MAX_TOO_LONG:
            return said
        return f"{said.rstrip('.')}; serve the model with a longer context, or make the prompts of {self.stage} shorter"

    def _thinking(self, most: int) -> str:
        return (
            f"the model thinks first and max_tokens = {most} is used up; set {self.stage}.sampling.max_tokens "
            f"higher, or turn thinking off with engine.chat_template_kwargs = {{ enable_thinking = false }} or "
            f"whatever the model calls it"
        )
