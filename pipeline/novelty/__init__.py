"""Is this text new? An index holds the kept texts and finds the closest one."""

from typing import NamedTuple, Protocol


class Nearest(NamedTuple):
    """The closest added text and its score; `Nearest(0.0, None)` if none is too close."""

    score: float
    text: str | None


class Index(Protocol):
    def nearest(self, text: str) -> Nearest: ...

    def add(self, text: str) -> None: ...
