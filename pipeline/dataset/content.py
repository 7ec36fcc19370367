"""What a row of a dataset says, in one of three shapes, and how each is put to a base model and to a chat model."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from pipeline.asking.converse import question
from pipeline.dataset.encodings import zero_shot
from pipeline.engines.base import Message
from pipeline.seeds.transcripts import asked_in
from pipeline.text import trimmed

Shape = Literal["text", "instruction", "messages", "preference", "chat_preference", "ranked"]


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TextRow(_Content):
    """A prompt and its completion: what a base model is tuned on."""

    prompt: str
    completion: str

    @property
    def answered(self) -> bool:
        return bool(self.completion.strip())

    def as_text(self) -> "TextRow":
        return self

    def as_chat(self) -> "ChatRow":
        return ChatRow(messages=(*_asked(self.prompt.strip()), _said("assistant", trimmed(self.completion))))


class ChatRow(_Content):
    """Messages of a system, a user and an assistant, in any number: what a chat model is tuned on."""

    messages: tuple[Message, ...]
    unlearned: tuple[int, ...] = ()  # the numbers of answers that are marked not to be trained on

    @property
    def answered(self) -> bool:
        return bool(self.answers)

    @property
    def answers(self) -> tuple[int, ...]:
        """The numbers of the messages that are learned: those of the assistant that follow another and say something.

        To learn an empty one is to learn to say nothing.
        """
        said = enumerate(message["role"] == "assistant" and message["content"].strip() for message in self.messages)
        return tuple(number for number, text in said if text and number and number not in self.unlearned)

    def as_text(self) -> TextRow:
        """The last answer, and as its prompt all that was said before, in the plain encoding."""
        *before, last = self.as_chat().messages
        return TextRow(prompt=zero_shot("\n\n".join(one["content"] for one in before)), completion=last["content"])

    def as_chat(self) -> "ChatRow":
        """Up to the last answer; nothing that follows it is learned."""
        end = self.answers[-1] + 1
        return self.model_copy(update={"messages": self.messages[:end]})


class InstructionRow(_Content):
    """An instruction, its input and its output; a system message may come before."""

    instruction: str
    input: str = ""
    output: str
    system: str = ""

    @property
    def answered(self) -> bool:
        return bool(self.output.strip())

    def as_text(self) -> TextRow:
        """In the plain encoding."""
        instruction = f"{self.system}\n\n{self.instruction}" if self.system else self.instruction
        return TextRow(prompt=zero_shot(instruction, self.input), completion=self.output)

    def as_chat(self) -> ChatRow:
        system = (_said("system", self.system),) if self.system else ()
        asked = _asked(question(self.instruction, self.input))
        return ChatRow(messages=(*system, *asked, _said("assistant", self.output)))


class PreferenceRow(_Content):
    """A prompt, text or messages, with a better and a worse answer: what a model is tuned on by preference."""

    prompt: str | tuple[Message, ...]
    chosen: str
    rejected: str

    @property
    def chat(self) -> bool:
        return not isinstance(self.prompt, str)

    @property
    def answered(self) -> bool:
        return bool(self.chosen.strip() and self.rejected.strip()) and self.chosen != self.rejected

    def as_text(self) -> "PreferenceRow":
        """With all that was said before as the prompt, in the plain encoding."""
        if isinstance(self.prompt, str):
            return self
        prompt = zero_shot("\n\n".join(one["content"] for one in self.prompt))
        return self.model_copy(update={"prompt": prompt})

    def as_chat(self) -> "PreferenceRow":
        if not isinstance(self.prompt, str):
            return self
        texts = {"chosen": trimmed(self.chosen), "rejected": trimmed(self.rejected)}
        return self.model_copy(update={"prompt": _asked(self.prompt.strip()), **texts})


Content = TextRow | InstructionRow | ChatRow | PreferenceRow


def _asked(prompt: str) -> tuple[Message, ...]:
    """What a prompt asks; several messages where it names their speakers."""
    return tuple(_said(one["role"], one["content"]) for one in asked_in(prompt)) or (_said("user", prompt),)


def _said(role: str, content: str) -> Message:
    return {"role": role, "content": content}
