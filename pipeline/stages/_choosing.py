"""Which of the ranked tasks are kept: in the order of their worth, within what each group may have, and apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import overload

import numpy as np
import numpy.typing as npt

from pipeline.novelty.diversity import k_center, vote_k
from pipeline.novelty.embedding import BATCH, EmbeddingIndex, Encoder
from pipeline.stages._encoding import Compared, compared
from pipeline.stages._ranking import Ints
from pipeline.task import Task


class Joined(Sequence[Task]):
    """The tasks decided before, then the others; each is read from its file when it is looked at."""

    def __init__(self, done: Sequence[Task], todo: Sequence[Task]) -> None:
        self.done, self.todo = done, todo

    def __len__(self) -> int:
        return len(self.done) + len(self.todo)

    @overload
    def __getitem__(self, row: int) -> Task: ...
    @overload
    def __getitem__(self, row: slice) -> list[Task]: ...
    def __getitem__(self, row: int | slice) -> Task | list[Task]:
        if isinstance(row, slice):
            return [self[place] for place in range(*row.indices(len(self)))]
        return self.done[row] if row < len(self.done) else self.todo[row - len(self.done)]

    def __iter__(self) -> Iterator[Task]:
        return chain(self.done, self.todo)


@dataclass(frozen=True)
class Room:
    """How many more tasks may be kept: altogether, and of each group."""

    total: int
    groups: Ints

    def first(self, order: Ints, groups: Ints) -> Ints:
        """The rows that fit, taken in this order."""
        if not len(order):
            return order
        own = groups[order]
        by_group = np.argsort(own, kind="stable")
        starts = np.concatenate(([0], np.bincount(own).cumsum()))
        place = np.empty(len(order), np.int64)
        place[by_group] = np.arange(len(order)) - starts[own[by_group]]
        found: Ints = order[place < self.groups[own]][: self.total]
        return found


@dataclass
class Walk:
    """Keeps rows one by one in the order of their worth, unless one kept before is too close (DEITA, section 3.3).

    Attributes:
        nearest: By the row of a near-duplicate, the kept row it is closest to and the cosine.
    """

    tasks: Sequence[Task]
    text: Compared
    index: EmbeddingIndex
    rows: dict[str, int] = field(default_factory=dict)  # of the kept texts
    nearest: dict[int, tuple[int, float]] = field(default_factory=dict)

    def begin(self, rows: Ints) -> None:
        """Rows that are kept already."""
        for row in rows.tolist():
            text = compared(self.tasks[row], self.text)
            self.rows.setdefault(text, row)
            self.index.add(text)

    def choose(self, order: Ints, groups: Ints, room: Room) -> list[int]:
        """The rows that are kept; what is left when there is no room any more is not compared."""
        chosen: list[int] = []
        left, queue = room.groups.copy(), order.tolist()
        place = 0
        while place < len(queue) and len(chosen) < room.total:
            batch, place = self._batch(queue, place, groups, Room(room.total - len(chosen), left))
            texts = [compared(self.tasks[row], self.text) for row in batch]
            for row, text, found in zip(batch, texts, self.index.admit(texts), strict=True):
                if found.text is not None and found.score > self.index.max_cosine:
                    self.nearest[row] = self.rows[found.text], round(found.score, 4)
                else:
                    chosen.append(row)
                    left[groups[row]] -= 1
                    self.rows.setdefault(text, row)
        return chosen

    def _batch(self, queue: list[int], place: int, groups: Ints, room: Room) -> tuple[list[int], int]:
        """The next rows, no more than there is room for if all of them are kept; and the place behind them."""
        batch: list[int] = []
        left = room.groups.copy()
        while place < len(queue) and len(batch) < min(BATCH, room.total):
            group = groups[queue[place]]
            if room.groups[group] > 0:
                if left[group] == 0:  # only if one of this batch turns out to be a near-duplicate
                    break
                left[group] -= 1
                batch.append(queue[place])
            place += 1
        return batch, place


@dataclass(frozen=True)
class Coverage:
    """Orders the rows of each group so that the first ones, as many as there is room for, cover most of the others."""

    method: str  # k_center or vote_k
    num_neighbours: int
    rho: int
    random_seed: int

    def order(self, rows: Ints, groups: Ints, room: Room, vectors: "Vectors") -> Ints:
        ordered: list[Ints] = []
        for group in np.unique(groups[rows]).tolist():
            own = rows[groups[rows] == group]
            most = max(0, min(len(own), int(room.groups[group]), room.total))
            ordered.append(own[self._places(vectors, own, most)])
        return np.concatenate(ordered) if ordered else rows

    def _places(self, vectors: "Vectors", rows: Ints, most: int) -> list[int]:
        if most in (0, len(rows)):
            return list(range(len(rows)))
        own = vectors.of(rows)
        if self.method == "vote_k":
            return vote_k(own, most, self.num_neighbours, self.rho)
        return k_center(own, most, vectors.covered, self.random_seed)


class Vectors:
    """Vectors of tasks, and of the texts that are kept already."""

    def __init__(self, tasks: Sequence[Task], text: Compared, encoder: Encoder) -> None:
        self.tasks, self.text, self.encoder = tasks, text, encoder
        self.covered: npt.NDArray[np.float32] | None = None

    def of(self, rows: Ints) -> npt.NDArray[np.float32]:
        return self.encoder.encode([compared(self.tasks[row], self.text) for row in rows.tolist()])

    def cover(self, seeds: Sequence[Task], rows: Ints) -> None:
        texts = [compared(seed, self.text) for seed in seeds]
        texts += [compared(self.tasks[row], self.text) for row in rows.tolist()]
        self.covered = self.encoder.encode(texts) if texts else None
