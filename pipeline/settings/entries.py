"""The entries of a list of stages: `filter`, `evolve-deepen`, `my_stages:NoQuestions`."""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.stages import Kind, find


@dataclass(frozen=True)
class StageEntry:
    """An entry of a list of stages: a class and, after a hyphen, a label."""

    kind: Kind
    label: str
    written: str  # as in the list

    @property
    def name(self) -> str:
        """The name of the stage and of its table."""
        return f"{self.kind.kind}-{self.label}" if self.label else self.kind.kind


def parse_entries(listed: Iterable[object]) -> list[StageEntry]:
    """The entries of a list.

    Raises:
        SproutError: for an unknown stage.
    """
    return [parse_entry(str(one)) for one in listed]


def parse_entry(text: str) -> StageEntry:
    """As `parse_entries`, for one."""
    module, colon, rest = text.partition(":")
    kind, _, label = (rest if colon else module).partition("-")
    return StageEntry(find(f"{module}:{kind}" if colon else kind), label, text)
