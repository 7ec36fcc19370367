"""Keep the best tasks: by rank, threshold or band of a score, and by shares of groups."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from pipeline.engines.base import Completion
from pipeline.runs.context import Context
from pipeline.stage import Flag, Reason, Stage
from pipeline.stages._ranking import Ints, Table, number_of, quantile, ranks, share_of
from pipeline.task import Task

logger = logging.getLogger(__name__)

REASONS = ("", "no_score", "score_too_low", "score_too_high", "not_selected")
KEPT, NO_SCORE, TOO_LOW, TOO_HIGH, NOT_SELECTED = range(len(REASONS))


class Verdicts(NamedTuple):
    """What a selection says of each task."""

    reasons: npt.NDArray[np.int8]  # places in REASONS
    ranks: Ints  # from 1; 0: none
    bounds: tuple[float | None, float | None]  # of the score


class Select(Stage):
    """Keeps tasks by a score: so many of the highest or lowest, those in a band, or both.

    Every task that has the score gets its rank in `meta["rank"]`; of equal scores, the earlier task ranks higher.

    A selection looks at all tasks at once, before the first is decided. It depends on tasks and settings alone, so an
    interrupted run selects the same again and continues. Tasks that arrive after a selection are kept only if it
    left room for them: decisions stand.

    Example:
        >>> Select(by="judge", top=1000)
        >>> Select(by=("complexity", "quality"), top=0.1, min_score="median")
    """

    optional: ClassVar[bool] = True
    selects: ClassVar[bool] = True
    asks: ClassVar[bool] = False
    flags: ClassVar[tuple[Flag, ...]] = (Flag("--by", "the score that tasks are ranked by", metavar="SCORE"),)
    reasons: ClassVar[Mapping[str, Reason]] = {
        "no_score": Reason("It lacks the score in `by`.", "a task without an output, where `by` is a likelihood"),
        "score_too_low": Reason(
            "Its score is below `min_score`, which `meta.bound` has as a number.", "a 3, where 4 is asked for"
        ),
        "score_too_high": Reason(
            "Its score is above `max_score`, which `meta.bound` has as a number.", "an IFD of 1.2, where 1 is the most"
        ),
        "not_selected": Reason(
            "Others have a better rank, and `top` are kept; `meta.rank` has its own.", "rank 101, where 100 are kept"
        ),
    }

    by: tuple[str, ...] = Field(
        default=(), description="a score, or a number in `meta`; of several, the product; empty: the order of the tasks"
    )
    order: Literal["highest", "lowest"] = Field(default="highest", description="which scores are the best")
    top: int | float | None = Field(
        default=None, description="how many are kept, such as 1000, or their share of all tasks, such as 0.1"
    )
    min_score: float | str | None = Field(
        default=None, description='a lower score is rejected: a number, "median", or "25%", which a quarter are below'
    )
    max_score: float | str | None = Field(default=None, description="a higher score is rejected; likewise")
    strict: bool = Field(default=False, description="a score that equals `min_score` or `max_score` is rejected too")

    @field_validator("by", mode="before")
    @classmethod
    def _one_or_several(cls, by: Any) -> Any:
        return (by,) if isinstance(by, str) and by else by or ()

    @field_validator("top")
    @classmethod
    def _check_top(cls, top: int | float | None) -> int | float | None:
        if top is not None and (top <= 0 or (isinstance(top, float) and top > 1)):
            raise ValueError(f"{top} is neither a number of tasks, such as 1000, nor a share of them, such as 0.1")
        return top

    @field_validator("min_score", "max_score")
    @classmethod
    def _check_bound(cls, bound: float | str | None) -> float | str | None:
        if isinstance(bound, str) and share_of(bound) is None:
            raise ValueError(f'{bound!r} is no bound; give a number, "median", or a quantile such as "25%"')
        return bound

    @model_validator(mode="after")
    def _check(self) -> Self:
        bounded = self.min_score is not None or self.max_score is not None
        if bounded and not self.by:
            raise ValueError("by is missing: the score that min_score and max_score are for")
        if self.top is None and not bounded:
            raise ValueError("nothing says what is selected; set top, min_score or max_score")
        return self

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        if self.by:
            number = number_of(task, self.by)
            yield f"{' * '.join(self.by)}: {'there is none' if number is None else f'{number:g}'}"
        yield from super().explain(task, before, completions)

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        score = f" by {self.order} {' * '.join(self.by)}" if self.by else ""
        yield f"{counts.get('kept', 0):,} of {sum(counts.values()):,} tasks were selected{score}."

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        if not todo:
            return
        table = Table.of(chain(done, todo), self.by, "")
        before = [task.rejected or "" for task in done]
        verdicts = self.select(table)
        if [REASONS[place] for place in verdicts.reasons[: len(before)]] != before:
            verdicts = self.select(table, np.array([not reason for reason in before], bool))
            self._warn_of_earlier(len(before), before.count(""))
        self._tell(verdicts.reasons)
        for row, task in enumerate(todo, len(before)):
            yield self._decided(task, row, verdicts)

    def select(self, table: Table, before: npt.NDArray[np.bool_] | None = None) -> Verdicts:
        """Decide all tasks at once.

        Args:
            before: Whether the first tasks, which were decided by an earlier selection, are kept; decisions stand.
        """
        num_before = 0 if before is None else len(before)
        reasons = np.zeros(len(table), np.int8)
        known = ~np.isnan(table.numbers)
        reasons[~known] = NO_SCORE
        low, high = (self._bound(bound, table.numbers[known]) for bound in (self.min_score, self.max_score))
        if low is not None:
            reasons[known & (table.numbers <= low if self.strict else table.numbers < low)] = TOO_LOW
        if high is not None:
            reasons[known & (table.numbers >= high if self.strict else table.numbers > high)] = TOO_HIGH
        worth = table.numbers if self.order == "highest" else -table.numbers
        found = ranks(worth, table.groups)
        candidates = np.flatnonzero((reasons == KEPT) & (np.arange(len(table)) >= num_before))
        if self.top is not None:
            num_kept = self._num_kept(len(table)) - (0 if before is None else int(before.sum()))
            best = candidates[np.argsort(-worth[candidates], kind="stable")]
            reasons[best[max(0, num_kept) :]] = NOT_SELECTED
        return Verdicts(reasons, found, (low, high))

    def _num_kept(self, num_tasks: int) -> int:
        return max(1, int(self.top * num_tasks + 1e-9)) if isinstance(self.top, float) else self.top or num_tasks

    def _bound(self, bound: float | str | None, numbers: npt.NDArray[np.float64]) -> float | None:
        if not isinstance(bound, str):
            return bound
        share = share_of(bound)
        return None if share is None or not len(numbers) else quantile(numbers, share)

    def _decided(self, task: Task, row: int, verdicts: Verdicts) -> Task:
        meta = dict(task.meta)
        if rank := int(verdicts.ranks[row]):
            meta["rank"] = rank
        place = int(verdicts.reasons[row])
        if place in (TOO_LOW, TOO_HIGH):
            meta["bound"] = verdicts.bounds[place - TOO_LOW]
        task = task.update(meta=meta)
        return task.reject(REASONS[place]) if place else task

    def _tell(self, reasons: npt.NDArray[np.int8]) -> None:
        if lacking := Counter(reasons.tolist())[NO_SCORE]:
            logger.warning(
                "%s: %d of %d tasks lack the score %s, and are rejected", self.name, lacking, len(reasons),
                " * ".join(self.by),
            )  # fmt: skip

    def _warn_of_earlier(self, num_decided: int, num_kept: int) -> None:
        logger.warning(
            "%s: %d tasks were decided, and %d of them selected, from other tasks than these; these decisions stand. "
            "Delete the file of %s and those after it to select from all", self.name, num_decided, num_kept, self.name,
        )  # fmt: skip
