"""What the page asks of a review: things in an order, what each reviewer has said of them, and a way to say more."""

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from pipeline.errors import SproutError
from pipeline.runs.reviews import Reviews
from pipeline.runs.said import Deed, Said, Texts, Verdict

Answer = dict[str, Any]  # as JSON for the page
LONGEST_NAME = 40


def in_random_order(ids: Iterable[str]) -> list[str]:
    """The ids in an order that looks random and is the same each time, so that a review goes on where it stopped."""
    return sorted(ids, key=lambda id: hashlib.sha256(f"review:{id}".encode("utf-8", "surrogatepass")).digest())


class ChangedMeanwhile(SproutError):
    """Somebody else has changed what is being judged; the page shows it anew."""


class Action(BaseModel):
    """What the page sends when a reviewer does something."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reviewer: str = Field(min_length=1, max_length=LONGEST_NAME)
    id: str  # of the task, or the held-out instance
    did: Deed
    seen: str = ""  # the digest of the texts on the page
    verdict: Verdict | None = None
    after: Texts | None = None
    tags: tuple[str, ...] = ()
    note: str = ""
    answer: int = 0  # the place of an answer on the page, and its level
    rating: str = ""
    model: str = ""  # of a repair that was tried and taken


class Desk(ABC):
    """What is reviewed, in order. All methods may be called from several threads."""

    page: ClassVar[str]  # its files in assets/

    def __init__(self, folder: Path, ids: Sequence[str], title: str) -> None:
        self.folder, self.ids, self.title = folder, list(ids), title
        self.places = {id: place for place, id in enumerate(self.ids)}
        self.reviews = Reviews(folder)
        self.lock = threading.RLock()

    def start(self, reviewer: str) -> Answer:
        """Where the reviewer goes on: at the first thing that is not done."""
        with self.lock:
            self.reviews.refresh()
            done = self.done(reviewer)
            place = next((place for place, id in enumerate(self.ids) if id not in done), len(self.ids))
            return {"title": self.title, "total": len(self.ids), "done": len(done), "place": place} | self.about()

    def items(self, reviewer: str, first: int, count: int) -> Answer:
        with self.lock:
            self.reviews.refresh()
            places = range(max(0, first), min(len(self.ids), first + count))
            return {"first": places.start, "items": [self.item(place, reviewer) for place in places]}

    def do(self, asked: Action) -> Answer:
        """Write down what a reviewer did, and return what the page shows then.

        Raises:
            Changed: if the texts are not those that the reviewer saw.
            SproutError: for an id that is not here, and if it cannot be written.
        """
        with self.lock:
            self.reviews.refresh()
            place = self.places.get(asked.id)
            if place is None:
                raise SproutError(f"{asked.id} is not in this review; reload the page")
            self.reviews.say(*self.lines(place, asked))
            return self.answer(place, asked.reviewer)

    def undo(self, reviewer: str) -> Answer:
        """Take back the last thing that a reviewer did here, and return where that was."""
        with self.lock:
            self.reviews.refresh()
            own = (one for one in reversed([*self.reviews.current()]) if one.reviewer == reviewer)
            last = next((one for one in own if one.task in self.places and self.mine(one)), None)
            if last is None:
                return {"place": None}
            self.reviews.say(Said(reviewer=reviewer, did="undo", task=last.task, undoes=last.group or last.id))
            return self.answer(self.places[last.task], reviewer)

    def answer(self, place: int, reviewer: str) -> Answer:
        return {"place": place, "item": self.item(place, reviewer), "done": len(self.done(reviewer))}

    @abstractmethod
    def item(self, place: int, reviewer: str) -> Answer:
        """What the page shows of a thing."""

    @abstractmethod
    def lines(self, place: int, asked: Action) -> Sequence[Said]:
        """What is written down when a reviewer does something."""

    @abstractmethod
    def done(self, reviewer: str) -> set[str]:
        """Ids of what the reviewer has nothing left to say of."""

    @abstractmethod
    def mine(self, one: Said) -> bool:
        """Whether a line was written by this kind of review, so that it can be taken back here."""

    @abstractmethod
    def detail(self, id: str) -> Answer:
        """What is shown on demand."""

    def about(self) -> Answer:
        """What else the page needs to know at the start."""
        return {}
