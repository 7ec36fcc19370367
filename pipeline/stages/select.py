"""Keep the best tasks: by rank, threshold or band of a score, shares of groups, diversity, or closeness to a target."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from pipeline.engines.base import Completion
from pipeline.novelty.encoder import EMBED
from pipeline.runs.context import Context
from pipeline.runs.products import write_record
from pipeline.runs.settings import digest_of_tasks
from pipeline.seeds.read import read_seeds
from pipeline.stage import Flag, Reason, Stage
from pipeline.stages._choosing import Joined
from pipeline.stages._encoding import ENCODER, Compared, EncoderName, EncoderPrompt
from pipeline.stages._ranking import number_of, problem_of_weights, read_weights, share_of
from pipeline.stages._selection import BY_SIZE, EQUAL, NO_SCORE, REASONS, Selection
from pipeline.task import Task

logger = logging.getLogger(__name__)


class Select(Stage):
    """Keeps tasks by a score: so many of the highest or lowest, those in a band, or those that are diverse besides.

    A task gets its rank in `meta["rank"]`; of equal scores, the earlier task ranks higher. With `max_cosine`, tasks are
    looked at in that order, and one that is too close to a better one is rejected (DEITA). `method` chooses for
    coverage instead: the farthest each time (k_center), those that most others are close to (vote_k), or so many of
    each cluster, drawn by their scores (k_means). With `target`, tasks are ranked by how much the distance between all
    tasks and those of a file would change with more of that kind (GOT-D): the score `transport`, the lowest first.

    `groups` names what in `meta` tells groups apart: with `max_per_group` of each at most, or in parts by `weights`.
    What a group has too few tasks for goes to the others.

    A selection looks at all tasks at once, before the first is decided. It depends on tasks and settings alone, so an
    interrupted run selects the same again and continues. Tasks that arrive after a selection are kept only if it
    left room for them: decisions stand. k_center also keeps away from the seeds, unless they are the tasks.

    Example:
        >>> Select(by="judge", top=1000)
        >>> Select(by=("complexity", "quality"), top=0.1, max_cosine=0.9)
    """

    optional: ClassVar[bool] = True
    selects: ClassVar[bool] = True
    needs_all: ClassVar[bool] = True
    asks: ClassVar[bool] = False
    flags: ClassVar[tuple[Flag, ...]] = (
        Flag("--by", "the score that tasks are ranked by", metavar="SCORE"),
        Flag("--target", "tasks that the selected ones should be like, in any format of seeds", metavar="FILE"),
    )
    reasons: ClassVar[Mapping[str, Reason]] = {
        "no_score": Reason("It lacks the score in `by`.", "a task without an output, where `by` is a likelihood"),
        "score_too_low": Reason(
            "Its score is below `min_score`, which `meta.bound` has as a number.", "a 3, where 4 is asked for"
        ),
        "score_too_high": Reason(
            "Its score is above `max_score`, which `meta.bound` has as a number.", "an IFD of 1.2, where 1 is the most"
        ),
        "near_duplicate": Reason(
            "It means nearly the same as a task with a better rank, by `max_cosine`; `why` shows that one.",
            "Name a large river. / Give the name of a big river.",
        ),
        "not_selected": Reason(
            "Others have a better rank, and there is no more room; `meta.rank` has its own.", "rank 101 of `top` 100"
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
    groups: str = Field(default="", description="a key of `meta`, whose values are the groups; empty: no groups")
    max_per_group: int | None = Field(default=None, ge=1, description="kept of each group at most")
    weights: dict[str, float] | str | None = Field(
        default=None,
        description='the parts of groups: { maths = 2, code = 1 }, a JSON or TOML file of that, "equal", or "size" (in '
        "proportion to their tasks); unset: those with the best ranks, of whatever group",
    )
    write_weights: bool = Field(
        default=False,
        description="write NAME-weights.json: each group's weight times exp(mean score), for a next selection; "
        "DivConquer (arXiv 2409.11378) repeats that with training in between",
    )
    max_cosine: float | None = Field(
        default=None, gt=0, le=1, description="to any task of a better rank that is kept; DEITA (arXiv 2312.15685): 0.9"
    )
    method: Literal["rank", "k_center", "k_means", "vote_k"] = Field(
        default="rank", description="how they are chosen: by score alone, or for coverage"
    )
    num_clusters: int = Field(
        default=512,
        ge=1,
        description="k_means: how many groups; DivConquer (arXiv 2409.11378) tries 512, 1024 and 4096. They are found "
        "in 25 rounds, from at most 256 tasks for each",
    )
    num_neighbours: int = Field(default=150, ge=1, description="vote_k (arXiv 2209.01975)")
    rho: int = Field(
        default=10, ge=2, description="vote_k: how much less a neighbour of a chosen task counts (arXiv 2209.01975)"
    )
    target: str = Field(default="", description="a file of tasks that the selected ones should be like; as for seeds")
    epsilon: float = Field(
        default=0.01,
        gt=0,
        description="target: how far transport is smoothed; a smaller number is more exact, and slower",
    )
    encoder: EncoderName = ENCODER
    encoder_prompt: EncoderPrompt = ""
    text: Compared = "instruction"
    random_seed: int = Field(default=0, description="another number makes other random choices")

    @field_validator("by", mode="before", json_schema_input_type=str | tuple[str, ...])
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

    @field_validator("weights")
    @classmethod
    def _check_weights(cls, weights: dict[str, float] | str | None) -> dict[str, float] | str | None:
        if isinstance(weights, dict) and (problem := problem_of_weights(weights)):
            raise ValueError(problem)
        return weights or None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if problem := next(self._problems(), None):
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        bounded = self.min_score is not None or self.max_score is not None
        ranked = self.method == "rank"
        if bounded and not self.by:
            yield "by is missing: the score that min_score and max_score are for"
        if not ranked and self.top is None:
            yield f"top is missing: {self.method} has to know how many to choose"
        if not (bounded or self.top or self.max_per_group or self.weights or self.max_cosine):
            yield "no selection is set; set top, min_score or max_score"
        if not ranked and (self.max_cosine or self.target):
            yield f"{'max_cosine' if self.max_cosine else 'target'} is for a selection by rank, not by {self.method}"
        if self.method in ("k_center", "vote_k") and self.by and not bounded:
            yield f"{self.method} does not look at a score; set min_score or max_score, or leave out by"
        if self.groups and self.method == "k_means":
            yield "the clusters of k_means are its groups; leave out groups"
        grouped = bool(self.groups) or self.method == "k_means"
        given = [name for name in ("max_per_group", "weights", "write_weights") if getattr(self, name)]
        if given and not grouped:
            yield f"groups is missing: the key of meta whose values {given[0]} is for"
        if self.groups and not (self.max_per_group or self.weights or self.write_weights):
            yield 'groups alone changes nothing; set max_per_group, or weights such as "equal"'
        if self.write_weights and not self.by:
            yield "by is missing: the score from which write_weights learns"
        if taken := {*self.by, self.groups} & self._written:
            yield f"{min(taken)} is what this stage writes, so it cannot select by it"

    @property
    def _written(self) -> set[str]:
        """Names in `scores` and `meta` of what it adds."""
        found = {"rank", "bound"} | ({"cosine", "nearest_id"} if self.max_cosine else set())
        return found | ({"transport"} if self.target else set()) | ({"cluster"} if self.method == "k_means" else set())

    def settings(self) -> dict[str, Any]:
        """The weights and the target themselves, wherever they are stored."""
        found = super().settings()
        target = digest_of_tasks(task.update(id="") for task in self.target_tasks) if self.target else ""
        return found | {"target": target, "weights": self.given_weights}

    @cached_property
    def given_weights(self) -> dict[str, float] | str | None:
        named = isinstance(self.weights, str) and self.weights not in (BY_SIZE, EQUAL)
        return read_weights(str(self.weights)) if named else self.weights

    @cached_property
    def target_tasks(self) -> list[Task]:
        return read_seeds(self.target)

    @property
    def embeds(self) -> bool:
        """Whether it needs the vectors of an encoder."""
        return bool(self.max_cosine or self.target or self.method != "rank")

    def needs(self) -> dict[str, str]:
        return EMBED if self.embeds else {}

    def num_kept(self, num_given: int) -> int:
        """How many of so many tasks `top` stands for."""
        if isinstance(self.top, float):
            return max(1, int(self.top * num_given + 1e-9))
        return num_given if self.top is None else self.top

    def most_kept(self, num_given: int) -> int:
        return min(num_given, self.num_kept(num_given))

    def explain(self, task: Task, before: Task | None, completions: Sequence[Completion]) -> Iterator[str]:
        if self.by:
            number = number_of(before or task, self.by)
            yield f"{' * '.join(self.by)}: {'there is none' if number is None else f'{number:g}'}"
        if self.groups:
            yield f"{self.groups}: {task.meta.get(self.groups, 'there is none')}"
        yield from super().explain(task, before, completions)

    def notes(self, counts: Mapping[str, int]) -> Iterator[str]:
        score = f", the {self.order} by {' * '.join(self.by)}" if self.by else ""
        how = "" if self.method == "rank" else f", by {self.method}"
        target = ", those that bring all of them closest to a target" if self.target else ""
        yield f"{counts.get('kept', 0):,} of {sum(counts.values()):,} tasks were selected{score}{how}{target}."

    def decide(self, todo: Sequence[Task], done: Sequence[Task], context: Context) -> Iterator[Task]:
        if not todo:
            return
        selection = Selection(self, Joined(done, todo), context)
        self._say(selection)
        before = [task.rejected or "" for task in done]
        verdicts = selection.verdicts()
        if [REASONS[place] for place in verdicts.reasons[: len(before)]] != before:
            verdicts = selection.verdicts(np.array([not reason for reason in before], bool))
            logger.warning(
                "%s: %d tasks were decided, and %d of them selected, from other tasks than there are now; these "
                "decisions stand. Delete the file of %s and those after it to select from all", self.name, len(before),
                before.count(""), self.name,
            )  # fmt: skip
        if self.write_weights:
            write_record(context.folder / f"{self.name}-weights.json", selection.new_weights())
        yield from selection.decided(range(len(done), len(done) + len(todo)), verdicts)

    def _say(self, selection: Selection) -> None:
        """What the settings are silent about: tasks without the score or the group, and groups without a weight."""
        num_tasks = len(selection.tasks)
        if lacking := int((selection.reasons == NO_SCORE).sum()):
            score = " * ".join(self.by)
            logger.warning(
                "%s: %d of %d tasks lack the score %s, and are rejected", self.name, lacking, num_tasks, score
            )
        names = selection.table.names
        if self.groups and "" in names:
            lacking = int((selection.table.groups == names.index("")).sum())
            logger.warning(
                "%s: %d of %d tasks have no %s in meta, and are a group of their own", self.name, lacking, num_tasks,
                self.groups,
            )  # fmt: skip
        given = self.given_weights
        if isinstance(given, dict) and (without := [name or "(none)" for name in names if name not in given]):
            logger.warning(
                "%s: %d groups have no weight, so none of their tasks is kept: %s", self.name, len(without),
                ", ".join(without[:5]),
            )  # fmt: skip
