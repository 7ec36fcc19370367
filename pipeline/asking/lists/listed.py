"""Reads a completion as a list of tasks, with the reason why one of them cannot be taken."""

from pipeline.asking.clean import clean_text
from pipeline.asking.lists import holds_several, split_list
from pipeline.asking.lists.items import item_of
from pipeline.asking.phrases import is_echo
from pipeline.engines.base import Completion


def listed(completion: Completion, header: str) -> list[tuple[str, str | None]]:
    """The items of a completion, at least one, each with the reason to reject it, or None.

    Args:
        header: The prompt before its list, which a model may repeat.
    """
    if completion.finish_reason == "error":
        return [("", "request_failed")]
    pieces = split_list(clean_text(completion.text))
    cut = completion.finish_reason == "length" and bool(pieces[-1].strip())  # not right after a number
    items = [(item, holds_several(piece, item)) for piece in pieces if (item := item_of(piece))]
    found = [(text, _reason(text, several, header)) for text, several in items]
    if cut and found:
        found[-1] = (found[-1][0], "cut_off")
    return found or [("", None)]


def _reason(text: str, several: bool, header: str) -> str | None:
    if is_echo(text, header):
        return "prompt_echo"
    return "several_tasks" if several else None
