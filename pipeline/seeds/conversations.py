"""Conversations: who speaks, which answers are meant to be learned, and the first question with its answer."""

import ast
import json
import re
import reprlib
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import starmap
from typing import Any, NamedTuple

from pipeline.errors import SproutError
from pipeline.seeds.shapes import CONTENT_KEYS, ROLE_KEYS, is_message
from pipeline.seeds.values import printable, text_of

_NAMES = {
    "user": "user users human humans customer client prompter questioner usr asker 用户",
    "assistant": "assistant assistants chatgpt bing bard bot chatbot ai ai_assistant model llm agent responder "
    "answerer 助手",
    "system": "system developer sys system_prompt 系统",
    "tool": "tool tools function function_call function_response tool_call tool_calls tool_response tool_result "
    "observation ipython environment",
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names.split()}
_MODEL = re.compile(r"(?:gpt|claude|gemini|llama|mistral|qwen|deepseek)[\w.:-]*")  # its name stands for the assistant
_ROW_MARKS = frozenset({"weight", "loss", "train", "trainable", "masked", "mask"})
_MASKED = re.compile(r"mask|ignore|skip|exclude|no_?(?:train|loss|learn)", re.IGNORECASE)  # where it is true
_LEARNED = re.compile(
    r"weight|loss|train|learn|supervise", re.IGNORECASE
)  # where it is false; loss_mask is one of these
_OFF = (0, False, "0", "0.0", "false", "no", "off")
_ON = (1, True, "1", "1.0", "true", "yes", "on")
_PERSONA = re.compile(r"You are (?:a|an|the) [\w, -]*\bassistant\.?", re.IGNORECASE)
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")  # fields of a message
_CALLS = ("tool_calls", "tool_call", "function_call")
_CALL_PARTS = {  # of a content: Claude's, and Gemini's
    *("tool_use", "tool_result", "functionCall", "functionResponse", "function_call", "function_response"),
}
_THINKING = ("thinking", "reasoning", "redacted_thinking")


class Message(NamedTuple):
    role: str  # user, assistant, system or tool
    content: str
    learned: bool = True


def calls_a_tool(message: Mapping[str, Any]) -> bool:
    """Whether it is a call of a tool, or what one answers, with or without a text beside it."""
    if any(message.get(key) for key in _CALLS) or any(message.get(key) in _CALLS for key in ROLE_KEYS):
        return True
    lists = [message[key] for key in CONTENT_KEYS if isinstance(message.get(key), list)]
    parts = [part for parts in lists for part in parts if isinstance(part, dict)]
    return any(part.get("type") in _CALL_PARTS or _CALL_PARTS & part.keys() for part in parts)


def is_answered(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the assistant speaks last."""
    roles = (messages[-1][key] for key in ROLE_KEYS if key in messages[-1])
    return _role(str(next(roles, ""))) == "assistant"


def is_masked(row: Mapping[str, Any]) -> bool:
    """Whether a row is marked not to be trained on, by one of the usual names; its other fields may mean anything."""
    return any(_is_mark(key, row[key]) for key in _ROW_MARKS & row.keys())


def is_labelled_bad(row: Mapping[str, Any]) -> bool:
    """Whether a row is a prompt with a completion that people do not want, as data sets for KTO have them."""
    return {"prompt", "completion"} <= row.keys() and str(row.get("label")).lower() == "false"


def _is_mark(key: str, value: Any) -> bool:
    value = value.strip().lower() if isinstance(value, str) else value
    if _MASKED.match(key):
        return value in _ON
    return bool(_LEARNED.search(key)) and value in _OFF


def messages_in(value: Any, where: str, notes: Counter[str]) -> list[Message]:
    """The messages of a conversation.

    Args:
        value: A list of them, the same as a text of JSON, or a table of them by columns.

    Raises:
        SproutError: naming the message, for a role that is not known and a content that is no text.
    """
    value = listed(value)
    if isinstance(value, dict) and value and all(isinstance(column, list) for column in value.values()):
        if len({len(column) for column in value.values()}) > 1:
            raise SproutError(f"{where}: messages: the columns are not equally long")
        value = [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)]
    if not isinstance(value, list):
        raise SproutError(f"{where}: messages: input should be a valid list (found {reprlib.repr(value)})")
    return [_message(one, f"{where}: messages.{number}", notes) for number, one in enumerate(value)]


def listed(value: Any) -> Any:
    """The list that a cell of a table holds as a text of JSON, or of Python, as pandas writes it; else the same."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        for read in (json.loads, ast.literal_eval):
            try:
                return read(value.strip())
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    return value


def in_turns(value: Any) -> Any:
    """Messages from a list of texts that user and assistant say in turns, as LIMA has it; anything else as it is."""
    texts = listed(value)
    if not (isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts)):
        return value
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


def turns_in(value: Any, where: str, notes: Counter[str]) -> list[Message]:
    """The messages of a field `history`: pairs of a question and its answer, or messages."""
    turns: list[Message] = []
    value = listed(value)
    for number, turn in enumerate(value if isinstance(value, list) else [value]):
        if is_message(turn):
            turns.append(_message(turn, f"{where}: history.{number}", notes))
        elif isinstance(turn, list) and len(turn) == 2 and all(isinstance(text_of(text), str) for text in turn):
            turns += [Message("user", text_of(turn[0])), Message("assistant", text_of(turn[1]))]
        else:
            raise SproutError(
                f"{where}: history.{number}: a question and its answer, or a message, is expected "
                f"(found {reprlib.repr(turn)})"
            )
    return turns


def is_persona(system: str) -> bool:
    """Whether a system message only names an assistant, as "You are a helpful assistant." does."""
    return bool(_PERSONA.fullmatch(system.strip()))


def first_exchange(messages: Sequence[Message], where: str, notes: Counter[str]) -> tuple[str, str] | None:
    """The first question and its answer; None if that answer is not to be learned.

    Later ones lean on what was said before, so they are no tasks.

    Raises:
        SproutError: for a conversation without an answer, or without a question before it.
    """
    roles = [message.role for message in messages]
    if "assistant" not in roles:
        raise SproutError(f"{where}: no message of the assistant, so no output; add one, or leave the conversation out")
    answer = roles.index("assistant")
    if "user" not in roles[:answer]:
        raise SproutError(f"{where}: the assistant speaks first; begin with a message of the user")
    if not messages[answer].learned:
        notes["conversations whose first answer is marked not to be trained on, and that are left out"] += 1
        return None
    said: dict[str, list[str]] = {"system": [], "user": []}
    for message in messages[:answer]:
        if message.role in said:
            said[message.role].append(message.content)
        else:
            notes["messages of tools that are left out"] += 1
    if is_persona("\n".join(said["system"])):
        notes["system messages that only name an assistant and are left out"] += 1
        said["system"] = []
    if messages[answer + 1 :]:
        notes["conversations that go on, of which only the first question and answer are taken"] += 1
    return "\n\n".join(said["system"] + said["user"]), messages[answer].content


def _message(value: Any, where: str, notes: Counter[str]) -> Message:
    if not isinstance(value, dict):
        raise SproutError(f"{where}: expected a message with a role and a content (found {reprlib.repr(value)})")
    if calls_a_tool(value):
        return Message("tool", "")
    role, content = (next((key for key in keys if key in value), "") for keys in (ROLE_KEYS, CONTENT_KEYS))
    if not role or not content:
        missing = "role" if not role else "content"
        raise SproutError(
            f"{where}: {missing} is missing; there are {', '.join(map(printable, [*value][:12])) or 'no fields'}"
        )
    name = value[role]
    known = _role(name) if isinstance(name, str) else ""
    if not known:
        raise SproutError(
            f"{where}: the role {reprlib.repr(name)} is not known; name it user, assistant, system or tool"
        )
    if any(value.get(key) for key in _THOUGHTS):
        notes["messages with thoughts beside them, which are left out"] += 1
    return Message(
        known, _content(value[content], f"{where}.{content}", notes), not any(starmap(_is_mark, value.items()))
    )


def _role(name: str) -> str:
    folded = name.strip(" :\n").lower().replace(" ", "_")
    return _ROLES.get(folded, "assistant" if _MODEL.fullmatch(folded) else "")


def _content(value: Any, where: str, notes: Counter[str]) -> str:
    """The text of a message that is one, or a list of parts."""
    if value is None:
        return ""
    texts = []
    for part in value if isinstance(value, list) else [value]:
        kind = part.get("type") or ("thinking" if part.get("thought") is True else "") if isinstance(part, dict) else ""
        text = part.get("text", part.get("content")) if isinstance(part, dict) else text_of(part)
        if kind in _THINKING:
            notes["parts of messages that hold thoughts and are left out"] += 1
        elif isinstance(text, str):
            texts.append(text)
        elif kind:
            raise SproutError(f"{where}: a part of the type {reprlib.repr(kind)} is no text; leave the row out")
        else:
            raise SproutError(f"{where}: input should be a valid string (found {reprlib.repr(value)})")
    return "".join(texts)
