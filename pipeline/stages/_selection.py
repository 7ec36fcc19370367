"""A selection among all tasks of a run: what is known of them in arrays, and the decision on each."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.novelty.diversity import MIN_ROWS, clusters, drawn
from pipeline.novelty.embedding import EmbeddingIndex, Encoder
from pipeline.novelty.transport import transport_gradient
from pipeline.runs.context import Context
from pipeline.stages._choosing import Coverage, Joined, Room, Vectors, Walk
from pipeline.stages._encoding import compared, seeds_besides
from pipeline.stages._ranking import Floats, Ints, Table, learned, most_in_proportion, quantile, quotas, ranks, share_of
from pipeline.task import Task

if TYPE_CHECKING:
    from pipeline.stages.select import Select

logger = logging.getLogger(__name__)

REASONS = ("", "no_score", "score_too_low", "score_too_high", "near_duplicate", "not_selected")
KEPT, NO_SCORE, TOO_LOW, TOO_HIGH, NEAR_DUPLICATE, NOT_SELECTED = range(len(REASONS))
BY_SIZE, EQUAL = "size", "equal"

Mask = npt.NDArray[np.bool_]


@dataclass
class Verdicts:
    """What a selection says of each task.

    Attributes:
        reasons: Places in REASONS.
        ranks: From 1; 0 if it has none.
        nearest: By the row of a near-duplicate, the kept row it is closest to and the cosine.
    """

    reasons: npt.NDArray[np.int8]
    ranks: Ints
    nearest: Mapping[int, tuple[int, float]] = field(default_factory=dict)


class Selection:
    """The tasks that a stage selects from.

    Attributes:
        table: What they are ranked by, and their groups.
        worth: The highest is kept first; NaN for what is out of the question.
    """

    def __init__(self, stage: "Select", tasks: Joined, context: Context) -> None:
        self.stage, self.tasks, self.context = stage, tasks, context
        self.table = Table.of(tasks, stage.by, stage.groups)
        self.reasons = np.zeros(len(tasks), np.int8)
        known = ~np.isnan(self.table.numbers)
        self.bounds = [self._bound(bound, self.table.numbers[known]) for bound in (stage.min_score, stage.max_score)]
        self._apply_bounds(known)
        pool = np.flatnonzero(self.reasons == KEPT)
        self.worth = self.table.numbers if stage.order == "highest" else -self.table.numbers
        self.transport: Floats | None = None
        if stage.target and len(pool):
            self._compare_with_target(pool)
        elif stage.method == "k_means" and len(pool):
            self._draw_from_clusters(pool)

    def verdicts(self, before: Mask | None = None) -> Verdicts:
        """Decide all tasks at once.

        Args:
            before: Whether the first tasks, which were decided by an earlier selection, are kept; decisions stand.
        """
        held = np.flatnonzero(before) if before is not None else np.zeros(0, np.int64)
        pool = np.flatnonzero(self.reasons == KEPT)
        free = pool[pool >= (0 if before is None else len(before))]
        room = self._room(held, free)
        groups = self.table.groups
        found = Verdicts(self.reasons.copy(), ranks(self.worth, groups if self._in_parts else np.zeros_like(groups)))
        if self.stage.method in ("k_center", "vote_k"):
            order = self._covering(held, free, room)
            found.ranks = np.zeros_like(groups)
            found.ranks[order] = ranks(-np.arange(len(order), dtype=np.float64), groups[order])
            chosen = room.first(order, groups)
        else:
            order = free[np.argsort(-self.worth[free], kind="stable")]
            chosen = self._walk(held, order, room, found) if self.stage.max_cosine else room.first(order, groups)
        left = np.zeros(len(groups), bool)
        left[free] = True
        left[chosen] = left[list(found.nearest)] = False
        found.reasons[left] = NOT_SELECTED
        found.reasons[list(found.nearest)] = NEAR_DUPLICATE
        return found

    def new_weights(self) -> dict[str, float]:
        """What `write_weights` writes: how much of each group the next selection should have."""
        weights = self._weights if isinstance(self.stage.weights, (dict, str)) else np.ones(len(self.table.names))
        worth = np.where(self.reasons == NO_SCORE, np.nan, self._sign * self.table.numbers)
        found = learned(worth, self.table.groups, weights / (weights.sum() or 1))
        return {name: float(weight) for name, weight in zip(self.table.names, found, strict=True)}

    @property
    def _sign(self) -> int:
        return 1 if self.stage.order == "highest" else -1

    def _bound(self, bound: float | str | None, numbers: Floats) -> float | None:
        if not isinstance(bound, str):
            return bound
        share = share_of(bound)
        return None if share is None or not len(numbers) else quantile(numbers, share)

    def _apply_bounds(self, known: Mask) -> None:
        numbers, (low, high) = self.table.numbers, self.bounds
        self.reasons[~known] = NO_SCORE
        if high is not None:
            self.reasons[known & (numbers >= high if self.stage.strict else numbers > high)] = TOO_HIGH
        if low is not None:
            self.reasons[known & (numbers <= low if self.stage.strict else numbers < low)] = TOO_LOW

    @cached_property
    def _encoder(self) -> Encoder:
        return Encoder(self.stage.encoder, self.context.folder / "vectors", self.stage.encoder_prompt)

    @cached_property
    def _vectors(self) -> Vectors:
        return Vectors(self.tasks, self.stage.text, self._encoder)

    def _compare_with_target(self, pool: Ints) -> None:
        targets = [compared(task, self.stage.text) for task in self.stage.target_tasks]
        vectors = self._vectors.of(pool)
        self.transport = np.full(len(self.tasks), np.nan)
        self.transport[pool] = transport_gradient(
            vectors, self._encoder.encode(targets), self.stage.epsilon, self.stage.random_seed
        ).round(6)
        self.worth = -self.transport

    def _draw_from_clusters(self, pool: Ints) -> None:
        """Groups are clusters, and worth is drawn: p = softmax(score) in a cluster, or evenly without a score."""
        stage = self.stage
        quality = self.worth[pool] if stage.by else np.zeros(len(pool))
        self.worth = np.full(len(self.tasks), np.nan)
        self.worth[pool] = drawn(quality, stage.random_seed)
        groups = np.zeros(len(self.tasks), np.int64)
        num_clusters = min(stage.num_clusters, self.stage.num_kept(len(self.tasks)))
        groups[pool] = clusters(self._vectors.of(pool), num_clusters, stage.random_seed)
        names = tuple(map(str, range(int(groups.max()) + 1)))
        if len(names) < stage.num_clusters:
            logger.warning(
                "%s: there are %d clusters, and not %d: each has %d tasks on average, or more, and one to be kept",
                stage.name, len(names), stage.num_clusters, MIN_ROWS,
            )  # fmt: skip
        self.table = replace(self.table, groups=groups, names=names)

    @property
    def _in_parts(self) -> bool:
        """Whether each group has a part of its own, and not what the ranks of its tasks give it."""
        return self.stage.weights is not None or self.stage.method != "rank"

    @property
    def _weights(self) -> Floats:
        """Of each group; the sizes are those of the groups among the tasks that may be kept."""
        given = self.stage.given_weights
        if isinstance(given, dict):
            return np.array([given.get(name, 0) for name in self.table.names], np.float64)
        sizes = np.bincount(self.table.groups[self.reasons == KEPT], minlength=len(self.table.names))
        return np.ones(len(sizes)) if given == EQUAL else sizes.astype(np.float64)

    def _room(self, held: Ints, free: Ints) -> Room:
        """What may be kept besides what is kept already."""
        num_groups = len(self.table.names)
        kept = np.bincount(self.table.groups[held], minlength=num_groups)
        sizes = np.bincount(self.table.groups[free], minlength=num_groups) + kept
        limits = np.minimum(sizes, self.stage.max_per_group or len(self.tasks))
        total, parts = self.stage.num_kept(len(self.tasks)), limits
        if self._in_parts:
            weights = self._weights
            if self.stage.top is None:
                given = self.stage.given_weights
                total = total if given in (None, BY_SIZE) else most_in_proportion(weights, limits)
            parts = quotas(total, weights, limits)
        total, parts = max(0, total - len(held)), np.maximum(parts - kept, 0)
        if self._in_parts and parts.sum() > total:
            parts = quotas(total, parts.astype(np.float64), parts)
        return Room(total, parts)

    def _covering(self, held: Ints, free: Ints, room: Room) -> Ints:
        stage = self.stage
        if stage.method == "k_center":
            self._vectors.cover(seeds_besides(self.context.seeds, self.tasks.done, self.tasks.todo), held)
        how = Coverage(stage.method, stage.num_neighbours, stage.rho, stage.random_seed)
        return how.order(free, self.table.groups, room, self._vectors)

    def _walk(self, held: Ints, order: Ints, room: Room, found: Verdicts) -> Ints:
        assert self.stage.max_cosine is not None
        index = EmbeddingIndex(self._encoder.encode, max_cosine=self.stage.max_cosine)
        walk = Walk(self.tasks, self.stage.text, index)
        walk.begin(held)
        chosen = walk.choose(order, self.table.groups, room)
        found.nearest = walk.nearest
        return np.array(chosen, np.int64)

    def decided(self, rows: Sequence[int], verdicts: Verdicts) -> Iterator[Task]:
        """The tasks of these rows with what was found."""
        for row in rows:
            task = self.tasks[row]
            meta = dict(task.meta)
            if rank := int(verdicts.ranks[row]):
                meta["rank"] = rank
            place = int(verdicts.reasons[row])
            if place in (TOO_LOW, TOO_HIGH):
                meta["bound"] = self.bounds[place - TOO_LOW]
            if self.stage.method == "k_means" and not np.isnan(self.worth[row]):
                meta["cluster"] = int(self.table.groups[row])
            if self.transport is not None and not np.isnan(self.transport[row]):
                task = task.score(transport=float(self.transport[row]))
            if near := verdicts.nearest.get(row):
                other = self.tasks[near[0]]
                meta |= {"nearest_id": other.id, "nearest": compared(other, self.stage.text)}
                task = task.score(cosine=near[1])
            task = task.update(meta=meta)
            yield task.reject(REASONS[place]) if place else task
