"""How a scorer puts its requests to a model."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.asking.ask import ending, seeded
from pipeline.asking.templates import render, uses
from pipeline.engines.base import Prompt, Request, Sampling, ScoreRequest
from pipeline.scorers.base import Ask
from pipeline.stage import Configured
from pipeline.task import Instance, Task

SAMPLING = Sampling(temperature=0, max_tokens=256, stop=("\n\n",))


@dataclass(frozen=True)
class Wording:
    """How a task is put to the model whose likelihoods are asked for, and how a model is asked about it.

    For likelihoods, a task is worded as in training and evaluation.

    Attributes:
        prompt: From an instruction and an input to the prompt of a base model, or to the user's message.
        chat: Whether prompts are messages.
        chat_template_kwargs: What the chat template gets besides messages.
        count_end: The token that ends an answer counts too.
        engine: The name of the engine that is asked; empty for that of the stage.
        others: The wordings of other engines, by name.
        stage: Whose settings put files in place of templates.
        sampling: How completions are sampled.
        random_seed: What the seeds of completions are made from.
    """

    prompt: Callable[[str, str], str]
    chat: bool = False
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    count_end: bool = False
    engine: str = ""
    others: Mapping[str, "Wording"] = field(default_factory=dict)
    stage: Configured | None = None
    sampling: Sampling = SAMPLING
    random_seed: int = 0

    def under(self, engine: str) -> "Wording":
        """The wording for another engine, by its name: for the model that it has."""
        return replace(self.others[engine], engine=engine)

    def output(self, task: Task, instance: Instance) -> Ask:
        """How likely the output of an instance is, as the answer to the task."""
        return self._likelihood(self._put(self.prompt(task.instruction, instance.input)), instance.output)

    def alone(self, instance: Instance, header: bool) -> Ask:
        """How likely the output of an instance is without its task.

        Args:
            header: Whether it still follows what stands before every answer: an empty user message and the opening of
                the assistant's, or the "Output:" of a base model's prompt. Without that it is bare text.
        """
        return self._likelihood(self._put(self.prompt("", "").strip()) if header else "", instance.output)

    def choice(self, text: str, answer: str) -> Ask:
        """How likely the model is to answer a prompt with these words."""
        return self._likelihood(self._put(text), answer)

    def ask(self, text: str, choices: tuple[str, ...] = ()) -> Ask:
        """What the model answers to a prompt; with `choices`, one of them, where the engine can see to that."""
        prompt = self._put(text)
        blank = " " if isinstance(prompt, str) and not prompt[-1:].isspace() else ""
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        sampling = seeded(ending(self.sampling, SAMPLING, self.chat), self.random_seed, digest)
        request = Request(
            id="",
            prompt=prompt,
            sampling=sampling,
            choices=tuple(blank + one for one in choices),
            chat_template_kwargs=self._kwargs(prompt),
        )
        return Ask(request, self.engine)

    def render(self, template: str, **values: object) -> str:
        """The prompt that a template makes of these values."""
        return render(template, self.stage, **values)

    def shows(self, template: str, variable: str) -> bool:
        """Whether a template uses a value."""
        return uses(variable, template, self.stage)

    def _put(self, text: str) -> Prompt:
        return ({"role": "user", "content": text},) if self.chat else text

    def _likelihood(self, prompt: Prompt, text: str) -> Ask:
        """Without an id, which the stage gives it."""
        blank = " " if isinstance(prompt, str) and prompt.endswith(":") else ""  # as rows to train on have it
        request = ScoreRequest(
            id="",
            prompt=prompt,
            continuation=blank + text,
            count_end=self.count_end,
            chat_template_kwargs=self._kwargs(prompt),
        )
        return Ask(request, self.engine)

    def _kwargs(self, prompt: Prompt) -> dict[str, Any]:
        return {} if isinstance(prompt, str) else dict(self.chat_template_kwargs)
