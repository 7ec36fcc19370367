"""One row of a seed file that is not in our format: which layout its fields have, and what it says."""

import difflib
import re
import reprlib
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from pipeline.errors import SproutError, explain
from pipeline.task import Instance, Task

Record = dict[str, Any]
Texts = tuple[str, str, str]  # instruction, input, output


class Row(NamedTuple):
    """One instance and its instruction."""

    where: str
    instruction: str
    input: str
    output: str
    is_classification: bool | None
    id: str
    name: str


class _Fields(BaseModel):
    """What a row of any format may also have."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(default="", coerce_numbers_to_str=True)
    name: str = ""
    is_classification: bool | None = None


class _Seed(_Fields):
    """One of our own tasks, where it is in a table."""

    instruction: str
    instances: list[Instance]

    def instances_of(self, notes: Counter[str]) -> list[Texts]:
        if not self.instances:
            notes["tasks without instances that are left out"] += 1
        return [(self.instruction, one.input, one.output) for one in self.instances]


class _Alpaca(_Fields):
    instruction: str
    input: str = ""
    output: str

    def instances_of(self, notes: Counter[str]) -> list[Texts]:
        return [(self.instruction, self.input, self.output)]


class _PromptCompletion(_Fields):
    prompt: str
    completion: str

    def instances_of(self, notes: Counter[str]) -> list[Texts]:
        return [(self.prompt, "", self.completion.strip())]  # it often begins with a space


_ROLES = {"human": "user", "gpt": "assistant", "chatgpt": "assistant", "model": "assistant", "developer": "system"}


def _role(value: object) -> object:
    return _ROLES.get(value, value) if isinstance(value, str) else value


def _text(value: object) -> object:
    """The text of a message that is one, or a list of parts."""
    if isinstance(value, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in value):
        return "".join(part["text"] for part in value)
    return "" if value is None else value


class _Message(BaseModel):
    role: Annotated[str, BeforeValidator(_role), Field(validation_alias=AliasChoices("role", "from"))]
    content: Annotated[str, BeforeValidator(_text), Field(validation_alias=AliasChoices("content", "value"))]


class _Conversation(_Fields):
    messages: list[_Message]

    @model_validator(mode="after")
    def _check(self) -> "_Conversation":
        roles = [message.role for message in self.messages]
        if "assistant" not in roles:
            raise ValueError("no message of the assistant, so no output; add one, or leave the conversation out")
        if "user" not in roles[: roles.index("assistant")]:
            raise ValueError("the assistant speaks first; begin with a message of the user")
        return self

    def instances_of(self, notes: Counter[str]) -> list[Texts]:
        """The first question and its answer. Later ones lean on what was said before, so they are no tasks."""
        answer = [message.role for message in self.messages].index("assistant")
        said: dict[str, list[str]] = {"system": [], "user": []}
        for message in self.messages[:answer]:
            if message.role in said:
                said[message.role].append(message.content)
            else:
                notes[f"messages of the role {reprlib.repr(message.role)} that are left out"] += 1
        if _PERSONA.fullmatch("\n".join(said["system"]).strip()):
            notes["system messages that only name an assistant and are left out"] += 1
            said["system"] = []
        if self.messages[answer + 1 :]:
            notes["conversations that go on, of which only the first question and answer are taken"] += 1
        return [("\n\n".join(said["system"] + said["user"]), "", self.messages[answer].content)]


_PERSONA = re.compile(r"You are (?:a|an|the) [\w, -]*\bassistant\.?", re.IGNORECASE)
_LAYOUTS: dict[str, type[_Seed | _Alpaca | _PromptCompletion | _Conversation]] = {
    "seed tasks": _Seed,
    "messages": _Conversation,
    "ShareGPT": _Conversation,
    "prompt-completion": _PromptCompletion,
    "Alpaca": _Alpaca,
}


def layout_of(record: Record, where: str, kind: str = "") -> str:
    """Which of the layouts this is, by its fields; empty if it is one of our own tasks and JSON as they are."""
    ours = record.keys() & Task.model_fields.keys() - {"name", "instruction"} if kind == "JSONL" else set()
    if "instances" in record:
        return "" if kind in ("JSON", "JSONL") else "seed tasks"
    if "messages" in record or "conversations" in record:
        told = {"instruction", "output"} <= record.keys()
        return "Alpaca" if told else "messages" if "messages" in record else "ShareGPT"
    if "prompt" in record or "completion" in record:
        return "prompt-completion"
    if "input" in record or "output" in record or ("instruction" in record and not ours):
        return "Alpaca"
    if ours or (kind == "JSONL" and difflib.get_close_matches("instruction", record, 1)):
        return ""
    known = ", ".join(map(reprlib.repr, list(record)[:12]))
    raise SproutError(f"{where}: there are {known or 'no fields'}; name them instruction, input and output")


def parse_row(record: Record, layout: str, where: str, notes: Counter[str]) -> list[Row]:
    """The instances of a record, and in `notes` what of it was not taken.

    Raises:
        SproutError: naming `where`, for a field that is missing, misspelt, empty or of another type.
    """
    if layout == "seed tasks" and record.get("rejected"):
        notes["rejected tasks that are passed over"] += 1
        return []
    if layout == "ShareGPT" and "conversations" in record:
        record = {"messages" if key == "conversations" else key: value for key, value in record.items()}
    if isinstance(record.get("prompt"), list) and isinstance(record.get("completion"), list):
        layout = "messages"
        rest = {key: value for key, value in record.items() if key not in ("prompt", "completion")}
        record = rest | {"messages": [*record["prompt"], *record["completion"]]}
    blank = {key for key, value in record.items() if value is None or (value == "" and key in _Fields.model_fields)}
    given = {key: value for key, value in record.items() if key not in blank}
    for key in check_names(given, layout, where):
        notes[f"rows whose field {reprlib.repr(key)} is left out"] += 1
    kind = _LAYOUTS[layout]
    try:
        fields = kind.model_validate(given)
    except ValidationError as error:
        raise SproutError(f"{where}: {explain(error, kind)}") from None
    rows = []
    for instruction, input, output in fields.instances_of(notes):
        if not instruction.strip():
            raise SproutError(f"{where}: the instruction is empty; say what is to be done")
        if not output.strip():
            raise SproutError(f"{where}: the output is empty; write the right answer, or leave the row out")
        about = (fields.is_classification, fields.id, fields.name)
        rows.append(Row(where, instruction.strip(), input, output, *about))
    return rows


def check_names(names: Iterable[str], layout: str, where: str, noun: str = "field") -> list[str]:
    """The names that the layout has no use for.

    Raises:
        SproutError: for one that is missing, and for one that is surely misspelt.
    """
    kind, given = _LAYOUTS[layout], list(names)
    absent = [name for name in kind.model_fields if name not in given]
    other = [name for name in given if name not in kind.model_fields]
    for name in other:
        if close := difflib.get_close_matches(name.lower(), set(absent) - {"id", "name"}, 1, cutoff=0.75):
            raise SproutError(f"{where}: there is no {noun} {reprlib.repr(name)}; did you mean {close[0]}?")
    for name in absent:
        if kind.model_fields[name].is_required():
            known = ", ".join(name if name.isidentifier() else reprlib.repr(name) for name in given[:12])
            raise SproutError(f"{where}: {name} is missing; there are {known}")
    return other
