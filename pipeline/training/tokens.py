"""The tokens of a row, and which of them count in the loss."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from pipeline.dataset.content import ChatRow, TextRow
from pipeline.engines.base import Message
from pipeline.engines.tokens import split_ids
from pipeline.errors import SproutError

logger = logging.getLogger(__name__)
Row = TypeVar("Row")
Tokens = TypeVar("Tokens")


class RowRefused(SproutError):
    """The chat template takes no conversation in which the roles follow each other as they do in this row."""


def each_row(rows: Sequence[Row], tokens: Callable[[Row], Tokens]) -> Iterator[Tokens]:
    """The tokens of each row; those that the chat template refuses are left out and counted.

    Raises:
        SproutError: if it refuses all of them.
    """
    refused: list[RowRefused] = []
    for row in rows:
        try:
            yield tokens(row)
        except RowRefused as error:
            refused.append(error)
    if refused and len(refused) == len(rows):
        raise refused[0]
    if refused:
        logger.warning(f"train: {len(refused)} rows are left out; the first: {refused[0]}")


def row_tokens(row: TextRow | ChatRow, tokenizer: Any) -> dict[str, Any]:
    """The tokens of a row for TRL, with a mask that is 1 where they count in the loss.

    Raises:
        SproutError: for a conversation that the chat template refuses (`RowRefused`), or whose answers it does not
            delimit.
    """
    if isinstance(row, ChatRow):
        ids, mask = chat_tokens(row, tokenizer)
        return {"input_ids": ids, "completion_mask": mask}
    prompt, completion = text_tokens(row, tokenizer)
    return {"input_ids": prompt + completion, "completion_mask": [0] * len(prompt) + [1] * len(completion)}


def text_tokens(row: TextRow, tokenizer: Any) -> tuple[list[int], list[int]]:
    """The tokens of a row for a base model: those of the prompt, and those of the completion with end of text."""
    prompt, first, end = row.prompt, tokenizer.bos_token, tokenizer.eos_token
    if first and prompt.startswith(first) and tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]:
        prompt = prompt.removeprefix(first)  # which the tokenizer puts there by itself
    return split_ids(tokenizer, prompt, row.completion.removesuffix(end) + end)


def chat_tokens(row: ChatRow, tokenizer: Any) -> tuple[list[int], list[int]]:
    """The tokens of a conversation in the chat template, with a mask that is 1 on the answers, end of turn included.

    An answer is what the template adds to the messages before it and the header it puts before an answer. So any
    template will do, if it writes the messages so far as it writes them when others follow. Those that do not, such as
    those that leave out the thoughts of earlier answers, are replaced by TRL's own for them, where it has one.

    Raises:
        SproutError: if the template refuses the messages, or neither it nor TRL's own delimits earlier answers.
    """
    found = _masked(row, tokenizer, None)
    if found is None and (template := _training_template(tokenizer)):
        found = _masked(row, tokenizer, template)
    if found is None:
        raise SproutError(
            f"{tokenizer.name_or_path}: its chat template writes earlier answers otherwise than a last one, and TRL "
            f"knows no mask for it; split the rows with several answers, or leave them out"
        )
    return found


def _masked(row: ChatRow, tokenizer: Any, template: str | None) -> tuple[list[int], list[int]] | None:
    """None if the template writes messages differently when others follow."""
    ids = _template_ids(row.messages, tokenizer, template)
    mask = [0] * len(ids)
    for number in row.answers:
        before = _template_ids(row.messages[:number], tokenizer, template, add_generation_prompt=True)
        so_far = _template_ids(row.messages[: number + 1], tokenizer, template)
        if ids[: len(so_far)] != so_far:
            return None
        start = _common(before, so_far)
        mask[start : len(so_far)] = [1] * (len(so_far) - start)
    return ids, mask


def _template_ids(
    messages: tuple[Message, ...], tokenizer: Any, template: str | None, add_generation_prompt: bool = False
) -> list[int]:
    from jinja2 import TemplateError

    options = {"tokenize": False, "add_generation_prompt": add_generation_prompt, "chat_template": template}
    try:
        text = tokenizer.apply_chat_template(list(messages), **options)
    except TemplateError as error:
        roles = ", ".join(message["role"] for message in messages)
        raise RowRefused(
            f"{tokenizer.name_or_path}: the chat template refuses a row with messages of {roles}: {error}"
        ) from None
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _common(one: list[int], other: list[int]) -> int:
    """The length of the common prefix, in tokens."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))


def _training_template(tokenizer: Any) -> str | None:
    from trl.chat_template_utils import get_training_chat_template

    try:
        return get_training_chat_template(tokenizer)
    except ValueError:
        return None
