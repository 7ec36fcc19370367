"""One row of a seed file that is not in our format: which layout its fields have, and what it says."""

import difflib
import reprlib
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from pipeline.errors import SproutError, explain
from pipeline.seeds.conversations import (
    Message,
    first_exchange,
    in_turns,
    is_labelled_bad,
    is_masked,
    is_persona,
    listed,
    messages_in,
    turns_in,
)
from pipeline.seeds.markers import without_marks
from pipeline.seeds.shapes import CONVERSATIONS, SYSTEM, is_conversation
from pipeline.seeds.transcripts import asked_in
from pipeline.seeds.values import Id, Text, printable, text_of
from pipeline.task import Task
from pipeline.text import trimmed

Fields = dict[str, Any]
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


class _About(BaseModel):
    """What a row of any layout may also have."""

    model_config = ConfigDict(frozen=True)

    id: Id = ""
    name: Text = ""
    is_classification: bool | None = None


class _Instance(BaseModel):
    model_config = ConfigDict(extra="forbid")

    input: Annotated[str, BeforeValidator(lambda value: "" if value is None else text_of(value))] = ""
    output: Text
    answers: Any = None  # candidates of another run, beside the output that it chose


class _Seed(_About):
    """One of our own tasks, where it is in a table."""

    instruction: Text
    instances: Annotated[list[_Instance], BeforeValidator(listed)]


class _Alpaca(_About):
    instruction: Text
    input: Text = ""
    output: Text


class _PromptCompletion(_About):
    prompt: Text
    completion: Text


class _Conversation(_About):
    messages: Any


_LAYOUTS: dict[str, type[_Seed | _Alpaca | _PromptCompletion | _Conversation]] = {
    "seed tasks": _Seed,
    "messages": _Conversation,
    "ShareGPT": _Conversation,
    "prompt-completion": _PromptCompletion,
    "Alpaca": _Alpaca,
}
CONTEXT = (*SYSTEM, "history")  # fields beside a conversation or an instruction


def layout_of(fields: Iterable[str], where: str, kind: str = "") -> str:
    """Which of the layouts this is, by its fields; empty if it is one of our own tasks and JSON as they are."""
    names = {*fields}
    if {"chosen", "rejected"} <= names and not names & {*CONVERSATIONS, "completion", "output"}:
        raise SproutError(
            f"{where}: chosen and rejected are two answers, and a task has one; name the better one output, and drop "
            f"the other"
        )
    ours = names & Task.model_fields.keys() - {"name", "instruction"} if kind == "JSONL" else set()
    if "instances" in names:
        return "" if kind in ("JSON", "JSONL", "YAML") else "seed tasks"
    if conversation := next((name for name in CONVERSATIONS if name in names), ""):
        told = {"instruction", "output"} <= names
        return "Alpaca" if told else "ShareGPT" if conversation == "conversations" else "messages"
    if "prompt" in names or "completion" in names:
        return "prompt-completion"
    if "input" in names or "output" in names or ("instruction" in names and not ours):
        return "Alpaca"
    if kind == "JSONL" and ("is_classification" in names or difflib.get_close_matches("instruction", names, 1)):
        return ""
    known = ", ".join(map(reprlib.repr, list(fields)[:12]))
    raise SproutError(f"{where}: there are {known or 'no fields'}; name them instruction, input and output")


def parse_row(fields: Fields, layout: str, where: str, notes: Counter[str]) -> list[Row]:
    """The instances of a row, and in `notes` what of it was not taken.

    Raises:
        SproutError: naming `where`, for a field that is missing, misspelt, empty or of another type.
    """
    if layout == "seed tasks" and fields.get("rejected"):
        notes["rejected tasks that are passed over"] += 1
        return []
    if is_masked(fields):
        notes["rows that are marked not to be trained on, and are left out"] += 1
        return []
    if is_labelled_bad(fields):
        notes["completions that are labelled false, which are left out"] += 1
        return []
    fields, layout = _as_messages(fields, layout)
    blank = {key for key, value in fields.items() if value is None or (value == "" and key in _About.model_fields)}
    given = {key: value for key, value in fields.items() if key not in blank}
    context = {key: given.pop(key) for key in CONTEXT if key in given}
    for key in check_names(given, layout, where):
        notes[f"rows whose field {reprlib.repr(key)} is left out"] += 1
    kind = _LAYOUTS[layout]
    try:
        row = kind.model_validate(given)
    except ValidationError as error:
        raise SproutError(f"{where}: {explain(error, kind)}") from None
    about = (row.is_classification, row.id, row.name)
    return [Row(where, *_checked(texts, where, notes), *about) for texts in _texts(row, context, where, notes)]


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
            raise SproutError(f"{where}: {name} is missing; there are {known or 'no fields'}")
    return other


def system_in(context: Fields, where: str, notes: Counter[str]) -> str:
    """The system message beside a row: what goes before its question; empty if it only names an assistant.

    Raises:
        SproutError: for one that is no text.
    """
    texts = [text_of(value) for key, value in context.items() if key != "history" and value is not None]
    for text in texts:
        if not isinstance(text, str):
            raise SproutError(f"{where}: system: input should be a valid string (found {printable(text)})")
    system = "\n\n".join(dict.fromkeys(text for text in texts if text.strip()))
    if system and is_persona(system):
        notes["system messages that only name an assistant and are left out"] += 1
        return ""
    return system


def _as_messages(fields: Fields, layout: str) -> tuple[Fields, str]:
    """A conversation under the name `messages`, whatever it has in the file."""
    if layout == "prompt-completion":
        prompt, completion = fields.get("prompt"), fields.get("completion")
        if is_conversation(prompt) and is_conversation(completion):
            rest = {key: value for key, value in fields.items() if key not in ("prompt", "completion")}
            return rest | {"messages": [*prompt, *completion]}, "messages"  # type: ignore[misc]
    elif layout in ("messages", "ShareGPT") and fields.get("messages") is None:
        name = next((name for name in CONVERSATIONS if fields.get(name) is not None), "messages")
        fields = {"messages" if key == name else key: value for key, value in fields.items() if key != "messages"}
        if name != "turns":  # which are all the user's, as MT-Bench has them
            fields["messages"] = in_turns(fields.get("messages"))
    return fields, layout


def _texts(row: BaseModel, context: Fields, where: str, notes: Counter[str]) -> list[Texts]:
    system = system_in(context, where, notes)
    turns = turns_in(context.get("history") or [], where, notes)
    if turns:
        notes["rows with a history, of which the first question and answer are taken"] += 1
    before = [Message("system", system)] * bool(system) + turns
    if isinstance(row, _Seed):
        if not row.instances:
            notes["tasks without instances that are left out"] += 1
        return [("\n\n".join(filter(None, (system, row.instruction))), one.input, one.output) for one in row.instances]
    if isinstance(row, _Conversation):
        messages = messages_in(row.messages, where, notes)
        if before and messages[:1] == before[:1]:
            before = before[1:]
        return _first(before + messages, where, notes)
    if isinstance(row, _PromptCompletion):
        question, input, answer = row.prompt, "", trimmed(row.completion)  # it often begins with a space
    else:
        assert isinstance(row, _Alpaca)
        question, input, answer = row.instruction, row.input, row.output
    asked = [Message(one["role"], one["content"]) for one in asked_in(question)]
    if turns or asked:
        asked = asked or [Message("user", f"{question}\n\n{input}" if input else question)]
        return _first([*before, *asked, Message("assistant", answer)], where, notes)
    return [("\n\n".join(filter(None, (system, question))), input, answer)]


def _first(messages: list[Message], where: str, notes: Counter[str]) -> list[Texts]:
    found = first_exchange(messages, where, notes)
    return [(found[0], "", found[1])] if found else []


def _checked(texts: Texts, where: str, notes: Counter[str]) -> Texts:
    instruction, input, output = without_marks(*texts, notes)
    if not instruction.strip():
        raise SproutError(f"{where}: the instruction is empty; say what is to be done")
    if not output.strip():
        thoughts = " once its thoughts are removed" if texts[2].strip() else ""
        raise SproutError(f"{where}: the output is empty{thoughts}; write the right answer, or leave the row out")
    return instruction.strip(), input, output
