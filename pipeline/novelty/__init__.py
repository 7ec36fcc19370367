"""Is this text new? An index remembers what was kept and names what comes closest."""

from typing import NamedTuple, Protocol


class Nearest(NamedTuple):
    """The added text that comes closest, and how close it is; `Nearest(0.0, None)` if nothing comes too close."""

    score: float
    text: str | None


class Index(Protocol):
    def nearest(self, text: str) -> Nearest: ...

    def add(self, text: str) -> None: ...
