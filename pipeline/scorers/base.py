"""What a scorer is, and how one that asks for likelihoods words its requests."""

import inspect
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.engines.base import Likelihood, Prompt, ScoreRequest
from pipeline.task import Instance, Task

Number = float | None  # None: the task has none
Scoring = Generator[Sequence[ScoreRequest], Sequence[Likelihood], Number]


@dataclass(frozen=True)
class Scorer:
    """A function that gives a task a number, and its settings: arguments behind a `*`, with a default.

    A candidate answer is scored as a task of one instance.

    Example:
        >>> def exclamations(task):
        ...     return task.instruction.count("!")

        One that needs likelihoods also takes a `Wording`. It yields its requests once, all together, and is handed
        the likelihood of each:

        >>> def surprise(task, wording):
        ...     likelihoods = yield [wording.output(task, instance) for instance in task.instances]
        ...     return -likelihoods[0].mean
    """

    function: Callable[..., Any]  # from a task to a number, or a generator function
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def asks(self) -> bool:
        """Whether it needs the likelihood of texts."""
        return inspect.isgeneratorfunction(self.function)


@dataclass(frozen=True)
class Wording:
    """How a task is put to the model whose likelihoods are asked for: as in training and evaluation.

    Attributes:
        prompt: From an instruction and an input to the prompt of a base model, or to the user's message.
        chat: Whether prompts are messages.
        chat_template_kwargs: What the chat template gets besides messages.
        count_end: The token that ends an answer counts too.
    """

    prompt: Callable[[str, str], str]
    chat: bool = False
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    count_end: bool = False

    def output(self, task: Task, instance: Instance) -> ScoreRequest:
        """The output of an instance, as the answer to the task."""
        return self._request(self._put(self.prompt(task.instruction, instance.input)), instance)

    def alone(self, instance: Instance, header: bool) -> ScoreRequest:
        """The output of an instance without its task.

        Args:
            header: Whether it still follows what stands before every answer: an empty user message and the opening of
                the assistant's, or the "Output:" of a base model's prompt. Without that it is bare text.
        """
        return self._request(self._put(self.prompt("", "").strip()) if header else "", instance)

    def _put(self, text: str) -> Prompt:
        return ({"role": "user", "content": text},) if self.chat else text

    def _request(self, prompt: Prompt, instance: Instance) -> ScoreRequest:
        """Without an id, which the stage gives it."""
        blank = " " if isinstance(prompt, str) and prompt.endswith(":") else ""  # as rows to train on have it
        given = {} if isinstance(prompt, str) else dict(self.chat_template_kwargs)
        return ScoreRequest(
            id="",
            prompt=prompt,
            continuation=blank + instance.output,
            count_end=self.count_end,
            chat_template_kwargs=given,
        )


def pooled(likelihoods: Sequence[Likelihood]) -> Number:
    """The mean log-probability of all tokens of several texts; None if there are none."""
    per_token = [one for likelihood in likelihoods for one in likelihood.per_token]
    return math.fsum(per_token) / len(per_token) if per_token else None
