"""Conversations that are no list of messages: a text that names its speakers, Gemini's parts, an answer beside them."""

import re
from collections import Counter
from collections.abc import Collection
from typing import Any

from pipeline.seeds.conversations import is_answered, listed
from pipeline.seeds.shapes import CONVERSATIONS, is_conversation
from pipeline.text import trimmed

_STYLES = (
    re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):"),  # HH-RLHF, and what Claude was once asked with
    re.compile(r"\s*### ?(Human|Assistant):"),  # Guanaco
)
_ASKED = ("prompt", "input", "inputs", *CONVERSATIONS)  # fields that may hold messages up to a question
_SYSTEM = ("systemInstruction", "system_instruction")  # Gemini's names
_PAIR = ("chosen", "rejected")


def transcript(text: str) -> list[dict[str, str]]:
    """The messages of a text that names its speakers, "Human: … Assistant: …"; none of any other text.

    The last one is empty where the text ends with the name of the one who is to answer.
    """
    for style in _STYLES:
        if (first := style.match(text)) and first[1] == "Human":
            _, *parts = style.split(text)
            roles = ["user" if name == "Human" else "assistant" for name in parts[::2]]
            said = map(trimmed, parts[1::2])
            found = [{"role": role, "content": content} for role, content in zip(roles, said, strict=True)]
            return found if "assistant" in roles else []
    return []


def asked_in(text: str) -> list[dict[str, str]]:
    """The messages of a text that names its speakers and ends where the assistant is to answer; none of another."""
    if not text.rstrip().endswith("Assistant:"):
        return []
    return transcript(text)[:-1]


def with_messages(
    row: dict[str, Any], questions: Collection[str], answers: Collection[str], notes: Counter[str]
) -> dict[str, Any]:
    """The row with a list of messages in place of any other form of a conversation; `notes` gets what was changed.

    Args:
        questions: Names of fields that say what is asked; beside one of them a `text` is no conversation.
        answers: Names of fields that may hold the answer to messages that end with a question.
    """
    if is_conversation(row.get("contents")) and "messages" not in row:
        row = _of_gemini(row)
    row = _of_texts(row, questions, notes)
    name = next((name for name in _ASKED if is_conversation(listed(row.get(name)))), "")
    lists = bool(name) or any(is_conversation(listed(row.get(one))) for one in _PAIR)
    if lists and (texts := {one: row[one] for one in _PAIR if _is_text(row.get(one))}):
        return row | {one: _answer(text) for one, text in texts.items() if not is_conversation(listed(text))}
    given = [one for one in answers if one != name and _is_text(row.get(one))]
    if name and len(given) == 1 and not is_answered(messages := listed(row[name])):
        notes[f"rows whose {given[0]} is read as the answer to the messages in {name}"] += 1
        rest = {key: value for key, value in row.items() if key not in (name, given[0])}
        return rest | {"messages": [*messages, *_answer(row[given[0]])]}
    return row


def _of_gemini(row: dict[str, Any]) -> dict[str, Any]:
    """`contents` as messages, and the system message, whose parts may lie in an object, as a text."""
    row = {"messages" if key == "contents" else key: value for key, value in row.items()}
    for name in _SYSTEM:
        said = row.pop(name, None)
        parts = said.get("parts") if isinstance(said, dict) else said
        parts = parts if isinstance(parts, list) else [parts]
        texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
        if system := "".join(text for text in texts if isinstance(text, str)):
            row["system"] = system
    return row


def _of_texts(row: dict[str, Any], questions: Collection[str], notes: Counter[str]) -> dict[str, Any]:
    for names in (_PAIR, ("text",)):
        texts = [row.get(name) for name in names]
        beside = {*questions, *CONVERSATIONS} & {name for name, value in row.items() if value not in (None, "")}
        if not all(map(_is_text, texts)) or (names != _PAIR and beside):
            continue
        if all(found := [transcript(str(text)) for text in texts]):
            notes[f"rows in whose {' and '.join(names)} Human: and Assistant: say who speaks, read as messages"] += 1
            rest = {key: value for key, value in row.items() if key not in names}
            return rest | dict(zip(_PAIR if names == _PAIR else ("messages",), found, strict=True))
    return row


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _answer(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]
