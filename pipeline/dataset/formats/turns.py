"""Messages as the formats of conversations share them."""

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from pipeline.dataset.encodings import question
from pipeline.dataset.rows import Row
from pipeline.engines.base import Message

_ROLES = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "model": "assistant", "developer": "system"}


def _role(value: object) -> object:
    return _ROLES.get(value, value) if isinstance(value, str) else value


def _text(value: object) -> object:
    """The text of a message that is one, or a list of parts."""
    if isinstance(value, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in value):
        return "".join(part["text"] for part in value)
    return "" if value is None else value


class Turn(BaseModel):
    """A message as it is read: roles and contents have several names and spellings."""

    model_config = ConfigDict(frozen=True)

    role: Annotated[
        Literal["system", "user", "assistant", "tool"],
        BeforeValidator(_role),
        Field(validation_alias=AliasChoices("role", "from")),
    ]
    content: Annotated[str, BeforeValidator(_text), Field(validation_alias=AliasChoices("content", "value"))]
    tool_calls: Any = None

    @field_validator("tool_calls")
    @classmethod
    def _check(cls, value: object) -> object:
        if value:
            raise ValueError("tool calls are not trained on; leave this row out")
        return value

    @property
    def message(self) -> Message:
        return {"role": self.role, "content": self.content}


def messages_of(row: Row) -> list[Message]:
    """Instruction and input as the user says them, and the assistant's answer."""
    user = {"role": "user", "content": question(row.instruction, row.input)}
    return [user, {"role": "assistant", "content": row.output}]
